"""Made-up trees in the formats of TAU with its splits, AudioSet, ESC-50 and MicIRP."""

import hashlib
from collections import Counter

import numpy as np
import pytest
import soundfile

from asc_tf.data.datasets import audioset, esc, tau
from asc_tf.data.synthetic import (
    audioset_tree,
    esc_tree,
    impulse_responses,
    labelled,
    scenes,
    splits,
    tau_tree,
)
from asc_tf.errors import UserError
from asc_tf.recipe import labels

FEW = {"balanced_clips": 12, "unbalanced_clips": 5, "eval_clips": 4}
SCENES = ("airport", "bus")


def digests(folder):
    """{file: digest} of the files of a tree."""
    files = (file for file in folder.rglob("*") if file.is_file())
    return {file.relative_to(folder): hashlib.sha256(file.read_bytes()).digest() for file in files}


def names(scenes_of, *, recordings, device="a", segments=10):
    """Names as in the lists of DCASE 2024; recordings are numbered for each scene."""
    return [
        f"audio/{scene}-lyon-{number}-{1000 * column + number}-{segment}-{device}.wav"
        for column, scene in enumerate(scenes_of)
        for number in recordings
        for segment in range(segments)
    ]


@pytest.mark.parametrize("clips", [1200, 1207, 2400, 20_000])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_splits_are_nested_and_have_the_shares_of_the_whole(clips, seed):
    plan = tau_tree.plan(train_clips=clips, test_clips=60, seed=seed)
    assert list(plan.splits) == ["split5", "split10", "split25", "split50", "split100"]
    smaller, whole = set(), splits.takes(plan.locations, "train")
    for name, chosen in plan.splits.items():
        share = splits.SHARES[name]
        assert smaller <= chosen <= set(whole) and {take.scene for take in chosen} == set(scenes.SCENES)
        assert share * clips - 1 <= plan.clips(name) < share * clips + 4  # whole recordings of up to four clips
        for column in range(3):  # scene, city, device
            counts = Counter(), Counter()
            for count, takes in zip(counts, (chosen, whole), strict=True):
                for take in takes:
                    count[take[column]] += take.clips
            assert all(abs(counts[0][value] - share * counts[1][value]) <= 6 for value in counts[1])
        smaller = chosen
    assert plan.clips("train") == plan.clips("split100") == clips and plan.clips("test") == 60


def test_splits_depend_on_the_seed_alone():
    plans = [tau_tree.plan(train_clips=1200, test_clips=60, seed=seed).splits for seed in (1, 1, 2)]
    assert plans[0] == plans[1] != plans[2] and plans[0]["split100"] == plans[2]["split100"]


def test_too_few_clips_for_the_smallest_split_are_an_error():
    with pytest.raises(UserError, match=r"train_clips = 1199 must be at least 1200 .* so that split5 \(5%\) has every"):
        tau_tree.plan(train_clips=1199, test_clips=60, seed=1)
    assert tau_tree.plan(train_clips=60, test_clips=60, seed=1, shares={"split5": 1.0}).clips("split5") == 60


def test_a_small_tau_tree_has_files_of_the_official_format(tmp_path):
    few = {"train_clips": 60, "test_clips": 60, "shares": {"split5": 1.0}}
    tau_tree.write(tmp_path / "tau", **few, seed=1)
    listing = tau.listing(root=str(tmp_path / "tau"), split="split5")
    assert (len(listing.positions("train")), len(listing.positions("test"))) == (60, 60)
    assert listing.file == tau.listing(root=str(tmp_path / "tau"), split="fold1").file
    assert {f"audio/{file.name}" for file in (tmp_path / "tau/audio").iterdir()} == set(listing.file)
    for file in listing.file:
        info = soundfile.info(tmp_path / "tau" / file)
        assert (info.subtype, info.samplerate, info.channels, info.frames) == ("PCM_24", 44_100, 1, 44_100)
    header = (tmp_path / "tau/evaluation_setup/split5.csv").read_text().splitlines()[0]
    assert header == (tmp_path / "tau/evaluation_setup/test.csv").read_text().splitlines()[0] == "filename\tscene_label"


def test_clips_take_the_names_of_official_lists():
    lists = {"split5": names(SCENES, recordings=range(10)), "split10": names(SCENES, recordings=range(20))}
    lists["test"] = names(SCENES, recordings=range(500, 520), device="s5")
    plan = tau_tree.plan(train_clips=130, test_clips=61, seed=1, lists=lists)
    assert {name: plan.clips(name) for name in ("split5", "split10", "train", "test")} == {
        "split5": 65,
        "split10": 130,
        "train": 130,
        "test": 61,
    }
    for at in plan.locations:
        listed = lists["split10" if at.split == "train" else "test"]
        assert {f"audio/{name}" for _, _, name in at.names()} <= set(listed)
    assert plan.splits["split5"] < plan.splits["split10"]
    with pytest.raises(UserError, match="split5 has names for 80 made-up clips of 82"):
        tau_tree.plan(train_clips=164, test_clips=61, seed=1, lists=lists)
    with pytest.raises(UserError, match="test: 'tram-1.wav' is not audio/scene-city-"):
        tau_tree.plan(train_clips=130, test_clips=61, seed=1, lists=lists | {"test": ["tram-1.wav"]})


def test_audioset_tree_is_read_with_all_classes(tmp_path):
    audioset_tree.write(tmp_path / "as", **FEW, seed=1)
    both = audioset.listing(root=str(tmp_path / "as"), train="both", max_missing_share=0.0)
    assert both.classes == labels.read("audioset_527")
    assert (len(both.positions("train")), len(both.positions("test"))) == (17, 4)
    assert {len(clip) for clip in both.label} == {1, 2, 3}
    assert len(audioset.listing(root=str(tmp_path / "as"), train="balanced").positions("train")) == 12
    head = (tmp_path / "as/eval_segments.csv").read_text().splitlines()[:3]
    assert all(line.startswith("# ") for line in head) and "num_ytids=4" in head[1]
    info = soundfile.info(tmp_path / "as" / both.file[0])
    assert (info.subtype, info.samplerate, info.channels, info.frames) == ("PCM_16", 32_000, 1, 320_000)


def test_esc_tree_is_read_in_five_folds(tmp_path):
    esc_tree.write(tmp_path / "esc", only_esc10=True, seed=1)
    listing = esc.listing(root=str(tmp_path / "esc"), test_fold=2, only_esc10=True)
    assert (len(listing.positions("train")), len(listing.positions("test"))) == (40, 10)
    assert listing.classes == tuple(sorted(esc_tree.ESC10))
    info = soundfile.info(tmp_path / "esc" / listing.file[0])
    assert (info.subtype, info.samplerate, info.channels, info.frames) == ("PCM_16", 44_100, 1, 220_500)


def test_all_classes_of_esc_50_are_there():
    # ESC-50's meta/esc50.csv: dog is target 0, hand_saw 49; ESC-10 has targets 0, 1, 10, 11, 12, 20, 21, 38, 40, 41.
    assert len(set(esc_tree.CLASSES)) == 50
    assert [esc_tree.CLASSES.index(name) for name in esc_tree.ESC10] == [0, 1, 10, 11, 12, 20, 21, 38, 40, 41]


def test_impulse_responses_are_short_and_differ(tmp_path):
    impulse_responses.write(tmp_path / "ir", seed=1)
    waves = [soundfile.read(file) for file in sorted((tmp_path / "ir").iterdir())]
    assert len(waves) == 12 and {rate for _, rate in waves} == {44_100}
    spectra = []
    for wave, _ in waves:
        assert np.abs(wave).argmax() < 44 and np.sum(wave[2205:] ** 2) < 1e-3 * np.sum(wave**2)
        spectra.append(np.abs(np.fft.rfft(wave, 2 * len(wave))))
        assert spectra[-1].max() == pytest.approx(1, abs=0.02)
    assert len({round(float(spectrum[1500]), 4) for spectrum in spectra}) == 12


@pytest.mark.parametrize(
    "write",
    [
        lambda folder, seed: audioset_tree.write(folder, balanced_clips=2, unbalanced_clips=1, eval_clips=1, seed=seed),
        lambda folder, seed: esc_tree.write(folder, only_esc10=True, seed=seed),
        lambda folder, seed: impulse_responses.write(folder, count=3, seed=seed),
    ],
)
def test_the_bytes_depend_on_the_seed_alone(tmp_path, write):
    for folder, seed in (("one", 1), ("two", 1), ("other", 2)):
        write(tmp_path / folder, seed)
    one, two, other = (digests(tmp_path / folder) for folder in ("one", "two", "other"))
    assert one == two
    assert not set(one.values()) & {sound for file, sound in other.items() if file.suffix == ".wav"}


def test_the_sound_of_a_class_is_nearer_to_its_own_than_to_another():
    def spectrum(label, seed):
        wave = labelled.sound([label], np.random.default_rng(seed), seconds=2, rate_hz=16_000)
        power = np.abs(np.fft.rfft(wave)) ** 2
        bands = np.log([part.sum() for part in np.array_split(power, 80)])
        return bands - bands.mean()

    first = [spectrum(label, 1) for label in range(0, 527, 13)]
    second = np.stack([spectrum(label, 2) for label in range(0, 527, 13)])
    nearest = [int(np.argmin(((second - one) ** 2).sum(1))) for one in first]
    assert np.mean(np.array(nearest) == np.arange(len(first))) > 0.5  # by chance 1 of 41
