import errno
import os

import numpy as np
import pytest

from asc_tf.errors import UserError
from asc_tf.recipe import resolve as recipe
from asc_tf.runs import atomic
from asc_tf.runs import folder as run_folder


@pytest.fixture
def quickstart():
    return recipe.load("quickstart")


def begun(path, recipe):
    """A run with an epoch behind it."""
    run = run_folder.create(path, recipe, resume=False)
    run.write_arrays("state.npz", {"epoch": np.array(1)})
    return run


def test_a_run_goes_on_only_when_asked(tmp_path, quickstart):
    begun(tmp_path / "run", quickstart)
    with pytest.raises(UserError, match="Add --resume"):
        run_folder.create(tmp_path / "run", quickstart, resume=False)
    assert run_folder.create(tmp_path / "run", quickstart, resume=True).recipe == quickstart


def test_a_finished_run_is_not_overwritten(tmp_path, quickstart):
    begun(tmp_path / "run", quickstart).write_json("metrics.json", {})
    with pytest.raises(UserError, match="finished"):
        run_folder.create(tmp_path / "run", quickstart, resume=False)
    assert run_folder.create(tmp_path / "run", quickstart, resume=True).finished
    longer = recipe.load("quickstart", ["train.epochs=100"])
    with pytest.raises(UserError, match=r"is finished.*give another --out and --set 'init=.*keep_head=true"):
        run_folder.create(tmp_path / "run", longer, resume=True)


def test_a_run_that_is_trained_anew_keeps_nothing_of_the_one_before(tmp_path, quickstart):
    run = begun(tmp_path / "run", quickstart)
    files = ("export/model.tflite", "export/model.json", "export/model_float16.tflite", "weights/best.weights.h5")
    for name in files:
        run.write(name, b"of other weights")
    run.remove(["state.npz"])
    other = recipe.load("quickstart", ["model.width=24"])
    with pytest.raises(UserError, match="another recipe"):
        run_folder.create(run.path, other, resume=False)
    run_folder.create(run.path, quickstart, resume=False)
    assert [name for name in files if run.has(name)] == []


def test_other_peoples_files_are_left_alone_when_a_folder_is_refused(tmp_path, quickstart):
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs/.part-0123456789ab-novel.txt").write_text("dear")
    for folder in (tmp_path / "theirs", tmp_path):
        with pytest.raises(UserError, match="is not empty and not a run folder"):
            run_folder.create(folder, quickstart, resume=True)
    assert (tmp_path / "theirs/.part-0123456789ab-novel.txt").read_text() == "dear"


def test_a_run_whose_folder_is_removed_fails_at_the_next_write(tmp_path, quickstart):
    for run in (begun(tmp_path / "run", quickstart), run_folder.load(tmp_path / "run")):
        (tmp_path / "run/recipe.toml").rename(tmp_path / "kept.toml")
        with pytest.raises(UserError, match="was removed while work went on"):
            run.write("metrics.json", "{}")
        (tmp_path / "kept.toml").rename(tmp_path / "run/recipe.toml")
        run.write("metrics.json", "{}")


def test_the_run_of_another_recipe_is_left_alone(tmp_path, quickstart):
    begun(tmp_path / "run", quickstart)
    other = recipe.load("quickstart", ["model.width=24"])
    with pytest.raises(UserError, match=r"another recipe.*model.width: 24, 32"):
        run_folder.create(tmp_path / "run", other, resume=True)


def test_a_run_that_has_trained_nothing_gives_way(tmp_path, quickstart):
    run_folder.create(tmp_path / "run", quickstart, resume=False)
    other = recipe.load("quickstart", ["model.width=24"])
    assert run_folder.create(tmp_path / "run", other, resume=False).recipe == other
    assert run_folder.load(tmp_path / "run").recipe == other


def test_a_folder_of_other_things_is_left_alone(tmp_path, quickstart):
    (tmp_path / "letters.txt").write_text("dear")
    with pytest.raises(UserError, match="is not empty and not a run folder"):
        run_folder.create(tmp_path, quickstart, resume=False)
    with pytest.raises(UserError, match="is not a run folder"):
        run_folder.load(tmp_path)


def test_a_folder_that_cannot_be_written_is_named(tmp_path, quickstart):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        run_folder.create(tmp_path / "file/run", quickstart, resume=False)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EIO, errno.EFBIG])
@pytest.mark.parametrize("place", ["fsync", "replace", "open"])
def test_a_failed_write_leaves_the_old_file_whole(tmp_path, quickstart, number, place, monkeypatch):
    run = run_folder.create(tmp_path / "run", quickstart, resume=False)
    run.write("note.txt", "old")

    def fail(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, place, fail)
    for write in (run.write_json, run.write, lambda name, _: run.write_arrays(name, {"x": np.zeros(3)})):
        with pytest.raises(UserError, match=rf"note.txt: cannot be written \({os.strerror(number)}\).*Free some space"):
            write("note.txt", "new")
    monkeypatch.undo()
    assert run.read("note.txt") == "old"
    assert [file.name for file in run.path.iterdir() if file.name.startswith(atomic.PART)] == []


def test_a_folder_in_the_place_of_a_file_is_named(tmp_path, quickstart):
    run = run_folder.create(tmp_path / "run", quickstart, resume=False)
    (run.path / "metrics.json").mkdir()
    with pytest.raises(UserError, match=r"metrics.json: cannot be written \(Is a directory\)"):
        run.write_json("metrics.json", {})
    with pytest.raises(UserError, match="metrics.json: is no file. Move it away"):
        run_folder.create(run.path, quickstart, resume=True)


def test_what_a_killed_run_left_half_written_is_cleared(tmp_path, quickstart):
    run = run_folder.create(tmp_path / "run", quickstart, resume=False)
    run.write("weights/last.weights.h5", b"")
    (run.path / f"weights/{atomic.PART}0123456789ab-best.weights.h5").write_text("half")
    run_folder.create(tmp_path / "run", quickstart, resume=True)
    assert not list(run.path.rglob(f"{atomic.PART}*"))


def test_arrays_survive(tmp_path, quickstart):
    run = run_folder.create(tmp_path / "run", quickstart, resume=False)
    arrays = {"w/kernel": np.arange(6, dtype="float32").reshape(2, 3), "step": np.array(7)}
    run.write_arrays("teacher_outputs/x.npz", arrays)
    for key, value in run.read("teacher_outputs/x.npz").items():
        np.testing.assert_array_equal(value, arrays[key])


def test_a_worker_sees_the_run_that_the_chief_began(tmp_path, quickstart):
    with pytest.raises(UserError, match="disk that all workers share"):
        run_folder.open_shared(tmp_path / "run", quickstart)
    run_folder.create(tmp_path / "run", quickstart, resume=False)
    assert run_folder.open_shared(tmp_path / "run", quickstart).recipe == quickstart
    with pytest.raises(UserError, match="another recipe"):
        run_folder.open_shared(tmp_path / "run", recipe.load("quickstart", ["model.width=24"]))
