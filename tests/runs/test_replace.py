"""Files of a run that are replaced together: all or none, whenever the process is stopped."""

import json
import os
import shutil

import pytest

from asc_tf.errors import UserError
from asc_tf.recipe import resolve
from asc_tf.runs import folder as run_folder
from asc_tf.runs import layout, replace

NAMES = (layout.INT8, layout.METADATA, layout.WAVE)


@pytest.fixture
def run(tmp_path):
    """A run with an int8 file and one from the waveform, no description."""
    run = run_folder.create(tmp_path / "run", resolve.load("quickstart"), resume=False)
    run.write(layout.INT8, b"old")
    run.write(layout.WAVE, b"old")
    return run


def contents(run):
    return {str(file.relative_to(run.path)): file.read_bytes() for file in run.path.rglob("*") if file.is_file()}


def make(folder):
    for name in (layout.INT8, layout.METADATA):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"new")


def replace_all(run):
    with replace.together(run.path, needed=[layout.RECIPE, layout.LABELS], replaced=NAMES) as folder:
        assert (folder / layout.RECIPE).read_bytes() == (run.path / layout.RECIPE).read_bytes()
        make(folder)


def check_replaced(run, recipe):
    assert contents(run) == {layout.RECIPE: recipe, layout.INT8: b"new", layout.METADATA: b"new"}
    assert sorted(entry.name for entry in run.path.iterdir()) == ["export", layout.RECIPE]


def test_files_are_replaced_and_those_not_made_are_removed(run):
    recipe = contents(run)[layout.RECIPE]
    replace_all(run)
    check_replaced(run, recipe)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), UserError("no"), OSError(28, "No space left on device")])
def test_nothing_is_changed_by_work_that_fails(run, error):
    before = contents(run)
    with (
        pytest.raises(UserError if isinstance(error, OSError) else type(error), match="No space|no|"),
        replace.together(run.path, needed=[layout.RECIPE], replaced=NAMES) as folder,
    ):
        make(folder)
        raise error
    assert contents(run) == before and not (run.path / layout.UNFINISHED).exists()


@pytest.mark.parametrize("moved", [0, 1, 2])
def test_a_replacement_that_was_stopped_is_ended_by_whoever_opens_the_run(run, moved, monkeypatch):
    recipe, moves = contents(run)[layout.RECIPE], []
    move = os.replace

    def stop(source, target):
        if layout.NEW in os.path.relpath(source, run.path).split(os.sep):
            moves.append(target)
            if len(moves) > moved:
                raise KeyboardInterrupt
        move(source, target)

    monkeypatch.setattr(os, "replace", stop)
    monkeypatch.setattr(shutil, "rmtree", lambda folder, **_: stop(folder / "x", None) if folder.exists() else None)
    with pytest.raises(KeyboardInterrupt):
        replace_all(run)
    monkeypatch.undo()
    run_folder.load(run.path)
    check_replaced(run, recipe)


def test_what_a_killed_process_left_unfinished_is_of_no_use(run):
    recipe = contents(run)[layout.RECIPE]
    for left in (layout.UNFINISHED, layout.NEW):
        (run.path / left / "export").mkdir(parents=True)
        (run.path / left / layout.WAVE).write_bytes(b"half")
    assert run_folder.load(run.path).read_bytes(layout.INT8) == b"old"
    replace_all(run)
    check_replaced(run, recipe)


def test_no_other_files_than_those_of_a_run_are_moved_or_removed(run, tmp_path):
    (tmp_path / "letter").write_text("dear")
    (run.path / layout.NEW).mkdir()
    plan = {"moved": ["../letter"], "removed": ["../letter", layout.RECIPE]}
    (run.path / layout.NEW / replace.PLAN).write_text(json.dumps(plan))
    run_folder.load(run.path)
    assert (tmp_path / "letter").read_text() == "dear" and run.has(layout.RECIPE)


def test_a_disk_without_links_gets_copies(run, monkeypatch):
    def none(*_):
        raise OSError(1, "Operation not permitted")

    recipe = contents(run)[layout.RECIPE]
    monkeypatch.setattr(os, "link", none)
    replace_all(run)
    check_replaced(run, recipe)
