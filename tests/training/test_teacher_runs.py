"""Untrained teachers answer as well as trained ones: what they say is checked, not whether it is right."""

import keras
import numpy as np
import pytest

from asc_tf import build, dataset
from asc_tf.chain.stages import stages
from asc_tf.data import crops
from asc_tf.distillation import ensembles
from asc_tf.errors import UserError
from asc_tf.recipe import resolve as recipe
from asc_tf.runs import folder as run_folder
from asc_tf.training import teacher_runs as teaching

MODEL = """
[model]
name = "ait_student"
width = 4
embedding = 8
dropout = [0, 0, 0, 0, 0]
[train]"""


@pytest.fixture(scope="module")
def taught_by(tiny_in, tmp_path_factory):
    """The run of the tiny student with some keys overridden, its teachers' Taughts and its data.

    Teachers, and what they said, are shared by all tests: they are asked once.
    """
    file = tiny_in(tmp_path_factory.mktemp("taught"))
    teachers = file.with_name("tiny_teacher.toml")
    before, after = teachers.read_text().split("[model]")
    teachers.write_text(before + MODEL + after.split("[train]")[1])
    at_another_rate = teachers.read_text().replace("sample_rate_hz = 8000", "sample_rate_hz = 16000")
    file.with_name("at_another_rate.toml").write_text(at_another_rate)

    def make(name, *overrides):
        loaded = recipe.load(file, overrides)
        student, data = stages(loaded, file.parent / "runs" / name), dataset.load(loaded, quiet=True)
        folders = [[one.run if one.done else untrained(one) for one in runs] for runs in student.teachers]
        return student.run, teaching.of_run(student.run, folders, data), data

    return make


def untrained(stage):
    run = run_folder.create(stage.path, stage.recipe, resume=False)
    run.write("weights/best.weights.h5", build.network(stage.recipe, 3).save_weights)
    run.write("labels.txt", "high\nlow\nmiddle\n")
    run.write("metrics.json", "{}")
    return run


def teachers(**keys):
    entry = {"recipe": '"tiny_teacher"', "runs": 2} | keys
    return f"teacher=[{{{','.join(f'{key}={value}' for key, value in entry.items())}}}]"


@pytest.fixture(scope="module")
def said():
    """A function to (logits, output of the last convolution) for the training segments, straight from a network."""
    known = {}

    def by(one, shift=0):
        if (one.run.path, shift) not in known:
            network = build.network(one.run.recipe, 3)
            network.load_weights(one.run.path / "weights/best.weights.h5")
            both = build.forward(keras.Model(network.input, [network.output, network.get_layer("b4_relu").output]))
            source = build.source(one.run.recipe, one.data, one.data.train, shift=shift)
            answers = [both(x) for x in build.evaluation_batches(one.run.folder, source)]
            known[one.run.path, shift] = [np.concatenate(parts) for parts in zip(*answers, strict=True)]
        return known[one.run.path, shift]

    return by


def assert_near(found, expected):
    """Equal but for what float16 rounds."""
    np.testing.assert_allclose(found, expected, atol=np.abs(expected).max() / 1000)


def test_linear_ensembles_are_one_teacher_from_the_start(taught_by, said):
    run, taught, data = taught_by("mean", teachers())
    expected = np.mean([said(one)[0] for one in taught], axis=0)
    columns = teaching.stored_targets(run, taught, data)
    assert columns.keys() == {"teacher"}
    assert_near(columns["teacher"], expected)


def test_what_depends_on_the_batch_is_merged_in_the_step(taught_by):
    run, taught, data = taught_by(
        "bayesian", teachers(ensemble='"bayesian"'), "normalise={by='constants',mean=0,std=1}"
    )
    columns = teaching.stored_targets(run, taught, data)
    logits = columns["teacher"]
    assert logits.shape == (len(data.train), 2, 3) and logits.dtype == np.float16
    source = build.source(run.recipe, data, data.train, columns)
    _, targets = next(iter(build.training_batches(run, source, first_step=0, last_step=1)))
    order = np.random.default_rng([run.recipe.seed, 0]).permutation(len(data.train))[:16]
    own = logits[order].astype(float)
    expected = own.mean(1) + own.var(0, ddof=1).mean(0) / 2
    np.testing.assert_allclose(targets["teacher"], expected, atol=1e-6)


def test_fitted_weights_are_kept_with_the_run(taught_by):
    run, taught, data = taught_by("weighted", teachers(), 'distill.ensemble="weighted"')
    columns = teaching.stored_targets(run, taught, data)
    fit = run.read("ensemble.json")
    assert fit["members"] == ["tiny_teacher 1", "tiny_teacher 2"]
    assert fit["log_loss"]["weighted"] < fit["log_loss"]["mean"]
    held_out, trained = (
        np.stack([teaching.teacher_outputs_for(one, data, part, crops=1)["logits"] for one in taught], axis=1).astype(
            float
        )
        for part in ("validation", "train")
    )
    again = ensembles.fit_weights(held_out, data.labels(data.validation))
    assert fit["log_loss"]["weighted"] == pytest.approx(again["log_loss"]["weighted"], rel=1e-6)
    assert_near(columns["teacher"], np.einsum("k,nkc->nc", fit["alpha"], trained) + fit["beta"])

    fit |= {"alpha": [1.0, 0.0], "beta": [0.0, 0.0, 5.0]}
    run.write_json("ensemble.json", fit)
    run.write("state.npz", b"an epoch was saved")
    assert_near(teaching.stored_targets(run, taught, data)["teacher"], trained[:, 0] + [0, 0, 5])


@pytest.mark.slow
def test_crops_are_averaged_and_embeddings_travel_beside_the_logits(taught_by, said):
    embeddings = ["distill.embedding_weight=1", 'distill.layer="b4_relu"']
    run, taught, data = taught_by("crops", teachers(layer='"b4_relu"'), "distill.crops=2", *embeddings)
    columns = teaching.stored_targets(run, taught, data)
    assert columns.keys() == {"teacher", "embedding"}
    shifts = crops.shifts(2, 8000)
    assert shifts == [-2000, 2000]
    expected = np.mean([said(one, shift)[0] for one in taught for shift in shifts], axis=0)
    assert_near(columns["teacher"], expected)
    embeddings = np.split(columns["embedding"], len(taught), axis=1)
    for one, embedding in zip(taught, embeddings, strict=True):
        expected = np.mean([said(one, shift)[1].mean((1, 2)) for shift in shifts], axis=0)
        assert embedding.dtype == np.float16
        assert_near(embedding, expected)


def test_teachers_at_another_rate_are_asked_about_the_same_clips(taught_by, said):
    run, taught, data = taught_by("rate", 'teacher=[{recipe="at_another_rate"}]')
    (one,) = taught
    assert one.data.prepared.samples == 16000
    assert_near(teaching.stored_targets(run, taught, data)["teacher"], said(one)[0])


EMBEDDING = "distill={temperature=1,label_weight=1,teacher_weight=0,embedding_weight=1,layer='b4_relu'%s}"


@pytest.fixture
def named(tiny, tmp_path):
    """The folder of an imported run of five classes and another rate."""
    loaded = recipe.load(tiny.with_name("tiny_teacher.toml"), ["feature.sample_rate_hz=16000", "data.segment_s=2"])
    run = run_folder.create(tmp_path / "elsewhere/network", loaded, resume=False)
    run.write("weights/best.weights.h5", build.network(loaded, 5).save_weights)
    run.write("labels.txt", "a\nb\nc\nd\ne\n")
    run.write("import.txt", "weights of a checkpoint")
    return run.path


def test_embeddings_of_runs_of_other_classes_need_no_logits_and_are_stored_beside_the_students(taught_by, named):
    entries = f"teacher=[{{recipe='tiny_teacher',layer='b4_relu'}},{{run='{named}',layer='stem2_relu'}}]"
    before = {file: file.read_bytes() for file in named.rglob("*") if file.is_file()}

    def stores(name, *overrides):
        run, taught, data = taught_by(name, entries, EMBEDDING % "", *overrides)
        columns = teaching.stored_targets(run, taught, data)
        assert columns.keys() == {"embedding"} and columns["embedding"].shape == (len(data.train), 8 + 8)
        assert taught[0].outputs is None and taught[1].data.prepared.samples == 16000 * run.recipe.data.segment_s
        assert (taught[1].outputs.path / "teacher_outputs/train-1_crops-stem2_relu/0000000.npz").is_file()
        return taught[1].outputs.path

    first = stores("mixed")
    assert first.parent.name == "runs" and first.name.startswith("network-outputs-")
    assert stores("mixed_2", "seed=2", "train.epochs=3") == first
    others = [stores("mixed_split", "dataset.test_share=0.4"), stores("mixed_length", "data.segment_s=2")]
    run_folder.RunFolder(first.parent / "mixed", None).write("clips.csv.gz", b"files rewritten under their names")
    assert len({first, *others, stores("mixed")}) == 4
    assert {file: file.read_bytes() for file in named.rglob("*") if file.is_file()} == before


def test_names_of_members_are_those_of_recipes_and_runs(tiny):
    loaded = recipe.load(tiny, ["teacher=[{recipe='tiny_teacher',runs=2},{run='runs/network'}]"])
    assert ensembles.names(loaded) == ["tiny_teacher 1", "tiny_teacher 2", "runs/network"]


def test_what_is_fitted_to_held_out_clips_needs_some(tiny):
    with pytest.raises(UserError, match='choose ensemble = "mean"'):
        recipe.load(tiny, ['distill.ensemble="weighted"', "data.validation_share=0"])
