"""A finished or imported run as teacher: of other classes, rate and length, stored and online; it stays as it is."""

import csv
import hashlib

import keras
import numpy as np
import pytest

from asc_tf import build, dataset
from asc_tf.chain import rehearse as rehearsal
from asc_tf.chain import train as chain_train
from asc_tf.chain.stages import stages
from asc_tf.chain.train import Chain, train
from asc_tf.errors import UserError
from asc_tf.recipe import resolve
from asc_tf.runs import digests
from asc_tf.runs.folder import RunFolder
from asc_tf.tuning.report import recipes

SMALL = "model={name='ait_student',width=4,embedding=8,dropout=[0,0,0,0,0]}"
WIDE = "model={name='ait_student',width=4,embedding=12,dropout=[0,0,0,0,0]}"
LABELS = [f"sound {number}" for number in range(527)]
EMBEDDING = "distill={temperature=1,label_weight=1,teacher_weight=0,embedding_weight=1,layer='embedding'%s}"


@pytest.fixture
def named(tiny, tmp_path):
    """Writes an imported run of 527 classes, at 16 kHz and for 2 s, with some keys overridden; its path."""

    def write(*overrides, labels=LABELS, seed=7, name="elsewhere/network", report="import.txt"):
        of_recipe = [WIDE, "feature.sample_rate_hz=16000", "data.segment_s=2", "dataset.root=nowhere", *overrides]
        recipe = resolve.load(tiny.parent / "tiny_teacher.toml", of_recipe)
        run = RunFolder(tmp_path / name, recipe)
        run.write("recipe.toml", resolve.to_toml(recipe))
        run.write("labels.txt", "\n".join(labels) + "\n")
        network = build.network(resolve.changed(recipe, {"seed": seed}, "test"), len(labels))
        build.save_weights(run, network, "weights/best.weights.h5")
        run.write(report, "{}" if report == "metrics.json" else "weights of a checkpoint\n")
        digests.write(run)
        return run.path

    return write


@pytest.fixture
def student(tiny):
    """The tiny teacher's recipe, of a small network for one epoch, with some keys overridden."""
    return lambda *overrides: resolve.load(tiny.parent / "tiny_teacher.toml", [SMALL, "train.epochs=1", *overrides])


def teacher(path, **keys):
    entry = {"run": f"'{path}'", "layer": "'embedding'"} | keys
    return f"teacher=[{{{','.join(f'{key}={value}' for key, value in entry.items() if value)}}}]"


def content(folder):
    return {file: hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.rglob("*") if file.is_file()}


def log(run):
    with open(run / "log.csv") as lines:
        return list(csv.DictReader(lines))


def weights(run):
    return [np.array(value) for key, value in RunFolder(run, None).read("state.npz").items() if key.startswith("vari")]


@pytest.mark.slow
def test_a_run_of_other_classes_rate_and_length_teaches_its_embedding(named, student, tmp_path, capsys):
    path, runs = named(), tmp_path / "runs"
    before = content(path)
    taught = student(teacher(path), EMBEDDING % "")
    train(taught, runs / "taught")
    shown, clips = capsys.readouterr().out, len(dataset.load(taught, quiet=True).train)
    assert "imported weights, reused" in shown and "teacher network: reused" in shown
    assert f"teacher network: outputs of {clips} clips stored" in shown
    (row,) = log(runs / "taught")
    assert float(row["embedding_loss"]) > 0 and "teacher_loss" not in row
    train(student(), runs / "alone")
    assert float(log(runs / "alone")[0]["label_loss"]) != float(row["label_loss"])

    assert content(path) == before
    (store,) = runs.glob("network-outputs-*")
    (file,) = store.rglob("*.npz")
    assert file.relative_to(store).parts[:2] == ("teacher_outputs", "train-1_crops-embedding")
    with np.load(file) as stored:
        assert stored["embedding"].shape == (clips, 12) and stored["logits"].shape == (clips, 527)


@pytest.mark.slow
def test_online_it_hears_the_students_clips(named, student, tmp_path):
    path = named("feature.sample_rate_hz=8000")
    before = content(path)
    online, ignored, runs = EMBEDDING % ",online=true", "distill.embedding_weight=1e-9", tmp_path / "runs"
    train(student(teacher(path), online), runs / "taught")
    train(student(teacher(path), online, ignored), runs / "alone")
    (one,), (other,) = log(runs / "taught"), log(runs / "alone")
    assert 0 < float(one["embedding_loss"]) < float(other["embedding_loss"]) and "teacher_loss" not in one
    assert any((a != b).any() for a, b in zip(weights(runs / "taught"), weights(runs / "alone"), strict=True))
    assert not list(runs.glob("*-outputs-*")) and content(path) == before


@pytest.mark.slow
def test_an_interrupted_training_goes_on_with_the_same_run_and_no_other(named, student, tmp_path, monkeypatch, capsys):
    class Stop(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            raise KeyboardInterrupt

    path, runs = named(), tmp_path / "runs"
    taught = student(teacher(path), EMBEDDING % "", "train.epochs=2")
    train(taught, runs / "whole")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Chain, "callbacks", lambda self: [Stop()])
        train(taught, runs / "parts")
    for file in path.rglob("*.*"):
        file.rename(file.with_name(f"{file.name}-first"))
    named(seed=8)
    before = content(runs)
    with pytest.raises(UserError, match=r"parts: teacher.run = '.*network' is not the run that this training was"):
        train(taught, runs / "parts", resume=True)
    assert content(runs) == before
    for file in path.rglob("*-first"):
        file.rename(file.with_name(file.name.removesuffix("-first")))
    train(taught, runs / "parts", resume=True)
    assert "goes on after epoch 1" in capsys.readouterr().out
    for one, other in zip(weights(runs / "whole"), weights(runs / "parts"), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.slow
def test_an_embedding_alone_is_learned_without_labels_to_the_last_epoch(named, student, tmp_path):
    only = (EMBEDDING % "").replace("label_weight=1", "label_weight=0")
    train(student(teacher(named()), only, "train.epochs=2"), tmp_path / "own")
    rows = log(tmp_path / "own")
    assert [row["loss"] for row in rows] == [row["embedding_loss"] for row in rows]
    assert float(rows[1]["loss"]) < float(rows[0]["loss"]) and "val_macro_accuracy" not in rows[0]
    best, last = (tmp_path / "own/weights" / f"{name}.weights.h5" for name in ("best", "last"))
    assert best.read_bytes() == last.read_bytes()


@pytest.fixture
def chain(tmp_path, monkeypatch):
    """The chain of a recipe's run in `runs/own`, not checked yet."""
    monkeypatch.setattr(chain_train, "check", lambda *_: {})
    return lambda recipe: Chain(stages(recipe, tmp_path / "runs/own"))


THREE = ["high", "low", "middle"]
LOGITS = "distill={temperature=1,label_weight=0.5}"
QUANTISE = "quantise={epochs=1,frozen_epochs=0,learning_rate=1e-4,distil_from='teachers'}"


def test_a_run_of_the_same_classes_teaches_logits_whatever_clips_it_was_made_from(named, student, chain):
    path = named(labels=THREE, report="metrics.json")
    (path / "clips.csv.gz").write_bytes(b"clips of its own")
    made = chain(student(teacher(path, layer=None), LOGITS))
    made.check_heads()
    assert made._with_records() == []


@pytest.mark.parametrize(
    ("labels", "layer", "keys", "message"),
    [
        (LABELS, None, [LOGITS], "only one side has high, low, middle, so .* a layer, and .*teacher_weight = 0.$"),
        (LABELS, None, ["distill={temperature=1,label_weight=1,teacher_weight=0}"], "give this .* a layer"),
        (THREE[::-1], None, [LOGITS], "they are in another order, so that .* distill.teacher_weight = 0.$"),
        (LABELS, "'embedding'", [(EMBEDDING % "").replace(",teacher_weight=0", "")], "distill.teacher_weight = 0.$"),
        (LABELS, "'embedding'", [EMBEDDING % "", QUANTISE], "teacher_weight = 0 and quantise.distil_from = \"float\""),
        (LABELS, "'embedding'", [EMBEDDING % ",ensemble='weighted'"], "ensemble merges logits, .* leave ensemble out"),
        (LABELS, "'embedding'", [EMBEDDING % ",ensemble='bayesian'"], "ensemble merges logits, .* leave ensemble out"),
    ],
)  # fmt: skip
def test_logits_of_other_classes_are_refused_before_training(named, student, chain, labels, layer, keys, message):
    recipe = student(teacher(named(labels=labels), layer=layer), *keys)
    with pytest.raises(
        UserError, match=f"tiny_teacher.toml: teacher.run = '.*network': its classes are not .*{message}"
    ):
        chain(recipe).check_heads()


def test_a_head_that_is_not_trained_teaches_its_embedding_alone(named, student, chain):
    path = named(labels=THREE)
    (path / "untrained.txt").write_text("logits/kernel\n")
    with pytest.raises(UserError, match="its head is not trained, so that it teaches its embedding alone"):
        chain(student(teacher(path, layer=None), LOGITS)).check_heads()
    chain(student(teacher(path), EMBEDDING % "")).check_heads()


def test_a_refusal_comes_before_clips_are_prepared(named, student, tmp_path):
    with pytest.raises(UserError, match="teaches its embedding alone"):
        train(student(teacher(named(), layer=None), LOGITS, f"data.prepared_folder={tmp_path}/new"), tmp_path / "own")
    assert not (tmp_path / "new").exists()


def test_a_network_of_one_length_is_refused_for_another(named, student, tmp_path):
    fixed = "model={name='ast',width=8,depth=1,heads=1,patch=[16,16],stride=[16,16]}"
    path = named(fixed)
    last = lambda *keys: stages(student(teacher(path), EMBEDDING % "", *keys), tmp_path / "runs/own")  # noqa: E731
    message = r"teacher.run = '.*' its network was .* 2 s and cannot take those of 1 s \(.*set data.segment_s = 2.$"
    with pytest.raises(UserError, match=message.replace("' its", "': its")):
        Chain(last())
    Chain(last("data.segment_s=2"))
    small = named(name="elsewhere/small")
    with pytest.raises(UserError, match=r"cannot take those of 0.1 s \(models/ait_student: the input has .* frames"):
        Chain(last(teacher(small), "data.segment_s=0.1", "feature.hop_samples=50"))


def test_an_online_run_needs_the_students_front_end(named, student, tmp_path):
    with pytest.raises(UserError, match=r"distill.online: .*network has another \[feature\]"):
        Chain(stages(student(teacher(named()), EMBEDDING % ",online=true"), tmp_path / "runs/own"))


def test_logits_may_be_the_embedding(named, student, tmp_path):
    last = stages(student(teacher(named(), layer="'logits'"), EMBEDDING % ""), tmp_path / "runs/own")
    assert Chain(last).embedding_sizes == {last.path: [527]}


@pytest.mark.slow
@pytest.mark.long
def test_it_is_rehearsed(named, student, tmp_path, capsys):
    path = named()
    before = content(tmp_path)
    (result,) = rehearsal.rehearse(student(teacher(path), EMBEDDING % ""), tmp_path / "runs/own", budget_s=0.0)
    assert "imported weights, reused" in capsys.readouterr().out and result.phases["teachers"] > 0
    assert sorted(one.name.split(" at ")[1] for one in result.preparations) == ["16,000 Hz", "8,000 Hz"]
    assert content(tmp_path) == before


def test_a_search_writes_it_as_it_is_named(student, tiny):
    recipe = recipes._with_paths(student("teacher=[{run='runs/a'},{recipe='tiny_teacher'}]", LOGITS))
    assert [entry.run for entry in recipe.teacher] == ["runs/a", None]
    assert recipe.teacher[1].recipe == str(tiny.parent / "tiny_teacher.toml")
