"""The plan of a chain: what is reused, what is to do, in how many epochs and steps."""

from types import SimpleNamespace

import numpy as np
import pytest

from asc_tf.chain import plan
from asc_tf.chain.plan import Sizes
from asc_tf.chain.stages import in_order, stages
from asc_tf.errors import UserError
from asc_tf.recipe import resolve
from asc_tf.runs.folder import RunFolder
from asc_tf.train import main as train


@pytest.fixture
def student(tiny, tmp_path):
    """The stages of the tiny recipe that starts from one like its teacher: init, teacher, student."""
    (tiny.parent / "before.toml").write_text((tiny.parent / "tiny_teacher.toml").read_text())
    start = "init={recipe='before'}"
    return lambda *overrides: stages(resolve.load(tiny, [start, *overrides]), tmp_path / "runs/own")


def rows(last, sizes):
    """The plan's lines, each its columns, but for the names of the runs."""
    _, *lines = plan.table(last, sizes).splitlines()
    return [(line[:8].strip(), line[56:86].strip(), line[86:].split()) for line in lines]


def test_what_is_to_do_has_epochs_and_steps(student):
    last = student()
    sizes = {stage: Sizes(100, 10, 10) for stage in in_order(last)}
    assert rows(last, sizes) == [
        ("init", "to do", ["16", "96"]),  # 16 epochs of 100 // 16 steps
        ("teacher", "to do", ["16", "96"]),
        ("student", "to do", ["16+2", "96+12"]),
    ]
    text = plan.table(last, sizes)
    assert text.splitlines()[0].split() == ["stage", "run", "what", "epochs", "steps"]
    assert all(stage.path.name in text for stage in in_order(last))


def test_what_is_there_is_reused_and_what_was_begun_goes_on(student):
    last = student()
    last.initial.run.write("import.txt", "weights")
    last.teachers[0][0].run.write("metrics.json", "{}")
    log = {"columns": np.array(["epoch", "loss"]), "rows": np.array([[1.0, 2.0], [2.0, 1.0]])}
    two_epochs = log | {"best": np.array(0.0), "made_from": np.array("")}
    last.run.write_arrays("state.npz", two_epochs)
    assert rows(last, {last: Sizes(1600, 10, 10)}) == [
        ("init", "imported weights, reused", []),
        ("teacher", "finished, reused", []),
        ("student", "to do, from epoch 3 on", ["16+2", "1,600+200"]),
    ]


def test_post_training_quantisation_has_no_steps_and_a_system_none_at_all(student, tiny):
    last = student("quantise={method='ptq'}")
    assert rows(last, {stage: Sizes(100, 1, 1) for stage in in_order(last)})[-1][2] == ["16", "96"]
    text = '[[member]]\nrecipe = "tiny_teacher"\nruns = 2\n[fuse]\nmethod = "mean"\n'
    (tiny.parent / "system.toml").write_text(f'seed = 1\n[dataset]\nname = "folder"\nroot = "sounds"\n{text}')
    system = stages(resolve.load(tiny.parent / "system.toml"), tiny.parent / "runs/system")
    found = rows(system, {stage: Sizes(100, 1, 1) for stage in system.members})
    assert [(title, work) for title, _, work in found] == [("member", ["16", "96"])] * 2 + [("system", [])]


@pytest.fixture
def load():
    """A function that loads a dataset of 40 training clips; `load.recipes` are those it was called with."""

    def load(recipe):
        load.recipes.append(recipe.name)
        return SimpleNamespace(train=range(40), validation=range(5), test=range(10))

    load.recipes = []
    return load


def test_every_dataset_is_loaded_once(student, load):
    last = student("dataset.test_share=0.5")
    sizes = plan.load_sizes(last, load)
    assert set(sizes.values()) == {Sizes(40, 5, 10)} and len(sizes) == 3
    assert load.recipes == ["before", "tiny_teacher"]  # the student has its teacher's clips
    last.initial.run.write("metrics.json", "{}")
    assert len(plan.load_sizes(last, load)) == 2


def test_clips_of_another_rate_are_another_dataset(student, load):
    plan.load_sizes(student(), load)
    assert load.recipes == ["before"]
    plan.load_sizes(student("tiny_teacher:feature.sample_rate_hz=16000"), load)
    assert load.recipes[1:] == ["before", "tiny_teacher"]


def test_a_run_named_as_teacher_is_reused_and_the_students_clips_are_loaded_at_its_rate(student, load, tmp_path):
    named = RunFolder(tmp_path / "network", resolve.load("mn_audioset"))
    for file, text in (("recipe.toml", resolve.to_toml(named.recipe)), ("labels.txt", "a\n"), ("import.txt", "")):
        named.write(file, text)
    last = student(f"teacher=[{{run='{named.path}'}}]", f"init={{run='{named.path}'}}")
    sizes = plan.load_sizes(last, load)
    assert load.recipes == ["tiny", "recipe"] and list(sizes) == [last]
    assert rows(last, sizes)[0] == ("teacher", "imported weights, reused", [])


def test_a_batch_larger_than_the_split_is_an_error(student, load):
    with pytest.raises(UserError, match=r"tiny_teacher.toml: train.batch_size = 41 is more than the 40 training clips"):
        plan.load_sizes(student("tiny_teacher:train.batch_size=41"), load)


def test_nothing_is_trained_where_a_later_stage_has_too_large_a_batch(tiny, tmp_path, capsys):
    command = [str(tiny), "--out", str(tmp_path / "runs/own"), "--set", "train.batch_size=500"]
    assert train(command) == 2
    output = capsys.readouterr()
    assert "tiny.toml: train.batch_size = 500 is more than the" in output.err and "epoch" not in output.out
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["own"]


def test_where_the_data_of_pre_training_is_missing_its_public_weights_are_named(tmp_path):
    def load(recipe):
        raise UserError("no such folder.")

    last = stages(resolve.load("esc10_mn04_start"), tmp_path / "runs/own")
    command = rf"no such folder\. .*asc-tf import-weights mn04-audioset --download --out {tmp_path}/runs/mn04-audioset"
    with pytest.raises(UserError, match=command):
        plan.load_sizes(last, load)
    with pytest.raises(UserError, match=r"^no such folder\.$"):
        plan.load_sizes(stages(resolve.load("mn_audioset"), tmp_path / "runs/own"), load)
