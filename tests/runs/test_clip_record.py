"""The record of a run's clips, and what a change of them leads to."""

import re

import pytest

from asc_tf.errors import UserError
from asc_tf.runs import clip_record, layout
from asc_tf.runs.clip_record import ClipEntry
from asc_tf.runs.folder import RunFolder

CLASSES = ("bus", "tram")
CLIPS = {
    "bus/a.wav": ClipEntry("bus", "train", "8-ab"),
    "bus/b \udcff.wav": ClipEntry("bus", "test", "9-cd"),
    "tram/c,\n.wav": ClipEntry("tram", "validation", ""),
}


@pytest.fixture
def run(tmp_path):
    run = RunFolder(tmp_path, None)
    run.write(layout.LABELS, "bus\ntram\n")
    clip_record.write(run, CLIPS)
    return run


def test_what_is_written_is_read_and_passes(run):
    assert clip_record.read(run) == CLIPS
    content = (run.path / layout.CLIPS).read_bytes()
    clip_record.check(run, CLASSES, CLIPS)
    clip_record.write(run, dict(reversed(CLIPS.items())))
    assert (run.path / layout.CLIPS).read_bytes() == content


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"bus/a.wav": ClipEntry("tram", "train", "8-ab")}, "1 of another class (the first is 'bus/a.wav')"),
        ({"bus/a.wav": ClipEntry("bus", "test", "8-ab")}, "1 in another split (the first is 'bus/a.wav')"),
        ({"bus/a.wav": ClipEntry("bus", "train", "8-ac")}, "1 with other content (the first is 'bus/a.wav')"),
        ({"bus/d.wav": ClipEntry("bus", "train", "8-ab")}, "1 new (the first is 'bus/d.wav')"),
        ({"bus/a.wav": None}, "1 gone (the first is 'bus/a.wav')"),
    ],
)
def test_changed_clips_are_refused_until_accepted(run, changes, message, capsys):
    now = {file: entry for file, entry in (CLIPS | changes).items() if entry}
    with pytest.raises(UserError, match=f".*{re.escape(message)}.*--accept-data-change"):
        clip_record.check(run, CLASSES, now)
    assert clip_record.read(run) == CLIPS
    stored = run.path / layout.TEACHER_OUTPUTS / "train.npz"
    run.write(f"{layout.TEACHER_OUTPUTS}/train.npz", b"of the former clips")
    clip_record.check(run, CLASSES, now, accept=True)
    assert message in capsys.readouterr().out and not stored.exists()
    clip_record.check(run, CLASSES, now)


def test_fingerprints_that_are_not_known_and_those_by_size_are_compared_as_far_as_they_go(run):
    clip_record.check(run, CLASSES, CLIPS | {"bus/a.wav": ClipEntry("bus", "train", "")})
    clip_record.check(run, CLASSES, CLIPS | {"bus/a.wav": ClipEntry("bus", "train", "8")})
    with pytest.raises(UserError, match="1 with other content"):
        clip_record.check(run, CLASSES, CLIPS | {"bus/a.wav": ClipEntry("bus", "train", "7")})


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        (("bus", "ztram"), "new: 'ztram'; gone: 'tram'"),
        (("bus",), "gone: 'tram'"),
        (("bus", "metro", "tram"), "new: 'metro'"),
        (("tram", "bus"), "their order differs"),
    ],
)
def test_other_classes_are_never_accepted(run, classes, message):
    for accept in (False, True):
        with pytest.raises(UserError, match=f"other classes .*{message}"):
            clip_record.check(run, classes, CLIPS, accept=accept)
    run.remove([layout.CLIPS])
    with pytest.raises(UserError, match="other classes"):
        clip_record.check(run, classes, CLIPS)
    clip_record.check(run, CLASSES, {})  # an imported run has no record of clips


@pytest.mark.parametrize("content", [b"", b"text", b"\x1f\x8b\x08\x00", b"cut"])
def test_a_damaged_record_is_named(run, content):
    file = run.path / layout.CLIPS
    file.write_bytes(file.read_bytes()[:-9] if content == b"cut" else content)
    with pytest.raises(UserError, match=r"clips\.csv\.gz: is damaged"):
        clip_record.read(run)
