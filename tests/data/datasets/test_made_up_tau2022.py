"""The dataset made_up with layout "tau2022": its folders, splits and names, and complete folders or none."""

import contextlib
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from asc_tf.data.datasets import audioset, made_up, tau
from asc_tf.data.datasets.csv_table import read_table
from asc_tf.data.synthetic import audioset_tree, splits, write
from asc_tf.errors import UserError

ROOT = Path(__file__).parents[3]
SETTINGS = {"train_clips": 1200, "test_clips": 60, "layout": "tau2022"}
NAME = "seed1-train1200-test60-tau2022-v1"


def _empty_recordings(job):
    audio, _, location = job
    for _, _, name in location.names():
        (audio / name).touch()


def _empty_clip(clip):
    (clip[0] / f"{audioset_tree._video(clip)}.wav").touch()


@pytest.fixture(scope="module")
def silent():
    """Files are empty, and written by this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(write, "_record_location", _empty_recordings)
        patch.setattr(audioset_tree, "_write_clip", _empty_clip)
        patch.setattr(made_up.os, "cpu_count", lambda: 1)
        yield


@pytest.fixture(scope="module")
def folder(silent, tmp_path_factory):
    """A folder for --data, its files empty."""
    root = tmp_path_factory.mktemp("root")
    listing = made_up.listing(root=str(root), **SETTINGS)
    assert listing.root == root / NAME / "tau2022"
    return listing.root.parent


@pytest.mark.parametrize("split", ["fold1", *splits.SHARES])
def test_every_split_is_listed_as_by_tau(folder, split):
    listing = made_up.listing(root=str(folder.parent), split=split, **SETTINGS)
    assert listing == tau.listing(root=str(folder / "tau2022"), split=split)
    counts = {part: len(listing.positions(part)) for part in ("train", "test")}
    assert counts == made_up.expected_clips(root="", split=split, **SETTINGS)
    assert len({listing.label[position] for position in listing.positions("train")}) == 10
    assert 0 <= counts["train"] - 1200 * splits.SHARES.get(split, 1) < 4 and counts["test"] == 60


def test_the_files_are_those_of_tau_with_the_lists_of_2024(folder):
    assert sorted(file.name for file in folder.iterdir()) == ["audioset", "micirp", "tau2022"]
    assert sorted(file.name for file in (folder / "tau2022").iterdir()) == ["audio", "evaluation_setup", "meta.csv"]
    lists = {*splits.SHARES, "test", "fold1_train", "fold1_evaluate", "fold1_test"}
    assert {file.stem for file in (folder / "tau2022/evaluation_setup").iterdir()} == lists
    meta = (folder / "tau2022/meta.csv").read_text().splitlines()
    name = re.compile(r"audio/[a-z_]+-[a-z]+-[0-9]+-[0-9]+-[0-9]-(a|b|c|s[1-6])\.wav")
    assert meta[0] == "filename\tscene_label\tidentifier\tsource_label" and len(meta) == 1261
    assert all(name.fullmatch(row.split("\t")[0]) for row in meta[1:])


def test_what_lies_beside_the_scenes_is_read(folder):
    listing = audioset.listing(root=str(folder / "audioset"), train="both", max_missing_share=0.0)
    assert (len(listing.positions("train")), len(listing.positions("test")), len(listing.classes)) == (192, 48, 527)
    assert len(list((folder / "micirp").glob("*.wav"))) == 12


def test_data_folder_is_that_of_layout_tau2022_alone(folder):
    settings = {"root": str(folder.parent), "seed": 1, "split": "split5", "splits_folder": ""}
    assert made_up.data_folder(**settings, **SETTINGS) == folder
    assert made_up.data_folder(**settings, **SETTINGS | {"layout": "fold1"}) is None


def test_clips_have_names_of_the_official_lists_where_they_are_named(silent, shared, tmp_path):
    lists = shared / "data/dcase2024"
    settings = {"root": str(tmp_path), "splits_folder": str(lists), **SETTINGS}
    found = {split: made_up.listing(split=split, **settings) for split in ("split5", "split25", "split50")}
    counts = {split: len(listing.positions("train")) for split, listing in found.items()}
    assert counts == {"split5": 120, "split25": 600, "split50": 1200}
    for split, listing in found.items():
        assert re.fullmatch(NAME + "-[0-9a-f]{8}", listing.root.parent.name)
        for part, name in (("train", split), ("test", "test")):
            files = {listing.file[position] for position in listing.positions(part)}
            assert files <= set(read_table(lists / f"{name}.csv.gz", ("filename",))[1])
        assert {listing.label[position] for position in listing.positions("train")} == set(tau.SCENES)
    assert made_up.expected_clips(split="split25", **settings) == {"train": 600, "test": 60}
    assert set(found["split5"].file) < set(found["split25"].file) < set(found["split50"].file)
    with pytest.raises(UserError, match=r"split100\.csv: there is no such file"):
        made_up.listing(split="split100", **settings)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"train_clips": 1199}, "dataset.train_clips = 1199 must be at least 1200 .* split5 .* every scene"),
        ({"test_clips": 59}, "dataset.test_clips = 59 must be at least 60"),
        ({"splits_folder": "nowhere"}, "dataset.splits_folder = 'nowhere': there is no such folder"),
        ({"layout": "fold1", "split": "split5"}, 'need dataset.layout = "tau2022"'),
        ({"layout": "fold1", "splits_folder": "x"}, 'need dataset.layout = "tau2022"'),
    ],
)
def test_a_wrong_setting_is_an_error_and_leaves_no_folder(tmp_path, wrong, message):
    with pytest.raises(UserError, match=message):
        made_up.listing(root=str(tmp_path), **(SETTINGS | wrong))
    assert not any(tmp_path.glob("*seed*/")) and not any(tmp_path.glob(".*.partial"))


def test_a_folder_without_lists_is_an_error(tmp_path):
    with pytest.raises(UserError, match="needs test.csv and one of split5.csv"):
        made_up.listing(root=str(tmp_path / "root"), splits_folder=str(tmp_path), **SETTINGS)


def test_after_a_kill_there_is_no_folder(tmp_path):
    call = f"made_up.listing(root={str(tmp_path)!r}, **{SETTINGS})"
    script = tmp_path / "run.py"
    script.write_text(
        f"import sys; sys.path.insert(0, {str(ROOT)!r})\nfrom asc_tf.data.datasets import made_up\n"
        f"if __name__ == '__main__': {call}\n"
    )
    process = subprocess.Popen([sys.executable, script], stderr=subprocess.PIPE)
    while not any(tmp_path.glob(".seed*.partial/tree/tau2022/audio/*.wav")):
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.02)
        assert process.returncode is None
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=30)  # the workers hold this pipe too: it ends only when the last of them has
    assert not any(tmp_path.glob("seed*")) and any(tmp_path.glob(".seed*.partial"))
