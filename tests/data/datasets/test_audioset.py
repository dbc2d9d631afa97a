from collections import Counter

import numpy as np
import pytest
import soundfile

from asc_tf.data.datasets import audioset
from asc_tf.data.datasets.listing import validation_part
from asc_tf.data.prepared import shards
from asc_tf.errors import UserError
from asc_tf.recipe import checks

# The head and the first rows of the official files, but for IDs that were chosen to be awkward.
LABELS = """index,mid,display_name
0,/m/09x0r,"Speech"
1,/m/05zppz,"Male speech, man speaking"
2,/t/dd00088,"Gush"
3,/m/012xff,"Toothbrush"
"""
HEAD = """# Segments csv created Sun Mar  5 10:54:31 2017
# num_ytids=22160, num_segs=22160, num_unique_labels=527, num_positive_labels=52882
# YTID, start_seconds, end_seconds, positive_labels
"""
BALANCED = """--PJHxphWEs, 30.000, 40.000, "/m/09x0r,/t/dd00088"
--ZhevVpy1s, 50.000, 60.000, "/m/012xff"
_a_E2O5G5-_, 0.000, 10.000, "/m/09x0r"
YaE2O5G5WE_, 0.000, 10.000, "/m/05zppz,/m/09x0r"
"""
UNBALANCED = """---1_cCGK4M, 0.000, 8.000, "/t/dd00088"
"""
EVAL = """-0RWZT-miFs, 420.000, 430.000, "/m/05zppz,/m/09x0r"
YYYYYYYYYYY, 21.000, 31.000, "/m/012xff,/t/dd00088"
"""
FILES = [
    "balanced_train_segments/Y--PJHxphWEs.wav",
    "balanced_train_segments/--ZhevVpy1s.flac",
    "balanced_train_segments/Y_a_E2O5G5-__0.000_10.000.wav",
    "balanced_train_segments/YaE2O5G5WE__0.WAV",
    "unbalanced_train_segments/part00/---1_cCGK4M_0-8.wav",
    "eval_segments/-0RWZT-miFs_420000_430000.flac",
    "eval_segments/YYYYYYYYYYY_21000.wav",
]


@pytest.fixture
def root(tmp_path):
    """AudioSet's tables in their exact format, cut to a few rows, and empty files in usual layouts."""
    (tmp_path / "class_labels_indices.csv").write_text(LABELS)
    for name, rows in (("balanced_train", BALANCED), ("unbalanced_train", UNBALANCED), ("eval", EVAL)):
        (tmp_path / f"{name}_segments.csv").write_text(HEAD + rows)
    for file in FILES:
        (tmp_path / "audio" / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "audio" / file).touch()
    return tmp_path


def listing(root, train="both", **settings):
    return audioset.listing(root=str(root), train=train, audio_folder="audio", **settings)


def test_files_of_every_usual_name_are_listed_with_all_their_classes(root):
    clips = listing(root)
    assert clips.classes == ("Speech", "Male speech, man speaking", "Gush", "Toothbrush")
    assert clips.root == root / "audio" and clips.file == tuple(FILES) and clips.multi_label == audioset.MULTI_LABEL
    assert clips.split == ("train",) * 5 + ("test",) * 2
    assert clips.label[:4] == (
        ("Speech", "Gush"), ("Toothbrush",), ("Speech",), ("Male speech, man speaking", "Speech"),
    )  # fmt: skip
    assert clips.label[5:] == (("Male speech, man speaking", "Speech"), ("Toothbrush", "Gush"))


def test_train_selects_the_tables(root):
    assert Counter(listing(root, "balanced").split) == {"train": 4, "test": 2}
    assert listing(root, "unbalanced").file[0] == FILES[4] and len(listing(root, "unbalanced")) == 3


def test_other_files_and_second_copies_are_ignored(root):
    for name in ("notes.txt", "tooshort.wav", "--PJHxphWEs.wav.part", "--PJHxphWEs_new.wav", "zz/--PJHxphWEs.flac"):
        (root / "audio" / name).parent.mkdir(exist_ok=True)
        (root / "audio" / name).touch()
    assert listing(root).file == tuple(FILES)


def test_clips_without_a_file_are_counted_and_left_out(root, capsys):
    (root / "audio" / FILES[1]).unlink()
    assert listing(root).file == (FILES[0], *FILES[2:])
    summary = "audioset: balanced_train_segments.csv: 1 of 4 clips have no file (25.0%) and are left out"
    assert capsys.readouterr().err.strip() == summary
    with pytest.raises(UserError, match="1 of 4 .* the first is '--ZhevVpy1s'.*raise dataset.max_missing_share = 0.2"):
        listing(root, max_missing_share=0.2)


@pytest.mark.parametrize(
    ("table", "line", "message"),
    [
        ("eval", "#NAME?,0,10,/m/09x0r", r"eval_segments.csv:6: a spreadsheet has changed"),
        ("eval", "# a late comment", r"eval_segments.csv:6: '# a late comment' is not `YTID"),
        ("eval", 'short, 0.000, 10.000, "/m/09x0r"', r"segments.csv:6: .* ID of 11 characters"),
        ("eval", "-0RWZT-miFt, 0.000, 10.000, /m/09x0r", r"segments.csv:6: .* is not `YTID"),
        ("eval", '-0RWZT-miFt, 0.000, 10.000, ""', r"segments.csv:6: .* is not `YTID"),
        (
            "balanced_train",
            '-0RWZT-miFt, 0.000, 10.000, "/m/nine"',
            r"segments.csv:8: class '/m/nine' is not in class_",
        ),
        ("balanced_train", '--ZhevVpy1s, 0.000, 10.000, "/m/09x0r"', r"csv:8: video '--ZhevVpy1s' is listed twice"),
        ("balanced_train", EVAL.splitlines()[0], r"'eval_segments/.*' is listed twice \(train, test\)"),
    ],
)
def test_a_wrong_row_is_an_error_with_its_line(root, table, line, message):
    with open(root / f"{table}_segments.csv", "a") as rows:
        rows.write(line + "\n")
    with pytest.raises(UserError, match=message):
        listing(root)


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("class_labels_indices.csv", LABELS.replace("2,/t", "7,/t"), r"indices.csv:4: index '7' where 2 must follow"),
        ("class_labels_indices.csv", LABELS.replace("Gush", "Speech"), r"'Speech' is there twice"),
        ("class_labels_indices.csv", "index,mid\n0,/m/09x0r\n", "no column 'display_name'"),
        ("eval_segments.csv", HEAD, "eval_segments.csv: the table has no rows"),
        ("eval_segments.csv", None, "eval_segments.csv: cannot be read .* put the official one there"),
    ],
)
def test_a_wrong_table_is_an_error_with_its_name(root, file, content, message):
    (root / file).unlink()
    if content is not None:
        (root / file).write_text(content)
    with pytest.raises(UserError, match=message):
        listing(root)


def test_an_absent_folder_is_an_error_with_its_setting(root):
    with pytest.raises(UserError, match="dataset.audio_folder = .*audios"):
        audioset.listing(root=str(root), train="both", audio_folder="audios")


def test_flac_and_wav_are_prepared(root, tmp_path):
    for file in FILES:
        kind = "FLAC" if file.endswith("flac") else "WAV"
        soundfile.write(root / "audio" / file, np.full(8000, 0.25), 8000, format=kind)
    prepared = shards.prepare(listing(root), folder=tmp_path / "out", sample_rate_hz=8000, quiet=True)
    assert (prepared.read(np.arange(len(FILES))) == 8192).all()


def test_validation_has_rare_classes_too(root):
    rows = [f'{n:011d}, 0.000, 10.000, "/m/09x0r{",/m/012xff" if n % 50 == 0 else ""}"' for n in range(1000)]
    (root / "balanced_train_segments.csv").write_text(HEAD + "\n".join(rows) + "\n")
    for n in range(1000):
        (root / f"audio/{n:011d}.wav").touch()
    whole = listing(root, "balanced")
    train, validation = validation_part(whole, share=0.1, seed=1)
    assert sorted(train + validation) == list(range(1000))
    assert Counter(len(whole.label[position]) for position in validation) == {1: 98, 2: 2}
    assert validation != validation_part(whole, share=0.1, seed=2)[1]
    # Removed clips change the choice for the others by at most the last of their class.
    for n in range(0, 1000, 100):
        (root / f"audio/{n:011d}.wav").unlink()
    fewer = listing(root, "balanced")
    remaining = {fewer.file[p] for p in validation_part(fewer, share=0.1, seed=1)[1]}
    assert len(remaining - {whole.file[p] for p in validation}) <= 1


def test_a_wrong_choice_of_train_in_a_recipe_is_an_error(root):
    tree = {"seed": 1, "dataset": {"name": "audioset", "root": str(root), "train": "balance"}}
    message = "data/datasets/audioset: train = 'balance' is not a choice. Did you mean 'balanced'"
    with pytest.raises(UserError, match=message):
        checks.from_tree(tree | dict.fromkeys(("feature", "model", "train"), {}), "a.toml")


@pytest.mark.parametrize(("train", "clips"), [("balanced", 22_160), ("unbalanced", 2_041_789), ("both", 2_063_949)])
def test_expected_clips_are_the_rows_of_the_official_tables(train, clips):
    assert audioset.expected_clips(root="audioset", train=train) == {"train": clips, "test": 20_371}
