import numpy as np
import pytest

from asc_tf import dataset, metrics
from asc_tf.compare import main
from asc_tf.errors import UserError
from asc_tf.evaluation import compare, evaluate
from asc_tf.recipe import resolve
from asc_tf.runs import folder as run_folder


def evaluated(tiny_in, folder, name, *, seed, right, changes=()):
    """A run that was evaluated with drawn probabilities, the more right the larger `right` is."""
    recipe = resolve.load(tiny_in(folder).with_name("tiny_teacher.toml"), [f"seed={seed}", *changes])
    run, data = run_folder.create(folder / name, recipe, resume=False), dataset.load(recipe)
    labels = data.labels(data.test)
    logits = np.random.default_rng(0).standard_normal((len(labels), 3)) + right * np.eye(3)[labels]
    predictions = {"float": ({"parameters": 5540, "bytes": 22160, "macs": 300_000}, metrics.softmax(logits))}
    evaluate.write_report(run, data, predictions)
    return str(folder / name)


@pytest.fixture(scope="module")
def runs(tiny_in, tmp_path_factory):
    """Two seeds of a recipe, and one of a wider network that is better."""
    folder = tmp_path_factory.mktemp("compare")
    first = [evaluated(tiny_in, folder, f"a{seed}", seed=seed, right=0.1 * seed) for seed in (1, 2)]
    return [*first, evaluated(tiny_in, folder, "wide", seed=1, right=3.0, changes=["model.width=16"])]


def test_runs_that_differ_in_their_seeds_are_one_row(runs):
    heads, first, second = compare.table(compare.kinds(compare.load(runs)))
    assert heads == ["recipe", "seeds", "float, %", "float, log loss", "parameters", "bytes", "MACs"]
    scores = [100 * compare.load([path])[0].scores["float"]["macro_accuracy"] for path in runs]
    assert first[1] == "1, 2" and first[2] == f"{np.mean(scores[:2]):.1f} ± {np.std(scores[:2], ddof=1):.1f}"
    assert second[1] == "1" and second[2] == f"{scores[2]:.1f}" and first[0] != second[0]


def test_the_difference_is_that_of_the_means_with_its_interval(runs):
    kinds = compare.kinds(compare.load(runs))
    (one,) = compare.differences(kinds)
    means = [np.mean(kind.figures("float", "macro_accuracy")) for kind in kinds]
    difference, lower, upper, better = one["accuracy"]
    assert difference == pytest.approx(100 * (means[1] - means[0])) and lower < difference < upper
    assert better > 0.99 and one["log_loss"][0] < 0 and one["log_loss"][3] > 0.99
    assert one["recipe"] == ["model.width: 8, 16"]


def test_the_program_prints_and_writes_the_comparison(runs, tmp_path, capsys):
    assert main([*runs, "--markdown", str(tmp_path / "a.md"), "--html", str(tmp_path / "a.html")]) == 0
    shown = capsys.readouterr().out
    assert (tmp_path / "a.md").read_text() == shown and "model.width: 8, 16" in shown
    page = (tmp_path / "a.html").read_text()
    assert page.count("<circle") == 4 and "better in 100 % of the draws" in page and 'src="' not in page


def test_runs_of_other_segments_or_evaluations_are_refused(runs, tiny_in, tmp_path):
    other = evaluated(tiny_in, tmp_path, "other", seed=1, right=1.0, changes=["dataset.test_share=0.5"])
    with pytest.raises(UserError, match="other: tested other segments than .*a1"):
        compare.load([runs[0], other])
    run = run_folder.load(other)
    scores = run.read("metrics.json")
    run.write_json("metrics.json", {"float": scores["float"] | {"log_loss": 3.0}})
    with pytest.raises(UserError, match=r"predictions.npz and metrics.json are of different evaluations"):
        compare.load([other])
    (run.path / "predictions.npz").unlink()
    with pytest.raises(UserError, match=r"predictions.npz: is missing; run `asc-tf evaluate"):
        compare.load([other])
