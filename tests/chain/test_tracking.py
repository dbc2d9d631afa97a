"""[tracking]: what TensorBoard and MLflow get of a training, read back from their files."""

import csv
import dataclasses
import importlib.util
import io
import json
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from asc_tf import build, dataset
from asc_tf.chain import tracking
from asc_tf.chain.mlflow_store import MlflowRun
from asc_tf.chain.rehearsal_data import RehearsalData
from asc_tf.chain.rehearse import Rehearsal
from asc_tf.chain.stages import stages
from asc_tf.chain.train import Chain, train
from asc_tf.errors import UserError
from asc_tf.evaluation import show
from asc_tf.recipe import resolve
from asc_tf.recipe.schema import Tracking
from asc_tf.runs import folder as run_folder

EPOCHS = 3
SETTINGS = [
    f"train.epochs={EPOCHS}",
    "tracking.pictures=2",
    "model.width=4",
    'hierarchy={branches="one", weight=0.5, groups={quiet=["low"], loud=["middle", "high"]}}',
]


INSTALLED = all(importlib.util.find_spec(package) for package in ("mlflow", "sqlalchemy"))
pytestmark = pytest.mark.slow
needs_mlflow = pytest.mark.skipif(not INSTALLED, reason="MLflow is absent: pip install 'asc_tf[tracking]'")


class Stopped(Exception):
    pass


class StoppedChain(Chain):
    """A chain that stops after the second epoch is saved, before it is written to MLflow."""

    def callbacks(self):
        def stop(epoch, logs):
            if epoch == 1:
                raise Stopped

        return [keras.callbacks.LambdaCallback(on_epoch_end=stop)]


@pytest.fixture(scope="module")
def recipe(tiny_in, tmp_path_factory):
    """The recipe, with a store of MLflow where that is installed."""
    folder = tmp_path_factory.mktemp("tracking")
    store = [f"tracking.mlflow='{folder}/a store'"] if INSTALLED else []
    return resolve.load(tiny_in(folder).with_name("tiny_teacher.toml"), SETTINGS + store)


@pytest.fixture(scope="module")
def run(recipe, tmp_path_factory):
    """The folder of a run that was stopped and resumed, and what TensorBoard reads of it by the name of the part."""
    path = tmp_path_factory.mktemp("runs") / "followed"
    with pytest.MonkeyPatch.context() as patch, pytest.raises(Stopped):
        patch.setattr(MlflowRun, "end", lambda *_: None)  # as where it is killed
        StoppedChain(stages(recipe, path)).train(resume=False)
    train(recipe, path, resume=True)
    events = {}
    for part in ("train", "validation", "pictures"):
        events[part] = EventAccumulator(str(path / "tensorboard" / part), size_guidance={"images": 0, "tensors": 0})
        events[part].Reload()
    return path, events


def log(path):
    return list(csv.DictReader(io.StringIO((path / "log.csv").read_text())))


def images(events, name):
    """{step: (height, width, 3) uint8} of an image; TensorFlow 2 stores it as (width, height, PNG)."""
    result = {}
    for event in events.Tensors(name):
        width, height, content = tf.make_ndarray(event.tensor_proto)
        result[event.step] = tf.io.decode_png(content).numpy()
        assert result[event.step].shape == (int(height), int(width), 3)
    return result


def test_every_column_of_the_log_is_a_curve_also_each_term_of_the_loss_and_the_learning_rate(run):
    path, events = run
    columns = {key: [float(row[key]) for row in log(path)] for key in log(path)[0] if key != "epoch"}
    assert columns.keys() >= {"loss", "label_loss", "group_loss", "accuracy", "learning_rate", "val_macro_accuracy"}
    assert len(set(columns["learning_rate"])) == EPOCHS
    for name, expected in columns.items():
        part = "validation" if name.startswith("val_") else "train"
        curve = events[part].Tensors(f"epoch_{name.removeprefix('val_')}")
        assert [event.step for event in curve] == list(range(EPOCHS)), name
        values = [float(tf.make_ndarray(event.tensor_proto)) for event in curve]
        np.testing.assert_allclose(values, expected, rtol=1e-6, err_msg=name)
    np.testing.assert_allclose(
        np.array(columns["label_loss"]) + 0.5 * np.array(columns["group_loss"]), columns["loss"], rtol=1e-5
    )


def test_confusion_matrices_of_the_epochs_that_are_due(run):
    _, events = run
    matrices = images(events["pictures"], "confusion matrix")
    assert list(matrices) == [2, 3]  # every second epoch and the last one
    for picture in matrices.values():
        assert min(picture.shape[:2]) > 200
        blue = (picture[..., 2] > picture[..., 0].astype(int) + 40).mean()
        assert 0.05 < blue < 0.5  # the shaded cells: a row of counts has at least one, which no blank picture has
    assert not np.array_equal(matrices[2], matrices[3])


def test_the_sheet_of_the_first_step(run):
    _, events = run
    ((step, sheet),) = images(events["pictures"], "first step").items()
    assert step == 0 and sheet.shape[0] > 8 * 100 and sheet.shape[1] > 500
    assert sheet.std() > 40 and len(np.unique(sheet.reshape(-1, 3), axis=0)) > 200


def test_pairs_of_the_sheet_are_the_inputs_with_and_without_augmentation(run, recipe):
    folder, data = run_folder.load(run[0]), dataset.load(recipe, quiet=True)
    source = build.training_source(recipe, data)
    given, targets = next(iter(build.training_batches(folder, source, first_step=0, last_step=1)))
    plain_run = run_folder.RunFolder(run[0], dataclasses.replace(recipe, augmentation=()))
    plain, _ = next(iter(build.training_batches(plain_run, source, first_step=0, last_step=1)))
    rows = show.first_step(folder, source, data.classes)
    assert len(rows) == show.CLIPS
    labels = np.array(targets["label"]).argmax(1)
    for index, (name, hz, ((_, clean), (_, augmented))) in enumerate(rows):
        assert name == data.classes[labels[index]] and len(hz) == len(clean)
        np.testing.assert_allclose(clean, plain[index, ..., 0], atol=1e-5)
        np.testing.assert_allclose(augmented, given[index, ..., 0], atol=1e-5)
        assert np.abs(augmented - clean).max() > 0.1


def test_without_the_key_there_are_no_pictures_and_no_mlflow(recipe, tmp_path):
    run = run_folder.RunFolder(tmp_path, dataclasses.replace(recipe, tracking=None))
    tracker = tracking.Tracker(run, None, None)
    tracker.on_validation(1, np.zeros((1, 3)))
    assert not tracker.callbacks and not any(tmp_path.iterdir())


@pytest.fixture
def client(recipe):
    """MLflow's client, with no part of the project between."""
    import mlflow

    return mlflow.MlflowClient(f"sqlite:///{recipe.tracking.mlflow}/mlflow.db")


@needs_mlflow
def test_a_run_that_was_resumed_is_one_run_of_mlflow_with_every_epoch_once(run, recipe, client):
    path, _ = run
    train(recipe, path, resume=True)  # which is finished
    (experiment,) = [one for one in client.search_experiments() if one.name == "asc_tf"]
    (found,) = client.search_runs([experiment.experiment_id])
    assert (found.info.status, found.info.run_name) == ("FINISHED", "followed")
    for name in log(path)[0].keys() - {"epoch"}:
        history = sorted(client.get_metric_history(found.info.run_id, name), key=lambda one: one.step)
        assert [one.step for one in history] == [1, 2, 3], name
        assert [one.value for one in history] == [float(row[name]) for row in log(path)], name


@needs_mlflow
def test_parameters_final_figures_and_files(run, recipe, client, tmp_path):
    path, _ = run
    (found,) = client.search_runs([one.experiment_id for one in client.search_experiments()])
    parameters, final = found.data.params, json.loads((path / "metrics.json").read_text())["float"]
    assert parameters["train.epochs"] == "3" and parameters["model.width"] == "4"
    assert parameters["augmentation.freq_mixstyle.alpha"] == "0.3" and parameters["seed"] == "1"
    assert found.data.metrics["float/macro_accuracy"] == final["macro_accuracy"]
    assert found.data.metrics["float/cost/macs"] == final["cost"]["macs"]
    assert found.data.metrics["float/by_class/low"] == final["by_class"]["low"]
    for name in ("recipe.toml", "report.html"):
        file = Path(client.download_artifacts(found.info.run_id, name, tmp_path))
        assert file.read_bytes() == (path / name).read_bytes()


@needs_mlflow
def test_a_store_that_cannot_be_used_is_an_error_before_training(recipe, tmp_path):
    (tmp_path / "file").write_text("")
    for place, reason in ((f"{tmp_path}/file", "File exists"), ("unknown://host", "unknown"), ("file:///x", "file")):
        other = dataclasses.replace(recipe, tracking=Tracking(mlflow=place))
        with pytest.raises(UserError, match=f"tracking.mlflow = '{place}' cannot be used: .*{reason}"):
            train(other, tmp_path / "run")
    assert not (tmp_path / "run").exists()


@needs_mlflow
def test_a_store_that_lost_the_run_and_one_that_fails_for_a_while(run, recipe, tmp_path, monkeypatch, capsys):
    other = dataclasses.replace(recipe, tracking=Tracking(mlflow=f"{tmp_path}/empty"))
    tracking.check(other, create=False)
    assert not any(tmp_path.iterdir())
    from mlflow.exceptions import MlflowException

    folder = run_folder.RunFolder(tmp_path / "run", other)
    folder.write_json("mlflow.json", {"run_id": "0123"})
    with pytest.raises(UserError, match="Run with id=0123 not found. .*mlflow.json"):
        MlflowRun(folder)
    folder.remove(["mlflow.json"])
    folder.write("recipe.toml", resolve.to_toml(other))
    one = MlflowRun(folder)
    folder.write("log.csv", (run[0] / "log.csv").read_text())

    def fail(*_, **__):
        raise MlflowException("no connection")

    with monkeypatch.context() as patch:
        patch.setattr(one.client, "log_batch", fail)
        one.update()
    assert capsys.readouterr().out == "WARNING: tracking.mlflow: no connection; training goes on.\n"
    one.end("KILLED")
    assert len(one.client.get_metric_history(one.id, "loss")) == 3
    assert one.client.get_run(one.id).info.status == "KILLED"


def test_without_the_package_one_line_names_the_extra_before_training(recipe, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "mlflow", None)
    other = dataclasses.replace(recipe, tracking=Tracking(mlflow=f"{tmp_path}/store"))
    with pytest.raises(UserError, match=r"tracking.mlflow needs MLflow: pip install 'asc_tf\[tracking\]'"):
        train(other, tmp_path / "run")
    assert not any(tmp_path.iterdir())


def test_a_rehearsal_writes_nowhere(recipe, tmp_path):
    mlflow = f"{tmp_path}/store" if INSTALLED else ""
    last = stages(dataclasses.replace(recipe, tracking=Tracking(pictures=1, mlflow=mlflow)), tmp_path / "run")
    rehearsal = Rehearsal(last, RehearsalData(tmp_path / "scratch"), 0.0)
    assert rehearsal.last.recipe.tracking is None and not (tmp_path / "store").exists()
