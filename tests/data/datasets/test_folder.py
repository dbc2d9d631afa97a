from collections import Counter

import numpy as np
import pytest
import soundfile

from asc_tf.data.datasets import folder
from asc_tf.data.prepared import shards
from asc_tf.errors import UserError


def tree(root, files):
    for file in files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).touch()
    return root


def single(classes=("car", "home"), files=10):
    return [f"{label}/{number:02d}.wav" for label in classes for number in range(files)]


def parts(listing):
    """{split: files}."""
    return {split: [listing.clips[p].file for p in listing.positions(split)] for split in ("train", "test")}


def test_a_sub_folder_is_a_class(tmp_path):
    others = ["car/notes.txt", "car/.hidden.wav", "car/.cache/x.wav", ".git/x.wav", "readme.wav"]
    listing = folder.listing(root=str(tree(tmp_path, [*single(), "car/deep/er/x.FLAC", *others])))
    assert listing.classes == ("car", "home")
    assert sorted(clip.file for clip in listing.clips) == sorted([*single(), "car/deep/er/x.FLAC"])
    assert all(clip.file.startswith(clip.label) for clip in listing.clips)


@pytest.mark.parametrize("share", [0.1, 0.2, 0.5])
def test_every_class_has_its_share_in_the_test(tmp_path, share):
    listing = folder.listing(root=str(tree(tmp_path, single())), test_share=share)
    assert Counter(listing.clips[p].label for p in listing.positions("test")) == {"car": 10 * share, "home": 10 * share}


def test_the_split_depends_on_the_seed(tmp_path):
    root = str(tree(tmp_path, single()))
    drawn = [parts(folder.listing(root=root, seed=seed)) for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]


def test_files_of_a_sub_folder_are_in_one_split(tmp_path):
    files = [f"{label}/day{day}/{n}.wav" for label in ("car", "home") for day in range(5) for n in range(4)]
    files_of = parts(folder.listing(root=str(tree(tmp_path, files)), test_share=0.4))
    days = {split: {file.rpartition("/")[0] for file in files} for split, files in files_of.items()}
    assert not days["train"] & days["test"] and len(days["test"]) == 4


def test_a_pattern_groups_across_classes(tmp_path):
    files = [f"{label}/{name}_{n}.wav" for label in ("car", "home") for name in ("ann", "bob", "eve") for n in range(3)]
    files_of = parts(folder.listing(root=str(tree(tmp_path, files)), test_share=0.3, group_pattern=r"/([a-z]+)_"))
    people = {split: {file.split("/")[1].split("_")[0] for file in files} for split, files in files_of.items()}
    assert len(people["test"]) == 1 and not people["train"] & people["test"]


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("([a-z", "is not a regular expression"),
        ("[a-z]+", "must have one group in brackets, not 0"),
        ("(x)(y)", "not 2"),
        ("(bus)", "matches nothing in 'car/00.wav'"),
        ("(a|o)", "cannot be divided into training and test"),
    ],
)
def test_a_wrong_pattern_is_an_error(tmp_path, pattern, message):
    with pytest.raises(UserError, match=message):
        folder.listing(root=str(tree(tmp_path, single())), group_pattern=pattern)


@pytest.mark.parametrize("delimiter", [",", "\t"])
def test_a_table_may_give_the_split(tmp_path, delimiter):
    root = tree(tmp_path / "in", single(files=3))
    rows = [
        "split,filename,device,city,group",
        "train,car/00.wav,a,lyon,g1",
        "test,./car/01.wav,b,,",
        "test,home/00.wav",
    ]
    rows += ["train,home/01.wav,,,"]
    (tmp_path / "split.csv").write_text("\n".join(rows).replace(",", delimiter))
    listing = folder.listing(root=str(root), split_csv=str(tmp_path / "split.csv"))
    assert [(c.file, c.label, c.split, c.device, c.city, c.group) for c in listing.clips] == [
        ("car/00.wav", "car", "train", "a", "lyon", "g1"),
        ("car/01.wav", "car", "test", "b", "", "car/01"),
        ("home/00.wav", "home", "test", "", "", "home/00"),
        ("home/01.wav", "home", "train", "", "", "home/01"),
    ]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("filename,part\ncar/00.wav,train", "no column 'split'"),
        ("filename,split\ncar/77.wav,train", r"split.csv:2: there is no audio file 'car/77.wav'"),
        ("filename,split\ncar/00.wav,training", r"split.csv:2: split 'training' is neither"),
        (
            "filename,split\ncar/00.wav,train\ncar/01.wav,test\nhome/00.wav,train",
            "'home' has no clips in the test split",
        ),
        ("filename,split,group\ncar/00.wav,train,g\ncar/01.wav,test,g", r"split.csv:3: group 'g'"),
        ("filename,split\ncar/00.wav,train\ncar/00.wav,train\nhome/00.wav,test", "listed twice"),
        ("filename,split\ncar/00.wav,train\nhome/00.wav,train", "the test split has no clips"),
    ],
)
def test_a_wrong_table_is_an_error_with_its_line(tmp_path, rows, message):
    (tmp_path / "split.csv").write_text(rows)
    with pytest.raises(UserError, match=message):
        folder.listing(root=str(tree(tmp_path / "in", single())), split_csv=str(tmp_path / "split.csv"))


@pytest.mark.parametrize(
    ("files", "options", "message"),
    [
        (single(classes=("car",)), {}, "holds 1 sub-folder"),
        ([*single(), "bus/notes.txt"], {}, "bus: a class without audio files"),
        ([*single(), "bus/one.wav"], {}, "bus: its groups cannot be divided"),
        (single(), {"test_share": 0.0}, "dataset.test_share = 0.0"),
        (single(), {"test_share": 1.0}, "dataset.test_share = 1.0"),
        (single(), {"seed": -1}, "dataset.seed = -1"),
        (single(), {"split_csv": "none.csv"}, "none.csv: cannot be read"),
    ],
)
def test_a_folder_that_cannot_be_split_is_an_error(tmp_path, files, options, message):
    with pytest.raises(UserError, match=message):
        folder.listing(root=str(tree(tmp_path, files)), **options)


def test_an_absent_folder_is_an_error(tmp_path):
    with pytest.raises(UserError, match="dataset.root = .* there is no such folder"):
        folder.listing(root=str(tmp_path / "none"))


def test_any_mix_of_formats_rates_and_channels_is_prepared(tmp_path):
    formats = [("wav", "PCM_24", 44100, 1), ("flac", "PCM_16", 96000, 2), ("ogg", "VORBIS", 22050, 1)]
    formats += [("wav", "FLOAT", 8000, 4), ("mp3", "MPEG_LAYER_III", 48000, 2), ("aiff", "PCM_16", 11025, 1)]
    for label, hz in (("low", 300), ("high", 1200)):
        (tmp_path / "in" / label).mkdir(parents=True)
        for extension, subtype, rate_hz, channels in formats:
            wave = 0.5 * np.sin(2 * np.pi * hz * np.arange(2 * rate_hz) / rate_hz)
            file = tmp_path / "in" / label / f"{subtype}-{rate_hz}.{extension}"
            soundfile.write(file, np.stack([wave] * channels, axis=1), rate_hz, subtype=subtype)
    listing = folder.listing(root=str(tmp_path / "in"))
    prepared = shards.prepare(listing, folder=tmp_path / "out", sample_rate_hz=16000, quiet=True)
    assert len(prepared) == 2 * 2 * len(formats)
    for clip, wave in zip(prepared.clip, prepared.read(np.arange(len(prepared))), strict=True):
        loudest = np.argmax(np.abs(np.fft.rfft(wave)))
        assert loudest == {"low": 300, "high": 1200}[listing.clips[clip].label]
        assert 0.45 * 32768 < np.sqrt(2 * np.mean(wave.astype(float) ** 2)) < 0.55 * 32768
