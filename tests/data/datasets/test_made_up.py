"""The dataset made_up: its layout, its settings, and complete folders whatever happens while they are written."""

import contextlib
import re
import signal
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest
import soundfile

from asc_tf.data.datasets import made_up
from asc_tf.data.synthetic import write
from asc_tf.errors import UserError

ROOT = Path(__file__).parents[3]
SIZES = {"train_clips": 60, "test_clips": 60}


def run(root, sizes, condition="__name__ == '__main__'"):
    """Another Python that makes a set."""
    call = f"made_up.listing(root={str(root)!r}, **{sizes})"
    code = f"from asc_tf.data.datasets import made_up\nif {condition}: {call}\n"
    script = root / "run.py"
    script.write_text(f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{code}")
    return subprocess.Popen([sys.executable, script], stderr=subprocess.PIPE)


def test_files_are_24_bit_mono_seconds_at_44100_hz(made_up_listing):
    files = sorted((made_up_listing.root / "audio").iterdir())
    assert len(files) == 120
    for file in files:
        info = soundfile.info(file)
        assert (info.subtype, info.samplerate, info.channels, info.frames) == ("PCM_24", 44_100, 1, 44_100)


def test_file_names_and_tables_are_those_of_tau(made_up_listing):
    name = re.compile(r"audio/[a-z_]+-[a-z]+-[0-9]+-[0-9]+-[0-3]-(a|b|c|s[1-6])\.wav")
    meta = (made_up_listing.root / "meta.csv").read_text().splitlines()
    assert meta[0] == "filename\tscene_label\tidentifier\tsource_label"
    assert all(name.fullmatch(row.split("\t")[0]) for row in meta[1:])
    setup = {file.name: file.read_text().splitlines() for file in (made_up_listing.root / "evaluation_setup").iterdir()}
    assert {file: rows[0] for file, rows in setup.items()} == {
        "fold1_train.csv": "filename\tscene_label",
        "fold1_evaluate.csv": "filename\tscene_label",
        "fold1_test.csv": "filename",
    }
    assert [len(rows) for _, rows in sorted(setup.items())] == [61, 61, 61]


def test_every_file_is_listed_once(made_up_listing):
    assert sorted(clip.file for clip in made_up_listing.clips) == sorted(
        f"audio/{file.name}" for file in (made_up_listing.root / "audio").iterdir()
    )


def test_no_location_is_in_both_splits(made_up_listing):
    splits = defaultdict(set)
    for clip in made_up_listing.clips:
        splits[clip.group].add(clip.split)
    assert all(len(parts) == 1 for parts in splits.values())


def test_a_second_call_writes_nothing(made_up_listing):
    before = {file: file.stat().st_mtime_ns for file in made_up_listing.root.rglob("*")}
    again = made_up.listing(root=str(made_up_listing.root.parent), **SIZES)
    assert again == made_up_listing
    assert before == {file: file.stat().st_mtime_ns for file in made_up_listing.root.rglob("*")}


def test_every_choice_of_sizes_and_seed_has_a_folder(made_up_listing, monkeypatch):
    monkeypatch.setattr(write, "_record_location", _silence)
    monkeypatch.setattr(write, "_FEW_LOCATIONS", 1000)
    other = made_up.listing(root=str(made_up_listing.root.parent), seed=2, train_clips=61, test_clips=60)
    assert other.root != made_up_listing.root and len(other.clips) == 121
    assert made_up_listing.root.is_dir()


def _silence(job):
    audio, _, location = job
    for _, _, name in location.names():
        (audio / name).touch()


def test_after_a_kill_no_process_runs_and_the_next_call_makes_the_set(tmp_path):
    process = run(tmp_path, SIZES)
    while not any(tmp_path.glob(".seed*.partial/tree/audio/*.wav")):
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.02)
        assert process.returncode is None
    process.send_signal(signal.SIGKILL)
    # The workers hold this pipe too: it ends only when the last of them has.
    process.communicate(timeout=30)
    assert not any(tmp_path.glob("seed*"))
    assert any(tmp_path.glob(".seed*.partial"))

    listing = made_up.listing(root=str(tmp_path), **SIZES)
    assert len(listing.clips) == 120
    assert {soundfile.info(listing.root / clip.file).frames for clip in listing.clips} == {44_100}
    assert not any(tmp_path.glob(".seed*.partial"))


def test_a_script_without_main_guard_is_an_error(tmp_path):
    errors = run(tmp_path, SIZES, condition="True").communicate(timeout=60)[1].decode()
    assert "a script without `if __name__ == '__main__':`" in errors.splitlines()[-1]
    assert not any(tmp_path.glob("*seed*.partial"))


def test_a_failure_leaves_no_files(tmp_path, monkeypatch):
    monkeypatch.setattr(write, "_record_location", _disk_full)
    monkeypatch.setattr(write, "_FEW_LOCATIONS", 1000)
    with pytest.raises(UserError, match="No space left"):
        made_up.listing(root=str(tmp_path), **SIZES)
    assert [file.suffix for file in tmp_path.iterdir()] == [".lock"]


def _disk_full(job):
    (job[0] / "half.wav").touch()
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("root", ["a_file", "a_file/below"])
def test_a_root_that_cannot_be_written_is_an_error(tmp_path, root):
    (tmp_path / "a_file").touch()
    with pytest.raises(UserError, match=rf"dataset\.root = '.*{root}'.*cannot be written"):
        made_up.listing(root=str(tmp_path / root), **SIZES)


@pytest.mark.parametrize("wrong", [{"train_clips": 59}, {"test_clips": 0}, {"seed": -1}])
def test_a_setting_out_of_range_is_an_error(tmp_path, wrong):
    with pytest.raises(UserError, match=rf"dataset\.{next(iter(wrong))} = .* must be at least"):
        made_up.listing(root=str(tmp_path), **(SIZES | wrong))
    assert not any(tmp_path.iterdir())


def test_expected_clips_are_those_of_the_settings():
    assert made_up.expected_clips(root="made_up", seed=1, **SIZES) == {"train": 60, "test": 60}
