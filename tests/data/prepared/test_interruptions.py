import contextlib
import csv
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from asc_tf.data import audio
from asc_tf.data.datasets.listing import Clip, Listing
from asc_tf.data.prepared import cache_key as set_key
from asc_tf.data.prepared import shards
from asc_tf.data.prepared import workers as shard_pool
from asc_tf.errors import UserError

ROOT = Path(__file__).parents[3]
RATE = 8000


def recorded(root, *, files=20, seconds=(1.0,), rate_hz=16000):
    """A listing of files of noise; the durations take turns."""
    root.mkdir(exist_ok=True)
    rng = np.random.default_rng(1)
    for number in range(files):
        length = round(rate_hz * seconds[number % len(seconds)])
        soundfile.write(root / f"{number:03d}.wav", rng.normal(0, 0.1, length), rate_hz, subtype="PCM_24")
    return listed(root, range(files))


def listed(root, numbers):
    clips = (Clip(f"{number:03d}.wav", "bus", "test" if number % 5 == 0 else "train") for number in numbers)
    return Listing.from_clips(root, ("bus",), tuple(clips))


def prepare(listing, folder, **options):
    return shards.prepare(listing, **{"folder": folder, "sample_rate_hz": RATE, "quiet": True} | options)


def expected(listing, clip):
    samples, rate_hz = audio.read(listing.root / listing.clips[clip].file)
    return audio.to_int16(audio.cut(audio.resample(samples, rate_hz, RATE), RATE, 1.0))


def inside(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def assert_right(prepared, listing, left_out=()):
    """Every segment of every clip, once, in order, with its own sound; read in any order."""
    wanted = {clip: expected(listing, clip) for clip in range(len(listing.clips)) if clip not in left_out}
    rows = [(clip, segment) for clip, pieces in wanted.items() for segment in range(len(pieces))]
    assert list(zip(prepared.clip.tolist(), prepared.segment.tolist(), strict=True)) == rows
    assert (prepared.clip.dtype, prepared.segment.dtype) == (np.int64, np.int64)
    order = np.random.default_rng(1).permutation(len(prepared))
    waves = prepared.read(order)
    assert waves.dtype == np.int16 and waves.shape == (len(rows), RATE)
    for wave, row in zip(waves, order, strict=True):
        clip, segment = rows[row]
        assert (wave == wanted[clip][segment]).all()


def test_prepares_files_of_any_length_in_the_order_of_the_listing(tmp_path):
    listing = recorded(tmp_path / "in", seconds=(1.0, 2.0, 0.3, 2.6))
    listing = listed(listing.root, [7, 3, 19, 0, *range(8, 19), 1, 2, 4, 5, 6])
    assert_right(prepare(listing, tmp_path / "out"), listing)


def test_a_set_that_is_there_is_not_made_again(tmp_path, monkeypatch):
    listing = recorded(tmp_path / "in")
    first = prepare(listing, tmp_path / "out")
    monkeypatch.setattr(shard_pool, "write", None)
    again = prepare(listing, tmp_path / "out")
    assert again.folder == first.folder and (again.read([5, 2]) == first.read([5, 2])).all()


def test_another_split_of_the_same_files_is_the_same_set(tmp_path, monkeypatch):
    listing = recorded(tmp_path / "in")
    prepare(listing, tmp_path / "out")
    turned = Listing.from_clips(listing.root, ("tram",), [Clip(file, "tram", "train") for file in listing.file[::-1]])
    monkeypatch.setattr(shard_pool, "write", None)
    assert_right(prepare(turned, tmp_path / "out"), turned)


def test_a_changed_file_rate_or_list_is_another_set(tmp_path):
    listing = recorded(tmp_path / "in", seconds=(2.0,))
    keys = [prepare(listing, tmp_path / "out").folder]
    keys.append(prepare(listing, tmp_path / "out", sample_rate_hz=4000).folder)
    keys.append(prepare(listing, tmp_path / "out", segment_s=2.0).folder)
    keys.append(prepare(listed(listing.root, range(19)), tmp_path / "out").folder)
    os.utime(listing.root / "003.wav", (1, 1))
    keys.append(prepare(listing, tmp_path / "out").folder)
    assert len(set(keys)) == 5


def test_of_a_large_set_that_was_seen_the_folders_are_looked_at(tmp_path, monkeypatch):
    monkeypatch.setattr(set_key, "LARGE", 10)
    listing = recorded(tmp_path / "in")
    first = prepare(listing, tmp_path / "out")
    monkeypatch.setattr(shard_pool, "write", None)
    looked_at, looks = set_key.looked_at, []
    monkeypatch.setattr(set_key, "looked_at", lambda *which: looks.append(1) or looked_at(*which))
    assert prepare(listing, tmp_path / "out", thorough=False).folder == first.folder and not looks
    assert prepare(listing, tmp_path / "out").folder == first.folder and len(looks) == 1
    os.rename(listing.root / "003.wav", listing.root / "other.wav")
    with pytest.raises(UserError, match="1 of the 20 .* absent, the first is '003.wav'"):
        prepare(listing, tmp_path / "out", thorough=False)


def spoil(root):
    (root / "003.wav").write_bytes(b"")
    (root / "011.wav").write_text("not sound")
    os.truncate(root / "012.wav", 5000)
    soundfile.write(root / "013.wav", np.array([0.1, np.nan]), 16000, subtype="FLOAT")
    soundfile.write(root / "014.wav", np.zeros(0), 16000)


def test_bad_files_are_named_with_reasons_and_left_out(tmp_path, capfd):
    listing = recorded(tmp_path / "in")
    spoil(listing.root)
    prepared = prepare(listing, tmp_path / "out", max_bad_share=0.25, quiet=False)
    assert_right(prepared, listing, left_out=(3, 11, 12, 13, 14))
    with open(prepared.folder / "bad_clips.csv", newline="") as lines:
        reasons = {row["file"]: row["reason"] for row in csv.DictReader(lines)}
    found = {file[:3]: [word for word in ("empty", "not audio", "truncated", "NaN", "no samples") if word in reason]
             for file, reason in reasons.items()}  # fmt: skip
    words = {"003": ["empty"], "011": ["not audio"], "012": ["truncated"], "013": ["NaN"], "014": ["no samples"]}
    assert found == words
    summary = [line for line in capfd.readouterr().err.splitlines() if "cannot be read" in line]
    assert len(summary) == 1 and "5 of 20" in summary[0] and str(prepared.folder / "bad_clips.csv") in summary[0]


def test_too_many_bad_files_stop_and_nothing_done_is_lost(tmp_path, monkeypatch):
    listing = recorded(tmp_path / "in")
    spoil(listing.root)
    message = r"5 of 20 .*25.0%.*'003.wav': empty.*bad_clips.csv.*data.max_bad_share = 0.2"
    with pytest.raises(UserError, match=message):
        prepare(listing, tmp_path / "out", max_bad_share=0.2)
    monkeypatch.setattr(shard_pool, "write", None)
    with pytest.raises(UserError, match=message):
        prepare(listing, tmp_path / "out", max_bad_share=0.2)
    assert len(prepare(listing, tmp_path / "out", max_bad_share=0.25)) == 15


def test_no_readable_file_at_all_is_always_an_error(tmp_path):
    listing = recorded(tmp_path / "in", files=2)
    for clip in listing.clips:
        (listing.root / clip.file).write_bytes(b"")
    with pytest.raises(UserError, match="No clip is left"):
        prepare(listing, tmp_path / "out", max_bad_share=1.0)


def test_a_mended_file_is_read_again(tmp_path):
    listing = recorded(tmp_path / "in")
    whole = (listing.root / "003.wav").read_bytes()
    (listing.root / "003.wav").write_bytes(b"")
    assert len(prepare(listing, tmp_path / "out", max_bad_share=0.1)) == 19
    (listing.root / "003.wav").write_bytes(whole)
    assert_right(prepare(listing, tmp_path / "out"), listing)


def test_a_file_listed_twice_or_absent_is_an_error(tmp_path):
    listing = recorded(tmp_path / "in", files=3)
    with pytest.raises(UserError, match="'001.wav' is listed twice"):
        prepare(listed(listing.root, [0, 1, 2, 1]), tmp_path / "out")
    (listing.root / "003.wav").mkdir()
    with pytest.raises(UserError, match="2 of the 5 listed file.s. are absent, the first is '003.wav'. Unpack"):
        prepare(listed(listing.root, range(5)), tmp_path / "out")


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path):
    listing = recorded(tmp_path / "in", files=3)
    (tmp_path / "out").write_text("a file, not a folder")
    with pytest.raises(UserError, match=f"{tmp_path}/out/.*data.prepared_folder"):
        prepare(listing, tmp_path / "out")


def test_a_shard_cut_short_while_it_is_read_is_told(tmp_path):
    prepared = prepare(recorded(tmp_path / "in"), tmp_path / "out")
    os.truncate(prepared.folder / "shard-00001.npy", 1000)
    with pytest.raises(UserError, match="shard-00001.npy: ends too early"):
        prepared.read(np.arange(20))


@pytest.mark.parametrize("harm", ["remove", "shorten", "no record"])
def test_a_damaged_shard_is_made_again(tmp_path, harm):
    listing = recorded(tmp_path / "in")
    shard = prepare(listing, tmp_path / "out").folder / "shard-00001.npy"
    if harm == "remove":
        shard.unlink()
    elif harm == "shorten":
        os.truncate(shard, 1000)
    else:
        shard.with_suffix(".json").write_text("[1, 1")
    assert_right(prepare(listing, tmp_path / "out"), listing)


def test_many_threads_may_read_at_once(tmp_path):
    listing = recorded(tmp_path / "in")
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


PROGRAM = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from test_shards import *

if __name__ == "__main__":
    listing = listed(Path({root!r}), range({files}))
    {before}
    prepare(listing, {out!r}, workers=2, quiet=False)
"""


def program(tmp_path, listing, before="pass", text=PROGRAM):
    """Another Python that prepares the listing, in a process group of its own."""
    out = str(tmp_path / "out")
    names = {"tests": str(Path(__file__).parent), "root": str(listing.root), "files": len(listing.clips), "out": out}
    file = tmp_path / "program.py"
    file.write_text(text.format(**names, before=before))
    return subprocess.Popen(
        [sys.executable, file],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def until_some_shards_are_there(process, out, number=3):
    while process.poll() is None and sum(name.endswith(".json") for name in inside(out)) < number:
        time.sleep(0.005)
    assert process.poll() is None, process.stderr.read()


def alive(group):
    """Processes of a group that still run; those ended but not yet waited for do not count."""
    states = []
    for file in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            states.append(file.read_text().rpartition(")")[2].split()[:3])
    return [state for state, _, of in states if of == str(group) and state not in "ZX"]


def until_gone(group, seconds=20):
    end = time.monotonic() + seconds
    while alive(group) and time.monotonic() < end:
        time.sleep(0.02)
    assert not alive(group)


def test_killed_in_the_middle_it_goes_on_and_leaves_no_trace(tmp_path):
    listing = recorded(tmp_path / "in", files=240, seconds=(2.0,), rate_hz=44100)
    process = program(tmp_path, listing)
    until_some_shards_are_there(process, tmp_path / "out")
    process.kill()
    process.wait()
    process.stderr.close()
    until_gone(process.pid)
    (folder,) = (tmp_path / "out").iterdir()
    done = {name: (folder / name).stat().st_mtime_ns for name in inside(folder) if name.endswith(".json")}
    assert 3 <= len(done) < 30 and "index.npz" not in inside(folder)
    (folder / "shard-00001.npy.1-abc.part").write_text("left by the kill")
    assert_right(prepare(listing, tmp_path / "out", workers=2), listing)
    assert {name: (folder / name).stat().st_mtime_ns for name in done} == done
    assert not [name for name in inside(folder) if name.endswith(".part")]


def test_ctrl_c_stops_at_once_keeps_what_is_done_and_leaves_no_trace(tmp_path):
    listing = recorded(tmp_path / "in", files=240, seconds=(2.0,), rate_hz=44100)
    process = program(tmp_path, listing)
    until_some_shards_are_there(process, tmp_path / "out")
    os.killpg(process.pid, signal.SIGINT)
    errors = process.communicate(timeout=20)[1]
    assert process.returncode in (-signal.SIGINT, 130)
    assert errors.count("Traceback") == 1 and "KeyboardInterrupt" in errors
    until_gone(process.pid)
    names = inside(tmp_path / "out")
    assert "shard-00000.json" in names and "index.npz" not in names
    assert not [name for name in names if name.endswith(".part")]


def test_a_script_that_its_workers_would_run_again_is_told_what_it_lacks(tmp_path):
    listing = recorded(tmp_path / "in", files=240)
    process = program(tmp_path, listing, text=PROGRAM.replace('if __name__ == "__main__":', "if True:"))
    errors = process.communicate(timeout=60)[1]
    assert process.returncode == 1 and "a script without `if __name__ == '__main__':`" in errors.splitlines()[-1]
    until_gone(process.pid)


def test_a_full_disk_is_told_and_leaves_nothing_half_written(tmp_path):
    listing = recorded(tmp_path / "in", files=20)
    # No file may grow beyond 40 kB: the system refuses the write as it does on a full disk.
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))"
    errors = program(tmp_path, listing, limit).communicate(timeout=60)[1]
    last = errors.strip().splitlines()[-1]
    assert "UserError" in last and f"{tmp_path}/out/" in last and "File too large" in last
    assert inside(tmp_path / "out") == []
    assert_right(prepare(listing, tmp_path / "out"), listing)


def test_two_at_once_do_not_disturb_each_other(tmp_path):
    listing = recorded(tmp_path / "in", files=120)
    both = [program(tmp_path, listing) for _ in range(2)]
    assert [process.communicate(timeout=60)[1].count("Traceback") for process in both] == [0, 0]
    assert [process.returncode for process in both] == [0, 0]
    assert_right(prepare(listing, tmp_path / "out"), listing)


def test_workers_load_neither_tensorflow_nor_keras():
    imports = "import asc_tf.data.prepared.shards; from asc_tf.data.datasets import esc, folder, tau"
    code = f"import sys; {imports}; print(*sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not {"tensorflow", "keras", "tf_keras", "scipy"} & set(found.stdout.split())
