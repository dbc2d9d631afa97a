"""[tracking]: what TensorBoard and MLflow get of a training, read back from their files."""

import csv
import dataclasses
import io
import json

import numpy as np
import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from asc_tf import build
from asc_tf.chain import tracking
from asc_tf.chain.train import train
from asc_tf.errors import UserError
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


class Stopped(Exception):
    pass


@pytest.fixture(scope="module")
def recipe(tiny_in, tmp_path_factory):
    return resolve.load(tiny_in(tmp_path_factory.mktemp("tracking")).with_name("tiny_teacher.toml"), SETTINGS)


@pytest.fixture(scope="module")
def run(recipe, tmp_path_factory):
    """The folder of a run with pictures, and what TensorBoard reads of it by the name of the part."""
    path = tmp_path_factory.mktemp("runs") / "followed"
    train(recipe, path)
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
        part, _, key = name.rpartition("val_")
        curve = events["validation" if "val_" in name else "train"].Tensors(f"epoch_{key}")
        assert [event.step for event in curve] == list(range(EPOCHS)), (part, key)
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


def test_the_sheet_of_the_first_step_is_that_of_its_inputs(run, recipe, monkeypatch):
    path, events = run
    ((step, sheet),) = images(events["pictures"], "first step").items()
    assert step == 0 and sheet.shape[0] > 8 * 100 and sheet.shape[1] > 500
    assert sheet.std() > 40 and len(np.unique(sheet.reshape(-1, 3), axis=0)) > 200


def test_pairs_of_the_sheet_are_the_inputs_with_and_without_augmentation(run, recipe):
    from asc_tf import dataset
    from asc_tf.evaluation import show

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


def test_without_the_key_there_are_no_pictures(recipe, tmp_path):
    train(dataclasses.replace(recipe, tracking=None, train=dataclasses.replace(recipe.train, epochs=1)), tmp_path / "r")
    assert sorted(folder.name for folder in (tmp_path / "r/tensorboard").iterdir()) == ["train", "validation"]
