"""Pages made from the templates in this package's folder `pages`."""

import importlib.resources
from collections.abc import Mapping
from typing import Any

import jinja2
import markupsafe


def render(name: str, content: Mapping[str, Any]) -> str:
    """Fills a template; what its variables hold is escaped.

    Args:
        name: File of the template.
        content: The variables; `style` is added, the style sheet.
    """
    folder = importlib.resources.files("asc_tf.evaluation") / "pages"

    def source(template):
        return (folder / template).read_text(encoding="utf-8")

    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(source),
        autoescape=jinja2.select_autoescape(["html.jinja", "charts.jinja"]),
        undefined=jinja2.ChainableUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["percent"] = percent
    style = markupsafe.Markup(source("style.css"))
    return environment.get_template(name).render(content, style=style)


def percent(share: float | None) -> str:
    """A share as text, "-" where there is none."""
    return "-" if share is None or share != share else f"{100 * share:.1f} %"
