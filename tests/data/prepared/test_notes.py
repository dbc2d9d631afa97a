"""What is kept and printed of files that were mended, are unusual, or fail in any way."""

import csv
import os
import re

import numpy as np
import pytest
import soundfile
from noise_clips import assert_prepared, prepare, write_noise

from asc_tf.data import audio, decoding
from asc_tf.data.datasets.listing import Clip, Listing
from asc_tf.errors import UserError


def rows(file):
    with open(file, newline="", encoding="utf-8", errors="surrogateescape") as lines:
        return [tuple(row) for row in csv.reader(lines)][1:]


def test_notes_are_counted_by_kind_and_listed(tmp_path, capfd):
    listing = write_noise(tmp_path / "in")
    root = listing.root
    for name in ("003.wav", "004.wav"):
        soundfile.write(root / name, np.full(16000, 1.5), 16000, subtype="FLOAT")
    soundfile.write(root / "005.wav", np.zeros(16000), 16000)
    (root / "006.wav").write_bytes((root / "007.wav").read_bytes() + b"garbage" * 100)
    (root / "008.wav").write_bytes(b"")
    (root / "009.wav").write_bytes((root / "010.wav").read_bytes()[:20000])
    (root / "011.wav").write_bytes((root / "010.wav").read_bytes()[:30000])
    prepared = prepare(listing, tmp_path / "out", max_bad_share=0.2, quiet=False)
    assert_prepared(prepared, listing, left_out=(8, 9, 11))
    other, clipped = "bytes that are no sound passed over", "clipped at full scale"
    expected = [("003.wav", clipped), ("004.wav", clipped), ("005.wav", "digital silence"), ("006.wav", other)]
    assert rows(prepared.folder / "notes.csv") == expected
    error = capfd.readouterr().err
    line = f"prepare: notes on 4 file(s) that are read: 2 {clipped}, 1 digital silence, 1 {other}. See "
    assert f"{line}{prepared.folder}/notes.csv." in error
    assert "3 of 20 file(s) cannot be read (15.0%) (2 truncated, 1 empty file), the first is '008.wav'" in error
    prepare(listing, tmp_path / "out", max_bad_share=0.2)
    assert not capfd.readouterr().err


def test_a_failure_of_any_kind_is_the_failure_of_its_file(tmp_path, monkeypatch):
    listing = write_noise(tmp_path / "in")

    class Failing(audio.Recording):
        def segments(self, *settings):
            yield from super().segments(*settings)
            if re.search("00[37]", str(self.file)):
                raise MemoryError("out of memory\nand more")

    monkeypatch.setattr(audio, "Recording", Failing)
    prepared = prepare(listing, tmp_path / "out", max_bad_share=0.1, workers=1)
    monkeypatch.undo()
    assert_prepared(prepared, listing, left_out=(3, 7))
    reason = "cannot be read (MemoryError: out of memory\nand more)"
    assert rows(prepared.folder / "bad_clips.csv") == [("003.wav", reason), ("007.wav", reason)]


def test_a_file_that_is_damaged_late_leaves_no_segment(tmp_path, monkeypatch):
    monkeypatch.setattr(decoding, "_BLOCK", 1000)
    listing = write_noise(tmp_path / "in", seconds=(3.0,))
    soundfile.write(listing.root / "x.flac", np.random.default_rng(1).normal(0, 0.1, 48000), 16000)
    content = (listing.root / "x.flac").read_bytes()
    (listing.root / "004.wav").write_bytes(content[: len(content) * 9 // 10])
    assert_prepared(prepare(listing, tmp_path / "out", max_bad_share=0.1, workers=1), listing, left_out=(4,))


def test_names_that_are_not_utf8_are_prepared_and_reported(tmp_path, capfd):
    root = tmp_path / "in"
    write_noise(root, files=3)
    names = [os.fsdecode(b"\xe9t\xe9.wav"), "new\nline \u2028.wav", os.fsdecode(b"bad\xff.wav")]
    for number, name in enumerate(names):
        (root / f"{number:03d}.wav").rename(root / name)
    (root / names[2]).write_bytes(b"no sound")
    listing = Listing.from_clips(root, ("bus",), [Clip(name, "bus", "train") for name in names])
    prepared = prepare(listing, tmp_path / "out", max_bad_share=0.5, quiet=False)
    assert_prepared(prepared, listing, left_out=(2,))
    assert [name for name, _ in rows(prepared.folder / "bad_clips.csv")] == [names[2]]
    (line,) = [line for line in capfd.readouterr().err.splitlines() if "cannot be read" in line]
    assert "bad\\udcff.wav" in line
    with pytest.raises(UserError, match="1 of 3"):
        prepare(listing, tmp_path / "out", max_bad_share=0.1)
