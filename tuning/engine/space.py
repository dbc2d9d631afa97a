"""Search spaces: keys of a recipe with a range or choices each."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

RANGES, LISTS = ("int", "float", "log"), ("choice", "boolean")
LONGEST_NAME = 40  # characters of a value in tables


@dataclass(frozen=True)
class SearchKey:
    """One key of a recipe that is searched over.

    Args:
        name: The key, as "model.width".
        kind: "int", "float", "log", "choice" or "boolean".
        least, most: Range of the first three kinds.
        step: Distance of values, of "log" their factor; None for any value in the range.
        choices: Values of the last two kinds.
        names: Their names in tables.
        when: {other key: values with which this key is drawn}.
    """

    name: str
    kind: str
    least: float | None = None
    most: float | None = None
    step: float | None = None
    choices: tuple[Any, ...] = ()
    names: tuple[str, ...] = ()
    when: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)

    @property
    def examples(self) -> tuple[Any, ...]:
        """All choices, or the smallest and the largest value of the range."""
        if self.kind in LISTS:
            return self.choices
        if self.kind == "log" or self.step is None:
            return self.least, self.most
        steps = int((self.most - self.least) // self.step)
        return self.least, self.least + steps * self.step

    def text(self, value: Any) -> str:
        """A value as it is written in tables.

        Args:
            value: One of its values.
        """
        if self.names and value in self.choices:
            return self.names[self.choices.index(value)]
        if isinstance(value, float):
            return f"{value:.6g}"
        text = value if isinstance(value, str) else json.dumps(value)
        return text if len(text) <= LONGEST_NAME else f"{text[: LONGEST_NAME - 3]}..."


@dataclass(frozen=True)
class Space:
    """The keys of a search, those that conditions name before those that have the conditions.

    Args:
        file: The file.
        keys: The keys, by name.
    """

    file: Path
    keys: Mapping[str, SearchKey]

    @property
    def description(self) -> str:
        """All of it as JSON, equal for equal spaces."""
        return json.dumps([vars(key) | {"when": dict(key.when)} for key in self.keys.values()], default=str)

    def settings(self, drawn: Mapping[str, Any]) -> dict[str, Any]:
        """Values of the recipe for what was drawn: of kind "choice" the index of a choice is drawn.

        Args:
            drawn: Drawn values by key, without the keys whose conditions are not met.
        """
        return {name: self._value(self.keys[name], value) for name, value in drawn.items() if name in self.keys}

    def active(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Settings without those whose conditions are not met.

        Args:
            settings: A value for every key.
        """
        kept = {}
        for name, key in self.keys.items():
            if all(kept.get(other, _ABSENT) in values for other, values in key.when.items()):
                kept[name] = settings[name]
        return kept

    def _value(self, key, drawn):
        if key.kind == "choice":
            return key.choices[int(drawn)]
        return float(f"{drawn:.12g}") if key.kind in ("float", "log") else drawn  # 0.3, not 0.30000000000000004


_ABSENT = object()
