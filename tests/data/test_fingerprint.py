"""Fingerprints of audio files."""

import os

import pytest

from asc_tf.data import fingerprint

NAMES = ["a.wav", "b.wav"]


@pytest.fixture
def folder(tmp_path):
    for name in NAMES:
        (tmp_path / name).write_bytes(os.urandom(100_000))
    return tmp_path


def test_a_copy_has_the_same_fingerprint_whenever_it_was_made(folder):
    before = fingerprint.fingerprints(folder, NAMES)
    os.utime(folder / "a.wav", (0, 0))
    assert fingerprint.fingerprints(folder, NAMES) == before
    assert before[0] != before[1]


@pytest.mark.parametrize("position", [0, 50_000, 99_999])
def test_another_byte_at_the_beginning_in_the_middle_or_at_the_end_has_another(folder, position):
    before = fingerprint.fingerprints(folder, NAMES)
    content = bytearray((folder / "a.wav").read_bytes())
    content[position] ^= 1
    (folder / "a.wav").write_bytes(content)
    now = fingerprint.fingerprints(folder, NAMES)
    assert now[0] != before[0] and now[1] == before[1]


def test_large_sets_are_compared_by_size(folder, monkeypatch):
    whole = fingerprint.fingerprints(folder, NAMES)
    monkeypatch.setattr(fingerprint, "MANY", 1)
    assert fingerprint.fingerprints(folder, NAMES) == [text.split("-")[0] for text in whole] == ["100000", "100000"]


def test_a_file_that_is_absent_has_none(folder):
    assert fingerprint.fingerprints(folder, ["gone.wav"]) == [""]
    assert fingerprint.fingerprints(folder, []) == []
