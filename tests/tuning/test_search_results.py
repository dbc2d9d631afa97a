"""Results of a search: Pareto front, importance, page, tables, recipes of the best."""

import csv
import html.parser
import re

import numpy as np
import pytest

from asc_tf.recipe import resolve
from asc_tf.tuning.engine import space_file
from asc_tf.tuning.engine.budget import Limits, Size
from asc_tf.tuning.engine.objective import Objective
from asc_tf.tuning.engine.plan import SearchPlan
from asc_tf.tuning.engine.search_folder import Records, SearchCandidate
from asc_tf.tuning.report import charts, importance, pareto, results

EVIL = '<script>alert("1")</script>|`x`\n'


def test_pareto_front_by_hand():
    scores, costs = [0.5, 0.7, 0.6, 0.7, 0.9], [1, 2, 3, 2, 9]
    assert pareto.front(scores, costs) == [0, 1, 4]


def test_importance_is_that_of_the_key_that_decides():
    random = np.random.default_rng(0)
    settings = [{"a": float(random.uniform()), "b": str(random.integers(3)), "c": 1} for _ in range(40)]
    scores = [one["a"] > 0.5 for one in settings]
    found = importance.importances(settings, scores)
    assert list(found) == ["a", "b"] and found["a"] > 0.8 and found["b"] < 0.1


def test_importance_of_choices_does_not_depend_on_their_order():
    settings = [{"a": name} for name in 4 * ["x", "y", "z"]]
    found = importance.importances(settings, 4 * [1.0, 0.0, 1.0])
    assert found["a"] > 0.7


def test_importance_of_equal_scores_or_few_trials_is_left_out():
    assert importance.importances([{"a": n} for n in range(9)], 9 * [0.5]) == {}
    assert importance.importances([{"a": n} for n in range(3)], [1, 2, 3]) == {}


@pytest.fixture
def written(tiny, tmp_path):
    """(folder, plan) of a search of three finished trials, a failed and a refused one, with hostile texts."""
    (tmp_path / "space.toml").write_text(
        '["model.width"]\nkind = "int"\nmin = 8\nmax = 64\n["train.learning_rate"]\nkind = "log"\nmin = 1e-4\nmax = 1\n'
        '["feature.flavour"]\nkind = "choice"\nchoices = ["htk", "slaney"]\n'
        "names = ['<b>|htk\\n', 'slaney']\n".replace("'", '"')
    )
    recipe = resolve.load(tiny, ["*:train.epochs=2", "tiny_teacher:model.width=12"])
    plan = SearchPlan(
        recipe,
        space_file.load(tmp_path / "space.toml"),
        "random",
        Objective("float.macro_accuracy"),
        Limits(),
        (3, 4),
        False,
        5,
    )
    candidates = []
    for number, (width, score) in enumerate(((8, 0.5), (16, 0.7), (24, 0.6))):
        settings = {"model.width": width, "train.learning_rate": 10.0**-number, "feature.flavour": "htk"}
        size = Size(1000 * width, 1000 * width, 10_000 * width, 100)
        one = SearchCandidate(
            number, {}, {}, settings, size, "finished", number, values={"3": score - 0.1, "4": score + 0.1}
        )
        one.score, one.seconds = score, 12.3
        candidates.append(one)
    candidates.append(SearchCandidate(3, {}, {}, candidates[0].settings, size, "failed", 3, reason=EVIL))
    candidates.append(SearchCandidate(4, {}, {}, candidates[0].settings, None, "refused", reason="over"))
    results.write(plan, tmp_path, Records(plan.fixed, candidates))
    return tmp_path, plan


class Tags(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.addresses, self.open = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.open += [tag] if tag not in ("meta", "br", "link") else []
        self.addresses += [value for key, value in attributes if key in ("src", "href")]

    def handle_startendtag(self, tag, attributes):
        self.tags.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_page_is_whole_and_has_no_text_of_data_as_markup(written):
    page = Tags((written[0] / "search.html").read_text())
    assert page.open == [] and page.addresses == ["data:,"]  # no icon
    assert "script" not in page.tags and "b" not in page.tags
    assert page.tags.count("svg") == 3 + 1  # fronts, parallel coordinates; three trials have no importance
    assert page.tags.count("circle") == 3 * 3


def test_every_point_has_its_settings(written):
    page = (written[0] / "search.html").read_text()
    assert page.count("<title>trial 1\nfloat.macro_accuracy 0.7000") == 4
    assert "16,000 parameters" in page and "model.width = 16" in page and "train.learning_rate = 0.1" in page


def test_tables_have_every_candidate(written):
    rows = list(csv.DictReader((written[0] / "trials.csv").open(newline="")))
    assert [(row["trial"], row["status"]) for row in rows] == [
        ("1", "finished"), ("2", "finished"), ("0", "finished"), ("3", "failed"), ("", "refused"),
    ]  # fmt: skip
    assert (rows[0]["model.width"], rows[0]["macs"], rows[0]["score"], rows[3]["reason"]) == (
        "16",
        "160000",
        "0.7",
        EVIL,
    )
    lines = (written[0] / "search.md").read_text().splitlines()
    table = [line for line in lines if line.startswith("| ")][-5:]
    assert len({line.replace("\\|", "").count("|") for line in table}) == 1 and not re.search(
        r"(?<!\\)<", "".join(lines)
    )


def test_best_recipes_are_those_of_the_front_and_load_as_they_are(written, tmp_path):
    folder, plan = written
    files = sorted((folder / "best").iterdir())
    assert [file.name for file in files] == ["1_trial0001.toml", "2_trial0000.toml"]
    text, recipe = files[0].read_text(), resolve.load(files[0])
    assert "# float.macro_accuracy on the validation split: 0.7000 (seed 3 0.6000, seed 4 0.8000)" in text
    assert "16,000 parameters" in text and recipe.seed == 3 and recipe.quantise == plan.recipe.quantise
    assert (recipe.model.settings["width"], recipe.train.learning_rate) == (16, 0.1)
    assert [one.name for one in resolve.dependencies(recipe)] == ["tiny_teacher"]
    command = next(line for line in text.splitlines() if line.startswith("#     asc-tf train"))
    assert command.endswith(" --set tiny_teacher:train.epochs=2 --set tiny_teacher:model.width=12")


def test_recipes_of_trials_that_are_not_the_best_any_more_are_removed(written):
    folder, plan = written
    (folder / "best/9_trial0009.toml").write_text("")
    (folder / "best/mine.toml").write_text("")
    results.write(plan, folder, Records(plan.fixed))
    assert [file.name for file in (folder / "best").iterdir()] == ["mine.toml"]


def test_the_place_of_points_by_hand():
    chart = charts.scatter([charts.Point(10.0, 0.5, "a", True), charts.Point(1000.0, 0.6, "b", True)], "x", "y")
    # 384 wide from 70, 234 high from 250: 2 decades and 6 % of them on either side, 0.1 and at least 0.01.
    (x, y, title, front), (other_x, other_y, *_) = chart.points
    assert (title, front) == ("a", True) and chart.front == [(x, y), (other_x, other_y)]
    assert x == pytest.approx(70 + 384 * 0.12 / 2.24) and other_x == pytest.approx(70 + 384 * 2.12 / 2.24)
    assert y == pytest.approx(250 - 234 * 0.01 / 0.12) and other_y == pytest.approx(250 - 234 * 0.11 / 0.12)
    assert [text for _, text in chart.x_ticks] == ["10", "30", "100", "300", "1 k"]


def test_one_point_has_a_picture():
    ((x, y, *_),) = charts.scatter([charts.Point(1.0, 0.5, "only", True)], "x", "y").points
    assert 70 < x < 454 and y == pytest.approx((250 + 16) / 2)


def test_lines_of_parallel_coordinates_leave_out_what_a_trial_lacks():
    axes = [charts.Axis("a", {0.0: "1", 1.0: "2"}), charts.Axis("b", {0.5: "c"}), charts.Axis("d", {})]
    chart = charts.parallel(axes, [charts.Line([1.0, None, 0.0], "best", 1.0), charts.Line([0.5, 0.5, 0.5], "", 0.0)])
    assert chart.lines == [(220, "", [(110, 133), (260, 133), (410, 133)]), (20, "best", [(110, 16), (410, 250)])]
    assert chart.ticks == [(110, 250, "1"), (110, 16, "2"), (260, 133, "c")] and chart.width == 520
