from collections import Counter

import pytest

from asc_tf.data.datasets import esc
from asc_tf.data.datasets.listing import Listing
from asc_tf.data.prepared import shards
from asc_tf.errors import UserError

# (filename, label, fold, source, one of ESC-10)
ROWS = [
    (f"{fold}-{label}-{take}.wav", label, str(fold), f"{label}{fold}", label != "cow")
    for fold in (1, 2, 3)
    for label in ("cow", "dog", "rain")
    for take in "AB"
]


def tree(root, rows=ROWS, *, official=True):
    """A tree in the official layout, or in the plain one with meta.csv; its audio files are empty."""
    (root / "audio").mkdir(parents=True)
    (root / "meta").mkdir()
    for row in rows:
        (root / "audio" / row[0]).touch()
    if official:
        lines = ["filename,fold,target,category,esc10,src_file,take"]
        lines += [f"{file},{fold},0,{label},{ten},{source},A" for file, label, fold, source, ten in rows]
        (root / "meta/esc50.csv").write_text("\n".join(lines) + "\n")
    else:
        lines = ["filename\tlabel\tfold\tsource", *("\t".join(row[:4]) for row in rows)]
        (root / "meta.csv").write_text("\n".join(lines) + "\n")
    return str(root)


@pytest.mark.parametrize("official", [True, False])
def test_one_fold_is_tested_and_the_others_trained_on(tmp_path, official):
    listing = esc.listing(root=tree(tmp_path / "esc", official=official), test_fold=2)
    assert listing.classes == ("cow", "dog", "rain")
    assert [(c.file, c.label, c.split, c.group) for c in listing.clips] == [
        (f"audio/{file}", label, "test" if fold == "2" else "train", source) for file, label, fold, source, _ in ROWS
    ]


def test_file_names_may_include_their_folder(tmp_path):
    rows = [("audio/" + row[0], *row[1:]) for row in ROWS]
    root = tree(tmp_path / "esc")
    tree(tmp_path / "named", rows=ROWS, official=False)
    lines = ["filename\tlabel\tfold\tsource", *("\t".join(row[:4]) for row in rows)]
    (tmp_path / "named/meta.csv").write_text("\n".join(lines) + "\n")
    listing = esc.listing(root=str(tmp_path / "named"), test_fold=2)
    assert listing.clips == esc.listing(root=root, test_fold=2).clips


def test_only_esc10_takes_the_marked_classes(tmp_path):
    assert esc.listing(root=tree(tmp_path / "esc"), test_fold=1, only_esc10=True).classes == ("dog", "rain")


def test_only_esc10_without_its_column_is_an_error(tmp_path):
    with pytest.raises(UserError, match="no column 'esc10'"):
        esc.listing(root=tree(tmp_path / "esc", official=False), test_fold=1, only_esc10=True)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (("x.wav", "cow", "3", "cow1", True), r"esc50.csv:20: source 'cow1' is in fold 1 too"),
        (("x.wav", "cow", "one", "new", True), r"esc50.csv:20: fold 'one' .* whole number"),
        (("x.wav", "cwo", "3", "new", True), r"class 'cwo' has no clips in the test split. Did you mean 'cow'\?"),
    ],
)
def test_a_wrong_row_is_an_error_with_its_line(tmp_path, row, message):
    with pytest.raises(UserError, match=message):
        esc.listing(root=tree(tmp_path / "esc", [*ROWS, row]), test_fold=1)


def test_an_absent_fold_is_an_error(tmp_path):
    with pytest.raises(UserError, match="dataset.test_fold = 5 is not a fold .* Known: 1, 2, 3"):
        esc.listing(root=tree(tmp_path / "esc"), test_fold=5)


def test_left_out_folds_are_neither_trained_on_nor_tested(tmp_path):
    listing = esc.listing(root=tree(tmp_path / "esc"), test_fold=2, left_out_folds=[3])
    assert {clip.file.split("/")[-1].split("-")[0]: clip.split for clip in listing.clips} == {"1": "train", "2": "test"}
    for wrong, message in (([4], "left_out_folds = 4 is not a fold"), ([2], "fold 2 is dataset.test_fold")):
        with pytest.raises(UserError, match=message):
            esc.listing(root=tree(tmp_path / f"esc{wrong}"), test_fold=2, left_out_folds=wrong)


def test_an_absent_folder_table_or_file_is_an_error_with_its_name(tmp_path):
    with pytest.raises(UserError, match="dataset.root"):
        esc.listing(root=str(tmp_path / "none"), test_fold=1)
    with pytest.raises(UserError, match="neither meta/esc50.csv nor meta.csv"):
        esc.listing(root=str(tmp_path), test_fold=1)
    root = tree(tmp_path / "esc")
    (tmp_path / "esc/audio" / ROWS[3][0]).unlink()
    with pytest.raises(UserError, match=f"the first is 'audio/{ROWS[3][0]}'"):
        shards.prepare(esc.listing(root=root, test_fold=1), folder=tmp_path / "out", sample_rate_hz=8000)


def test_the_recordings_of_esc10_have_their_published_numbers_and_lengths(tmp_path, shared):
    listing = esc.listing(root=str(shared / "data/esc10"), test_fold=4)
    # shared/README.md: 320 clips in folds 1 to 4, 5 s each, but 4-164661-B lasts 3.64 s.
    assert Counter(clip.split for clip in listing.clips) == {"train": 240, "test": 80}
    assert len(listing.classes) == 10
    tested = Listing.from_clips(
        listing.root, listing.classes, [listing.clips[position] for position in listing.positions("test")]
    )
    prepared = shards.prepare(tested, folder=tmp_path, sample_rate_hz=32000, quiet=True)
    assert Counter(Counter(prepared.clip.tolist()).values()) == {5: 79, 4: 1}


@pytest.mark.parametrize(
    ("settings", "train", "test"),
    [
        ({}, 1600, 400),
        ({"left_out_folds": [5]}, 1200, 400),
        ({"only_esc10": True}, 320, 80),
        ({"only_esc10": True, "left_out_folds": [4, 5]}, 160, 80),
    ],
)
def test_expected_clips_are_those_of_the_folds(settings, train, test):
    assert esc.expected_clips(root="esc", test_fold=1, **settings) == {"train": train, "test": test}
