import os
import unicodedata
from collections import Counter

import numpy as np
import pytest
import soundfile

from asc_tf.data.datasets import folder
from asc_tf.data.datasets.listing import validation_part
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
        ("filename,split\ncar/00.wav,learning", r"split.csv:2: split 'learning' is neither"),
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


def test_what_is_passed_over_is_counted_by_its_reason(tmp_path):
    others = ["car/a.m4a", "car/b.M4A", "car/notes.txt", "car/.x.wav", "home/plain"]
    root = tree(tmp_path / "in", [*single(files=2), *others])
    os.mkfifo(root / "car/pipe.wav")
    listing = folder.listing(root=str(root), test_share=0.5)
    assert len(listing) == 4
    assert listing.summary == (
        "recordings: 4 files of 2 classes; passed over: 2 of ending .m4a (not read; convert to WAV or FLAC), "
        "1 hidden (name begins with a dot), 1 of ending .txt (not read), "
        "1 neither files nor folders, such as broken links, 1 without an ending (not read)"
    )


def test_a_class_that_is_mostly_passed_over_is_named(tmp_path):
    root = tree(tmp_path, [*single(files=3), *[f"car/{number}.m4a" for number in range(9)]])
    assert "ATTENTION: of 'car' only 3 of 12 recordings are read" in folder.listing(root=str(root)).summary


def test_linked_folders_are_read_once(tmp_path):
    root = tree(tmp_path / "in", single(files=2))
    outside = tree(tmp_path / "out", ["x.wav", "deep/y.wav"])
    (outside / "round").symlink_to(outside)
    for name, target in (("a", outside), ("b", outside), ("home", root / "home"), ("up", tmp_path)):
        (root / "car" / name).symlink_to(target)
    listing = folder.listing(root=str(root), test_share=0.5)
    assert sorted(listing.file) == [
        "car/00.wav",
        "car/01.wav",
        "car/a/deep/y.wav",
        "car/a/x.wav",
        "home/00.wav",
        "home/01.wav",
    ]
    assert listing.passed_over == {"links to folders that are read already": 4}


def test_a_folder_that_cannot_be_opened_is_counted(tmp_path, monkeypatch):
    root, scandir = tree(tmp_path, [*single(), "car/locked/x.wav"]), os.scandir

    def refuse(path):
        if str(path).endswith("locked"):
            raise PermissionError(path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert folder.listing(root=str(root)).passed_over == {"folders that cannot be opened": 1}


@pytest.mark.parametrize("names", [("train", "test"), ("Training", "EVAL", "Val"), ("train", "validation", "test")])
def test_folders_of_splits_are_read_as_splits(tmp_path, names):
    root = tree(tmp_path, [f"{name}/{file}" for name in names for file in single(files=2)])
    listing = folder.listing(root=str(root))
    assert listing.classes == ("car", "home")
    splits = {clip.file.split("/")[0]: clip.split for clip in listing.clips}
    expected = {"tra": "train", "tes": "test", "eva": "test", "val": "validation"}
    assert splits == {name: expected[name.lower()[:3]] for name in names}
    assert len(validation_part(listing, share=0.5, seed=1)[1]) == 4 if len(names) == 3 else True


@pytest.mark.parametrize(
    ("folders", "message"),
    [
        (("train", "car", "tram"), "'train' has the name of a split"),
        (("train", "val"), "must be train and test"),
        (("test", "eval", "train"), "must be train and test"),
        (("fold1", "fold2"), "dataset.labels_csv, and dataset.test_fold"),
        (("Fold 1", "car"), "a folder of a fold is no class"),
    ],
)
def test_a_split_is_never_taken_for_a_class(tmp_path, folders, message):
    with pytest.raises(UserError, match=message):
        folder.listing(root=str(tree(tmp_path, single(folders))))


@pytest.mark.parametrize("name", ["a\nb", "a\u2028b", "a\x1b[31m", os.fsdecode(b"caf\xe9"), "a\x85b"])
def test_a_class_name_that_is_no_line_is_refused(tmp_path, name):
    with pytest.raises(UserError) as raised:
        folder.listing(root=str(tree(tmp_path, single((name, "home")))))
    assert ascii(name) in str(raised.value) and str(raised.value).isprintable()


def test_file_names_that_are_not_utf8_are_listed(tmp_path):
    file = os.fsdecode(b"car/caf\xe9.wav")
    assert file in folder.listing(root=str(tree(tmp_path, [*single(), file]))).file


@pytest.mark.parametrize("spelt", [lambda file, root: file, lambda file, root: str(root / file)])
@pytest.mark.parametrize("forms", [("NFC", "NFD"), ("NFD", "NFC"), ("NFC", "NFC")])
def test_names_match_in_any_unicode_form_and_as_absolute_paths(tmp_path, forms, spelt):
    on_disk, written = ([unicodedata.normalize(form, f"caf\xe9/{n}.wav") for n in range(2)] for form in forms)
    root = tree(tmp_path / "in", [*on_disk, "home/0.wav", "home/1.wav"])
    rows = [f"{spelt(file, root)};{split}" for file, split in zip(written, ("Train", "TEST"), strict=True)]
    (tmp_path / "t.csv").write_text("\n".join(["Filename;Split", *rows, "home/0.wav;training", "home/1.wav;test"]))
    listing = folder.listing(root=str(root), split_csv=str(tmp_path / "t.csv"))
    assert listing.file == (*on_disk, "home/0.wav", "home/1.wav")
    assert listing.split == ("train", "test", "train", "test")
    assert any("NFC" in note for note in listing.notes) == (forms[0] != forms[1])


def labelled(
    tmp_path, rows, files=("fold1/a.wav", "fold1/b.wav", "fold2/c.wav", "fold2/d.wav", "fold2/e.wav"), **settings
):
    (tmp_path / "labels.csv").write_text("\n".join(rows))
    root = str(tree(tmp_path / "in", files))
    return folder.listing(root=root, labels_csv=str(tmp_path / "labels.csv"), **settings)


def test_labels_may_come_from_a_table_with_folds(tmp_path):
    rows = ["filename,fold,label", "a.wav,1,dog", "fold1/b.wav,1,siren", "c.wav,2,dog", "d.wav,2,siren"]
    listing = labelled(tmp_path, rows, test_fold=2)
    assert listing.classes == ("dog", "siren")
    assert list(zip(listing.file, listing.label, listing.split, strict=True)) == [
        ("fold1/a.wav", "dog", "train"),
        ("fold1/b.wav", "siren", "train"),
        ("fold2/c.wav", "dog", "test"),
        ("fold2/d.wav", "siren", "test"),
    ]
    assert listing.passed_over == {"not in labels.csv": 1}


def test_the_columns_of_a_published_table_are_recognised_and_noted(tmp_path):
    head = "slice_file_name,fsID,start,end,salience,fold,classID,class"  # of UrbanSound8K
    clips = [("a", 1, "3,dog"), ("b", 1, "8,siren"), ("c", 2, "3,dog"), ("d", 2, "8,siren")]
    rows = [head, *(f"{name}.wav,1,0.0,4.0,1,{fold},{label}" for name, fold, label in clips)]
    listing = labelled(tmp_path, rows, test_fold=2)
    assert list(zip(listing.label, listing.split, strict=True)) == [
        ("dog", "train"), ("siren", "train"), ("dog", "test"), ("siren", "test"),
    ]  # fmt: skip
    assert listing.notes == (
        "column slice_file_name of labels.csv taken as filename",
        "column class of labels.csv taken as label",
    )


def test_labels_without_splits_have_a_test_split_drawn(tmp_path):
    rows = ["filename,label", *[f"{n}.wav,{'dog' if n % 2 else 'siren'}" for n in range(10)]]
    listing = labelled(tmp_path, rows, files=[f"{n}.wav" for n in range(10)], test_share=0.4)
    assert Counter(zip(listing.label, listing.split, strict=True))["dog", "test"] == 2


@pytest.mark.parametrize(
    ("rows", "settings", "message"),
    [
        (["filename,label,fold", "a.wav,dog,1", "c.wav,dog,2"], {}, "set dataset.test_fold"),
        (["filename,label", "a.wav,dog", "x.wav,dog"], {}, "labels.csv:3: there is no audio file 'x.wav'"),
        (["filename,label", "/etc/a.wav,dog"], {}, "there is no audio file '/etc/a.wav'"),
        (["filename,label,split", "a.wav,dog,train", "c.wav,dog,"], {}, "labels.csv:3: a value is missing"),
        (["filename,kind", "a.wav,dog"], {}, "no column 'label'"),
        (["filename,class,category", "a.wav,dog,pets"], {}, "no column 'label'"),
        (["filename,label", "a.wav,dog"], {"split_csv": "x.csv"}, "put the splits into the table of labels"),
    ],
)
def test_a_wrong_table_of_labels_is_an_error(tmp_path, rows, settings, message):
    with pytest.raises(UserError, match=message):
        labelled(tmp_path, rows, **settings)


def test_a_bare_name_that_several_files_have_is_refused(tmp_path):
    with pytest.raises(UserError, match="several files are named 'a.wav'"):
        labelled(tmp_path, ["filename,label", "a.wav,dog"], files=("x/a.wav", "y/a.wav"))
