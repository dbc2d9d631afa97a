import csv
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile
from noise_clips import assert_prepared, noise_listing, prepare, write_noise

from asc_tf.data.datasets.listing import Clip, Listing
from asc_tf.data.prepared import cache_key, shards
from asc_tf.errors import UserError

ROOT = Path(__file__).parents[3]


def test_files_of_any_length_are_prepared_in_the_order_of_the_listing(tmp_path):
    listing = write_noise(tmp_path / "in", seconds=(1.0, 2.0, 0.3, 2.6))
    listing = noise_listing(listing.root, [7, 3, 19, 0, *range(8, 19), 1, 2, 4, 5, 6])
    assert_prepared(prepare(listing, tmp_path / "out"), listing)


def test_a_complete_set_is_not_written_again(tmp_path, monkeypatch):
    listing = write_noise(tmp_path / "in")
    first = prepare(listing, tmp_path / "out")
    monkeypatch.setattr(shards, "write_shard", None)
    again = prepare(listing, tmp_path / "out")
    assert again.folder == first.folder and (again.read([5, 2]) == first.read([5, 2])).all()


def test_another_split_of_the_same_files_is_the_same_set(tmp_path, monkeypatch):
    listing = write_noise(tmp_path / "in")
    prepare(listing, tmp_path / "out")
    clips = [Clip(file, "tram", "train") for file in listing.file[::-1]]
    other = Listing.from_clips(listing.root, ("tram",), clips)
    monkeypatch.setattr(shards, "write_shard", None)
    assert_prepared(prepare(other, tmp_path / "out"), other)


def test_a_changed_file_rate_or_list_is_another_set(tmp_path):
    listing = write_noise(tmp_path / "in", seconds=(2.0,))
    keys = [prepare(listing, tmp_path / "out").folder]
    keys.append(prepare(listing, tmp_path / "out", sample_rate_hz=4000).folder)
    keys.append(prepare(listing, tmp_path / "out", segment_s=2.0).folder)
    keys.append(prepare(noise_listing(listing.root, range(19)), tmp_path / "out").folder)
    os.utime(listing.root / "003.wav", (1, 1))
    keys.append(prepare(listing, tmp_path / "out").folder)
    assert len(set(keys)) == 5


def test_a_stored_key_of_a_large_set_replaces_the_look_at_every_file(tmp_path, monkeypatch):
    monkeypatch.setattr(cache_key, "LARGE", 10)
    listing = write_noise(tmp_path / "in")
    first = prepare(listing, tmp_path / "out")
    monkeypatch.setattr(shards, "write_shard", None)
    compute, calls = cache_key.compute, []
    monkeypatch.setattr(cache_key, "compute", lambda *arguments: calls.append(1) or compute(*arguments))
    assert prepare(listing, tmp_path / "out", thorough=False).folder == first.folder and not calls
    assert prepare(listing, tmp_path / "out").folder == first.folder and len(calls) == 1
    os.rename(listing.root / "003.wav", listing.root / "other.wav")
    with pytest.raises(UserError, match="1 of the 20 .* absent, the first is '003.wav'"):
        prepare(listing, tmp_path / "out", thorough=False)


def damage(root):
    (root / "003.wav").write_bytes(b"")
    (root / "011.wav").write_text("not sound")
    os.truncate(root / "012.wav", 5000)
    soundfile.write(root / "013.wav", np.array([0.1, np.nan]), 16000, subtype="FLOAT")
    soundfile.write(root / "014.wav", np.zeros(0), 16000)


def test_unreadable_files_are_reported_with_reasons_and_left_out(tmp_path, capfd):
    listing = write_noise(tmp_path / "in")
    damage(listing.root)
    prepared = prepare(listing, tmp_path / "out", max_bad_share=0.25, quiet=False)
    assert_prepared(prepared, listing, left_out=(3, 11, 12, 13, 14))
    with open(prepared.folder / "bad_clips.csv", newline="") as lines:
        reasons = {row["file"]: row["reason"] for row in csv.DictReader(lines)}
    words_of = {file[:3]: [word for word in ("empty", "not audio", "truncated", "NaN", "no samples") if word in reason]
                for file, reason in reasons.items()}  # fmt: skip
    words = {"003": ["empty"], "011": ["not audio"], "012": ["truncated"], "013": ["NaN"], "014": ["no samples"]}
    assert words_of == words
    summary = [line for line in capfd.readouterr().err.splitlines() if "cannot be read" in line]
    assert len(summary) == 1 and "5 of 20" in summary[0] and str(prepared.folder / "bad_clips.csv") in summary[0]


def test_too_many_unreadable_files_are_an_error_and_the_shards_stay(tmp_path, monkeypatch):
    listing = write_noise(tmp_path / "in")
    damage(listing.root)
    message = r"5 of 20 .*25.0%.*'003.wav': empty.*bad_clips.csv.*data.max_bad_share = 0.2"
    with pytest.raises(UserError, match=message):
        prepare(listing, tmp_path / "out", max_bad_share=0.2)
    monkeypatch.setattr(shards, "write_shard", None)
    with pytest.raises(UserError, match=message):
        prepare(listing, tmp_path / "out", max_bad_share=0.2)
    assert len(prepare(listing, tmp_path / "out", max_bad_share=0.25)) == 15


def test_no_readable_file_is_an_error_at_any_share(tmp_path):
    listing = write_noise(tmp_path / "in", files=2)
    for clip in listing.clips:
        (listing.root / clip.file).write_bytes(b"")
    with pytest.raises(UserError, match="No clip is left"):
        prepare(listing, tmp_path / "out", max_bad_share=1.0)


def test_a_repaired_file_is_read_again(tmp_path):
    listing = write_noise(tmp_path / "in")
    content = (listing.root / "003.wav").read_bytes()
    (listing.root / "003.wav").write_bytes(b"")
    assert len(prepare(listing, tmp_path / "out", max_bad_share=0.1)) == 19
    (listing.root / "003.wav").write_bytes(content)
    assert_prepared(prepare(listing, tmp_path / "out"), listing)


def test_a_file_listed_twice_or_absent_is_an_error(tmp_path):
    listing = write_noise(tmp_path / "in", files=3)
    with pytest.raises(UserError, match="'001.wav' is listed twice"):
        prepare(noise_listing(listing.root, [0, 1, 2, 1]), tmp_path / "out")
    (listing.root / "003.wav").mkdir()
    with pytest.raises(UserError, match="2 of the 5 listed file.s. are absent, the first is '003.wav'. Unpack"):
        prepare(noise_listing(listing.root, range(5)), tmp_path / "out")


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path):
    listing = write_noise(tmp_path / "in", files=3)
    (tmp_path / "out").write_text("a file, not a folder")
    with pytest.raises(UserError, match=f"{tmp_path}/out/.*data.prepared_folder"):
        prepare(listing, tmp_path / "out")


def test_a_shard_truncated_after_loading_is_an_error(tmp_path):
    prepared = prepare(write_noise(tmp_path / "in"), tmp_path / "out")
    os.truncate(prepared.folder / "shard-00001.npy", 1000)
    with pytest.raises(UserError, match="shard-00001.npy: ends too early"):
        prepared.read(np.arange(20))


@pytest.mark.parametrize("damaged", ["array removed", "array truncated", "record truncated"])
def test_a_damaged_shard_is_written_again(tmp_path, damaged):
    listing = write_noise(tmp_path / "in")
    shard = prepare(listing, tmp_path / "out").folder / "shard-00001.npy"
    if damaged == "array removed":
        shard.unlink()
    elif damaged == "array truncated":
        os.truncate(shard, 1000)
    else:
        shard.with_suffix(".json").write_text("[1, 1")
    assert_prepared(prepare(listing, tmp_path / "out"), listing)


def test_threads_may_read_at_the_same_time(tmp_path):
    listing = write_noise(tmp_path / "in")
    prepared = prepare(listing, tmp_path / "out")
    whole = prepared.read(np.arange(20))
    wrong = []

    def read(seed):
        for order in np.random.default_rng(seed).permuted(np.tile(np.arange(20), (50, 1)), axis=1):
            if (prepared.read(order) != whole[order]).any():
                wrong.append(seed)

    threads = [threading.Thread(target=read, args=(seed,)) for seed in range(4)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert not wrong


def test_workers_load_neither_tensorflow_nor_keras():
    imports = "import asc_tf.data.prepared.shards; from asc_tf.data.datasets import esc, folder, tau"
    code = f"import sys; {imports}; print(*sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not {"tensorflow", "keras", "tf_keras", "scipy"} & set(result.stdout.split())
