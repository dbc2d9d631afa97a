"""Files, folders and patterns that a user names."""

import os

import pytest

from asc_tf.data import sound_files


@pytest.fixture
def here(tmp_path, monkeypatch):
    for name in ("a/x10.wav", "a/x2.wav", "b/deep/x2.FLAC", "a/notes.txt", "a/song.m4a", "a/.hidden.wav", "[1].wav"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    (tmp_path / "c").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_folders_are_searched_and_files_keep_the_name_they_are_given(here):
    found = sound_files.find(["b", "a/", here / "a/x2.wav", "absent.wav", "./a"])
    assert found.files == ("b/deep/x2.FLAC", "a/x2.wav", "a/x10.wav", "absent.wav") and not found.errors
    assert found.passed_over[sound_files.TWICE] == 3


def test_what_folders_have_beside_audio_that_is_read_is_counted(here):
    assert sound_files.find(["a"]).summary == (
        "passed over: 1 hidden (name begins with a dot), 1 of ending .txt (not read), "
        "1 of ending .m4a (not read; convert to WAV or FLAC)"
    )
    assert not sound_files.find(["b"]).summary
    for name in ("b/1.m4a", "b/2.m4a"):
        (here / name).write_text("")
    assert sound_files.find(["b"]).summary.endswith("; ATTENTION: of 'b' only 1 of 3 recordings are read")


@pytest.mark.parametrize(
    ("pattern", "files"),
    [
        ("a/*", ("a/x2.wav", "a/x10.wav")),
        ("*/x?.*", ("a/x2.wav",)),
        ("**", ("[1].wav", "a/x2.wav", "a/x10.wav", "b/deep/x2.FLAC")),
        ("[ab]", ("a/x2.wav", "a/x10.wav", "b/deep/x2.FLAC")),
        ("[1].wav", ("[1].wav",)),
    ],
)
def test_patterns(here, pattern, files):
    found = sound_files.find([pattern])
    assert found.files == files and not found.errors and not found.passed_over[sound_files.TWICE]


@pytest.mark.parametrize("name", ["c", "*.mp3", "a/*.txt"])
def test_a_name_without_audio_is_an_error_in_its_place(here, name):
    found = sound_files.find(["a/x2.wav", name, "a/x10.wav"])
    assert found.files == ("a/x2.wav", name, "a/x10.wav")
    assert str(found.errors[name]) == f"{name}: has no audio file that can be read."


def test_a_linked_folder_is_the_same_folder_and_a_linked_file_another_file(here):
    os.symlink(here / "a", here / "same")
    os.symlink(here / "a/x2.wav", here / "a/x3.wav")
    found = sound_files.find(["a", "same"])
    assert found.files == ("a/x2.wav", "a/x3.wav", "a/x10.wav") and found.passed_over[sound_files.TWICE] == 3
