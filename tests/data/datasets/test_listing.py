from collections import Counter

import numpy as np
import pytest

from asc_tf.data.datasets.listing import Clip, Listing, check_classes, check_listing, existing_folder, validation_part
from asc_tf.errors import UserError


def test_an_absent_folder_is_an_error_with_its_setting(tmp_path):
    with pytest.raises(UserError, match=r"dataset.root = .*none.*Unpack it"):
        existing_folder(tmp_path / "none", "dataset.root", "Unpack it.")


def listing(root, *clips):
    for clip in clips:
        (root / clip.file).touch()
    return Listing.from_clips(root, ("bus", "tram"), clips)


def test_a_listing_without_faults_is_returned(tmp_path):
    whole = listing(tmp_path, Clip("a.wav", "bus", "train"), Clip("b.wav", "tram", "test"))
    assert check_listing(whole, "meta.csv") is whole


@pytest.mark.parametrize(
    ("clips", "message"),
    [
        ([Clip("a.wav", "buss", "train")], "label 'buss' is not known. Did you mean 'bus'?"),
        ([Clip("a.wav", "bus", "train")], "the test split has no clips"),
        ([Clip("a.wav", "bus", "test")], "the train split has no clips"),
        ([Clip("a.wav", "bus", "train"), Clip("a.wav", "bus", "test")], r"'a.wav' is listed twice \(train, test\)"),
    ],
)
def test_a_fault_of_a_listing_is_an_error(tmp_path, clips, message):
    with pytest.raises(UserError, match=message):
        check_listing(listing(tmp_path, *clips), "meta.csv")


def test_a_class_in_one_split_only_is_an_error(tmp_path):
    clips = Clip("a", "bus", "train"), Clip("b", "bus", "test"), Clip("c", "tram", "train")
    with pytest.raises(UserError, match="'tram' has no clips in the test split"):
        check_classes(listing(tmp_path, *clips), "split.csv")


def training_listing(root, *, seed=3, devices=True):
    """Training clips of three classes at 20 locations each, of uneven length, by a common and a rare device."""
    rng = np.random.default_rng(seed)
    clips = []
    for label in ("bus", "park", "tram"):
        for location in range(20):
            device = ("a", "a", "a", "b")[location % 4] if devices else ""
            for second in range(rng.integers(5, 15)):
                file = f"{label}-{location}-{second}"
                clips.append(Clip(file, label, "train", device, "lyon", f"{label}-{location}"))
    tests = [Clip(f"{label}-test", label, "test", "a", "lyon", f"{label}-0") for label in ("bus", "park", "tram")]
    return Listing.from_clips(root, ("bus", "park", "tram"), tuple(clips + tests))


@pytest.mark.parametrize("share", [0.1, 0.25, 0.5])
def test_validation_is_near_its_share_of_every_class_and_device(tmp_path, share):
    whole = training_listing(tmp_path)
    train, validation = validation_part(whole, share=share, seed=1)
    every = Counter((whole.clips[p].label, whole.clips[p].device) for p in train + validation)
    validated = Counter((whole.clips[p].label, whole.clips[p].device) for p in validation)
    for label in whole.classes:
        clips = every[label, "a"] + every[label, "b"]
        assert abs(validated[label, "a"] + validated[label, "b"] - share * clips) <= 5
        assert abs(validated[label, "b"] - share * every[label, "b"]) <= 10


def test_validation_takes_whole_groups_of_the_training_split_only(tmp_path):
    whole = training_listing(tmp_path)
    train, validation = validation_part(whole, share=0.2, seed=1)
    assert sorted(train + validation) == whole.positions("train") and train == sorted(train)
    assert not {whole.clips[p].group for p in train} & {whole.clips[p].group for p in validation}


def test_validation_depends_on_the_seed_alone(tmp_path):
    whole = training_listing(tmp_path)
    turned = Listing.from_clips(whole.root, whole.classes, whole.clips[::-1])
    files = {clip.file for clip in (whole.clips[p] for p in validation_part(whole, share=0.2, seed=1)[1])}
    assert files == {turned.clips[p].file for p in validation_part(turned, share=0.2, seed=1)[1]}
    assert files != {whole.clips[p].file for p in validation_part(whole, share=0.2, seed=2)[1]}


def test_a_class_of_one_group_stays_in_training(tmp_path):
    clips = [Clip(f"bus{n}", "bus", "train", group="all") for n in range(9)]
    clips += [Clip(f"tram{n}", "tram", "train", group=f"tram{n // 3}") for n in range(9)]
    train, validation = validation_part(Listing.from_clips(tmp_path, ("bus", "tram"), tuple(clips)), share=0.1, seed=1)
    assert set(range(9)) <= set(train) and len(validation) == 3


def test_a_group_of_two_classes_is_not_divided_and_empties_neither(tmp_path):
    clips = [Clip(f"{label}{n}", label, "train", group=f"day{n}") for label in ("bus", "tram") for n in range(10)]
    train, validation = validation_part(Listing.from_clips(tmp_path, ("bus", "tram"), tuple(clips)), share=0.3, seed=1)
    assert len(validation) == 6 and {p % 10 for p in train}.isdisjoint(p % 10 for p in validation)


def test_clips_without_a_group_are_drawn_one_by_one(tmp_path):
    clips = tuple(Clip(f"bus{n}", "bus", "train") for n in range(10))
    assert len(validation_part(Listing.from_clips(tmp_path, ("bus",), clips), share=0.3, seed=1)[1]) == 3


def test_a_share_of_0_gives_no_validation(tmp_path):
    whole = training_listing(tmp_path)
    assert validation_part(whole, share=0, seed=1) == (whole.positions("train"), [])


@pytest.mark.parametrize("share", [-0.1, 1.0])
def test_a_share_out_of_range_is_an_error(tmp_path, share):
    with pytest.raises(UserError, match="data.validation_share"):
        validation_part(training_listing(tmp_path), share=share, seed=1)


def test_one_group_in_every_class_is_an_error(tmp_path):
    clips = tuple(Clip(f"{label}{n}", label, "train", group=label) for label in ("bus", "tram") for n in range(4))
    with pytest.raises(UserError, match="Set data.validation_share = 0, or give the clips more groups"):
        validation_part(Listing.from_clips(tmp_path, ("bus", "tram"), clips), share=0.1, seed=1)
