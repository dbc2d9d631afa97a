"""An entry is written from evaluated runs and has no defect."""

import dataclasses
import json

import numpy as np
import pytest
import soundfile
import yaml

from asc_tf import build, metrics
from asc_tf.inference.run import TrainedRun
from asc_tf.inference.scorer import Scorer, Scores
from asc_tf.recipe import resolve
from asc_tf.recipe.schema import PerDevice
from asc_tf.runs import layout
from asc_tf.runs.folder import RunFolder
from asc_tf.submission import description, package
from asc_tf.submission.package import TEAM
from asc_tf.submission.rules import DEVICES, SCENES
from asc_tf.submit import main

LABEL = "Last_Inst_task1_1"
ORDER = tuple(reversed(SCENES))  # the run's classes, in another order than the output's


@pytest.fixture
def evaluation_set(tmp_path):
    """A folder of twelve clips with its table."""
    folder = tmp_path / "eval"
    (folder / "audio").mkdir(parents=True)
    (folder / "evaluation_setup").mkdir()
    for index in range(12):
        soundfile.write(folder / f"audio/{index}.wav", 0.1 * np.ones(1000) * (1 + index % 7), 1000)
    names = "\n".join(f"audio/{index}.wav" for index in range(12))
    (folder / "evaluation_setup/fold1_test.csv").write_text(f"filename\n{names}\n")
    return folder


class Run(TrainedRun):
    """An evaluated run, whose network prefers the class that the level of a sound names."""

    forms = ()

    def scorer(self, form="float", **_):
        def score(waves):
            logits = -abs(np.arange(10) - 10 * waves[0].mean(1, keepdims=True))
            return Scores(metrics.softmax(logits))

        return Scorer(score, self.labels, (1000,), 1.0)


class Reversed(Run):
    """One that prefers the class that is as far from the last one."""

    def scorer(self, form="float", **settings):
        scorer = super().scorer(form, **settings)
        return dataclasses.replace(scorer, score=lambda waves: Scores(scorer.score(waves).probabilities[:, ::-1]))


def run(folder, split):
    recipe = resolve.load("cpjku2023_cp_mobile", [f"dataset.split={split}"])
    out = RunFolder(folder / split, recipe)
    out.write(layout.RECIPE, resolve.to_toml(recipe))
    out.write(layout.LABELS, "\n".join(ORDER) + "\n")
    labels = np.tile(np.arange(10), 9)
    probabilities = metrics.softmax(np.random.default_rng(0).standard_normal((90, 10)) + 2 * np.eye(10)[labels])
    by_class = dict(zip(ORDER, metrics.class_accuracy(labels, probabilities), strict=True))
    scores = metrics.summary(labels, probabilities) | {
        "cost": {"parameters": 126_952, "bytes": 126_952, "macs": 28_893_268},
        "by_class": by_class,
        "by_device": {one: {"macro_accuracy": 0.5, "log_loss": 1.5} for one in DEVICES},
    }
    out.write_json(layout.METRICS, {"float": scores})
    names = np.array([f"clip {index}" for index in range(90)])
    described = {"segments": names, "recordings": names, "labels": labels}
    out.write_arrays(layout.PREDICTIONS, described | {"float": probabilities})
    return Run(out)


def filled(folder):
    """A team's file without placeholders."""
    text = TEAM.replace('email = "TODO"', 'email = "a@b.org"').replace("TODO.", "field.")
    text = text.replace('inference_code = "TODO"', 'inference_code = "https://b.org"').replace('"TODO"', '"filled"')
    (folder / "team.toml").write_text(text)
    return folder / "team.toml"


def write(runs, folder, evaluation_set, year):
    return package.write(
        runs, year=year, label=LABEL, team=filled(folder), evaluation_set=evaluation_set, out=folder / "out"
    )


def test_an_entry_of_2024_has_every_split_and_no_defect(tmp_path, evaluation_set):
    runs = [run(tmp_path, f"split{share}") for share in (5, 10, 25, 50, 100)]
    assert write(runs, tmp_path, evaluation_set, 2024) == []
    entry = tmp_path / "out/task1" / LABEL
    rows = [line.split("\t") for line in (entry / f"{LABEL}.output.split_5.csv").read_text().splitlines()]
    assert len(list(entry.iterdir())) == 6 and len(rows) == 13
    # A level of 0.1 (1 + index) is class 1 + index of the run's order.
    assert [row[1] for row in rows[1:8]] == list(ORDER[1:8])
    meta = yaml.safe_load((entry / f"{LABEL}.meta.yaml").read_text())
    assert meta["system"]["complexity"]["macs"] == 28_893_268
    scores = json.loads((tmp_path / "split5/metrics.json").read_text())["float"]
    found = meta["results"]["development_dataset"]["split_5"]
    assert found["overall"]["accuracy"] == pytest.approx(100 * scores["macro_accuracy"], abs=0.01)
    assert found["class_wise"]["bus"]["accuracy"] == pytest.approx(100 * scores["by_class"]["bus"], abs=0.01)
    assert found["device_wise"]["s6"] == {"accuracy": 50.0, "logloss": 1.5}


def test_the_mean_of_the_classes_log_losses_is_that_of_all(tmp_path):
    found = description.description({"": run(tmp_path, "split25")}, package.YEARS[2025], LABEL, {**PLAIN})
    results = found["results"]["development_dataset"]["general"]
    mean = np.mean([one["logloss"] for one in results["class_wise"].values()])
    assert mean == pytest.approx(results["overall"]["logloss"], abs=1e-3)  # as many segments of each


PLAIN = {"name": "a", "abbreviation": "a", "source_code": "a", "authors": []}


def test_a_run_with_networks_of_devices_has_both_kinds_of_results_and_outputs_by_device(tmp_path, evaluation_set):
    general, own = run(tmp_path, "split25"), run(tmp_path, "split50")
    section = PerDevice(epochs=1, learning_rate=1e-3, train="head")
    general.folder.recipe = dataclasses.replace(general.recipe, per_device=section)
    general.devices = {"s1": own}
    with pytest.raises(package.UserError, match="its networks of devices are not evaluated in the form 'float'"):
        write([general], tmp_path, evaluation_set, 2025)
    scores, tested = general.folder.read(layout.METRICS), general.folder.read(layout.PREDICTIONS)
    better = scores["float"] | {"macro_accuracy": 0.9, "cost": scores["float"]["cost"] | {"macs": 29_000_000}}
    general.folder.write_json(layout.METRICS, scores | {"float_per_device": better})
    general.folder.write_arrays(layout.PREDICTIONS, tested | {"float_per_device": tested["float"]})
    with pytest.raises(package.UserError, match="no column 'device_id'"):
        write([general], tmp_path, evaluation_set, 2025)

    table = evaluation_set / "evaluation_setup/fold1_test.csv"
    names = table.read_text().split()[1:]
    rows = [f"{name}\t{'s1' if index % 2 else 'unknown'}" for index, name in enumerate(names)]
    table.write_text("\n".join(["filename\tdevice_id", *rows, ""]))
    own.__class__ = Reversed
    assert write([general], tmp_path, evaluation_set, 2025) == []
    entry = tmp_path / "out/task1" / LABEL
    found = [line.split("\t")[1] for line in (entry / f"{LABEL}.output.csv").read_text().splitlines()[1:8]]
    # A level of 0.1 (1 + index) is class 1 + index of the run's order, of the device's network counted from the end.
    assert found == [ORDER[-2 - index] if index % 2 else ORDER[1 + index] for index in range(7)]
    meta = yaml.safe_load((entry / f"{LABEL}.meta.yaml").read_text())
    assert meta["system"]["complexity"]["macs"] == 29_000_000  # of the largest network
    described = meta["system"]["description"]
    assert (described["num_models_at_inference"], described["model_weight_sharing"]) == (2, "partially shared")
    results = meta["results"]["development_dataset"]
    assert list(results) == ["general", "device_specific"]
    assert results["device_specific"]["overall"]["accuracy"] == 90.0 != results["general"]["overall"]["accuracy"]


def test_outputs_that_are_there_are_kept(tmp_path, evaluation_set, monkeypatch):
    assert write([run(tmp_path, "split25")], tmp_path, evaluation_set, 2025) == []
    monkeypatch.setattr(package, "probabilities", lambda *_: pytest.fail("computed again"))
    assert write([run(tmp_path, "split25")], tmp_path, evaluation_set, 2025) == []


@pytest.mark.parametrize(
    ("splits", "year", "message"),
    [
        (["split5", "split10"], 2024, "split_25, split_50, split_100: no run is trained on it"),
        (["split5", "split5"], 2024, "is trained on split5 as .*split5 is"),
        (["fold1"], 2024, "is trained on 'fold1'"),
        (["split5", "split10"], 2025, "2 runs: an entry of this year has one"),
    ],
)
def test_wrong_runs_are_refused(splits, year, message, tmp_path, evaluation_set):
    with pytest.raises(package.UserError, match=message):
        write([run(tmp_path, split) for split in splits], tmp_path, evaluation_set, year)


def test_a_template_of_the_team_is_written_and_placeholders_are_found(tmp_path, evaluation_set, capsys, monkeypatch):
    def load(path):
        loaded = run(tmp_path, "split25")
        if not loaded.folder.has(layout.BEST_WEIGHTS):
            loaded.folder.write(layout.BEST_WEIGHTS, build.network(loaded.recipe, 10).save_weights)
        return loaded

    monkeypatch.setattr("asc_tf.inference.system.load_run", load)
    arguments = ["run", "--label", LABEL, "--eval-set", str(evaluation_set), "--out", str(tmp_path / "out")]
    arguments += ["--team", str(tmp_path / "team.toml")]
    assert main(arguments) == 2 and "team.toml: was absent and is written now" in capsys.readouterr().err
    assert main(arguments) == 1 and "still holds the placeholder 'TODO'" in capsys.readouterr().out
    filled(tmp_path)
    assert main(arguments) == 0 and "no defect was found" in capsys.readouterr().out
