import gzip
from collections import Counter

import numpy as np
import pytest
import soundfile

from asc_tf.data.datasets import tau
from asc_tf.data.datasets.csv_table import read_table
from asc_tf.data.datasets.listing import validation_part
from asc_tf.data.prepared import shards
from asc_tf.errors import UserError

# Names as TAU 2022 gives them; the locations of training and test differ.
TRAIN = [f"audio/{s}-lisbon-1000-40000-{n}-{d}.wav" for s in ("airport", "metro_station") for n in (0, 1) for d in "ab"]
TEST = [f"audio/{scene}-madrid-203-6129-0-{d}.wav" for scene in ("airport", "metro_station") for d in ("c", "s6")]


def meta_row(file):
    scene, city, location, *_, device = file.removeprefix("audio/").removesuffix(".wav").split("-")
    return {"filename": file, "scene_label": scene, "identifier": f"{city}-{location}", "source_label": device}


def table(file, rows, columns=None):
    file.parent.mkdir(parents=True, exist_ok=True)
    columns = columns or list(rows[0])
    lines = ["\t".join(columns), *("\t".join(row[column] for column in columns) for row in rows)]
    content = ("\n".join(lines) + "\n").encode()
    file.write_bytes(gzip.compress(content) if file.suffix == ".gz" else content)


def tree(root, *, train=TRAIN, test=TEST, files=None):
    """A tree as unpacked from TAU's archives, its audio files empty; only those in `files` exist, if given."""
    (root / "audio").mkdir(parents=True)
    for file in files or train + test:
        (root / file).touch()
    train_rows, test_rows = ([meta_row(file) for file in names] for names in (train, test))
    table(root / "meta.csv", train_rows + test_rows)
    table(root / "evaluation_setup/fold1_train.csv", train_rows, ["filename", "scene_label"])
    table(root / "evaluation_setup/fold1_evaluate.csv", test_rows, ["filename", "scene_label"])
    table(root / "evaluation_setup/fold1_test.csv", test_rows, ["filename"])
    return root


def test_scene_device_city_and_location_are_read_from_the_names(tmp_path):
    listing = tau.listing(root=str(tree(tmp_path / "tau")), split="fold1")
    assert listing.classes == tau.SCENES == tuple(sorted(tau.SCENES)) and len(tau.SCENES) == 10
    assert [clip.file for clip in listing.clips] == TRAIN + TEST
    first, last = listing.clips[0], listing.clips[-1]
    assert (first.label, first.split, first.device, first.city) == ("airport", "train", "a", "lisbon")
    assert (last.label, last.split, last.device, last.city) == ("metro_station", "test", "s6", "madrid")
    assert (first.group, last.group) == ("airport-lisbon-1000", "metro_station-madrid-203")


def test_the_names_of_2020_are_read(tmp_path):
    train, test = ["audio/airport-barcelona-0-0-a.wav"], ["audio/tram-vienna-285-8639-s3.wav"]
    listing = tau.listing(root=str(tree(tmp_path / "tau", train=train, test=test)), split="fold1")
    assert [(c.label, c.city, c.group, c.device) for c in listing.clips] == [
        ("airport", "barcelona", "airport-barcelona-0", "a"),
        ("tram", "vienna", "tram-vienna-285", "s3"),
    ]


def test_without_fold1_evaluate_the_labels_come_from_meta(tmp_path):
    root = tree(tmp_path / "tau")
    whole = tau.listing(root=str(root), split="fold1")
    (root / "evaluation_setup/fold1_evaluate.csv").unlink()
    assert tau.listing(root=str(root), split="fold1") == whole


@pytest.mark.parametrize("where", ["evaluation_setup", "", "elsewhere"])
@pytest.mark.parametrize("extension", ["csv", "csv.gz"])
def test_the_subsets_of_2024_are_read_from_any_of_three_folders(tmp_path, where, extension):
    root = tree(tmp_path / "tau")
    folder = tmp_path / where if where == "elsewhere" else root / where
    table(folder / f"split5.{extension}", [meta_row(file) for file in TRAIN[:3]], ["scene_label", "filename"])
    table(folder / f"test.{extension}", [meta_row(file) for file in TEST], ["filename", "scene_label"])
    options = {"splits_folder": str(folder)} if where == "elsewhere" else {}
    listing = tau.listing(root=str(root), split="split5", **options)
    assert [clip.file for clip in listing.clips] == TRAIN[:3] + TEST


def test_files_outside_the_split_may_be_absent(tmp_path):
    root = tree(tmp_path / "tau")
    other = meta_row("audio/bus-lyon-1-2-0-a.wav")
    table(root / "meta.csv", [meta_row(file) for file in TRAIN + TEST] + [other])
    assert len(tau.listing(root=str(root), split="fold1").clips) == len(TRAIN + TEST)


def test_the_identifier_may_include_the_scene(tmp_path):
    root = tree(tmp_path / "tau")
    rows = [row | {"identifier": f"{row['scene_label']}-{row['identifier']}"} for row in map(meta_row, TRAIN + TEST)]
    table(root / "meta.csv", rows)
    assert len(tau.listing(root=str(root), split="fold1").clips) == len(TRAIN + TEST)


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("source_label", "b", "source_label 'b', but the name states device 'a'"),
        ("identifier", "paris-1000", "identifier 'paris-1000', but the name states city 'lisbon'"),
        ("scene_label", "bus", "scene_label 'bus', but the name states 'airport'"),
        ("filename", "audio/airport-lisbon-1000-40000-9-a.wav", "has no row in"),
    ],
)
def test_a_contradiction_is_an_error_with_file_and_line(tmp_path, column, value, message):
    root = tree(tmp_path / "tau")
    rows = [meta_row(file) for file in TRAIN + TEST]
    rows[2][column] = value
    table(root / "meta.csv", rows)
    line = "fold1_train.csv:4" if column == "filename" else "meta.csv:4"
    with pytest.raises(UserError) as raised:
        tau.listing(root=str(root), split="fold1")
    assert message in str(raised.value) and line in str(raised.value) and TRAIN[2] in str(raised.value)


def test_a_label_that_contradicts_the_name_is_an_error(tmp_path):
    root = tree(tmp_path / "tau")
    rows = [meta_row(file) for file in TRAIN]
    rows[1]["scene_label"] = "airprt"
    table(root / "evaluation_setup/fold1_train.csv", rows)
    with pytest.raises(UserError, match="fold1_train.csv:3: scene_label 'airprt'"):
        tau.listing(root=str(root), split="fold1")


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("audio/beach-lisbon-1000-40000-0-a.wav", "label 'beach' is not known"),
        ("audio/airport-lisbon-1000-a.wav", "is not named as TAU names its files"),
    ],
)
def test_names_that_are_not_of_tau_are_an_error(tmp_path, file, message):
    root = tree(tmp_path / "tau", train=[*TRAIN, file])
    with pytest.raises(UserError, match=message):
        tau.listing(root=str(root), split="fold1")


@pytest.mark.parametrize("column", ["filename", "scene_label", "identifier", "source_label"])
def test_a_missing_column_is_an_error_with_its_name(tmp_path, column):
    root = tree(tmp_path / "tau")
    rest = [name for name in meta_row(TRAIN[0]) if name != column]
    table(root / "meta.csv", [meta_row(file) for file in TRAIN + TEST], rest)
    with pytest.raises(UserError, match=f"meta.csv: no column '{column}'"):
        tau.listing(root=str(root), split="fold1")


def test_an_absent_file_or_folder_is_an_error_with_the_fix(tmp_path):
    with pytest.raises(UserError, match="dataset.root .* there is no such folder"):
        tau.listing(root=str(tmp_path / "none"), split="fold1")
    root = tree(tmp_path / "tau")
    with pytest.raises(UserError, match="split25.csv: there is no such file.*dataset.splits_folder"):
        tau.listing(root=str(root), split="split25")
    with pytest.raises(UserError, match="dataset.splits_folder .* there is no such folder"):
        tau.listing(root=str(root), split="split25", splits_folder=str(tmp_path / "none"))
    with pytest.raises(UserError, match=f"no meta.csv. Did you mean '{root}'"):
        tau.listing(root=str(tmp_path), split="fold1", splits_folder=str(root / "evaluation_setup"))
    (root / TEST[0]).unlink()
    with pytest.raises(UserError, match=f"1 of the {len(TRAIN + TEST)} .* absent, the first is '{TEST[0]}'. Unpack"):
        shards.prepare(tau.listing(root=str(root), split="fold1"), folder=tmp_path / "out", sample_rate_hz=8000)


def test_a_file_in_training_and_test_is_an_error(tmp_path):
    root = tree(tmp_path / "tau", test=[*TEST, TRAIN[0]])
    with pytest.raises(UserError, match=r"listed twice \(train, test\)"):
        tau.listing(root=str(root), split="fold1")


@pytest.mark.slow
def test_230350_clips_are_listed_and_one_wrong_row_is_an_error(tmp_path):
    """As many as TAU 2022 has; whether the files exist is checked when they are prepared."""
    rest = ((city, location, n) for location in range(1000, 1400) for city in ("lyon", "paris") for n in range(30))
    names = [f"audio/{s}-{c}-{p}-{40000 + p}-{n}-a.wav" for c, p, n in rest for s in tau.SCENES]
    train, test = names[:200_670], [name.replace("-a.", "-s6.") for name in names[200_670:230_350]]
    root = tree(tmp_path / "tau", files=TRAIN + TEST, train=train, test=test)
    listing = tau.listing(root=str(root), split="fold1")
    assert len(listing) == 230_350 and (len(listing.positions("train")), len(listing.positions("test"))) == (
        200_670,
        29_680,
    )
    assert listing.file == (*train, *test) and Counter(listing.device) == {"a": 200_670, "s6": 29_680}
    assert [listing.clips[position] for position in (7, 200_677)] == [
        (train[7], "street_pedestrian", "train", "a", "lyon", "street_pedestrian-lyon-1000"),
        (test[7], test[7][6:].split("-")[0], "test", "s6", test[7].split("-")[1], test[7][6:].rsplit("-", 3)[0]),
    ]
    parts = validation_part(listing, share=0.1, seed=1)
    assert sorted(parts[0] + parts[1]) == list(range(200_670)) and 0.09 < len(parts[1]) / 200_670 < 0.11
    meta = (root / "meta.csv").read_text().splitlines(keepends=True)
    meta[123_456] = meta[123_456].replace("\ta\n", "\tb\n")
    (root / "meta.csv").write_text("".join(meta))
    with pytest.raises(UserError, match="meta.csv:123457: .*source_label 'b', but the name states device 'a'"):
        tau.listing(root=str(root), split="fold1")


def test_the_official_lists_make_a_tree_that_is_prepared(tmp_path, shared):
    lists = shared / "data/dcase2024"
    names = {}
    for name in ("split5", "test"):
        with gzip.open(lists / f"{name}.csv.gz", "rt") as lines:
            names[name] = [line.split("\t")[0] for line in lines.read().splitlines()[1:]]
    root = tree(tmp_path / "tau", train=names["split5"], test=names["test"])
    whole = tau.listing(root=str(root), split="split5", splits_folder=str(lists))
    # DCASE 2024 Task 1: 5 % of 139,620 training clips, 29,680 test clips.
    assert (len(whole.positions("train")), len(whole.positions("test"))) == (6980, 29680)
    clips = [whole.clips[position] for position in whole.positions("test")]
    assert set(Counter(clip.device for clip in clips)) == {"a", "b", "c", "s1", "s2", "s3", "s4", "s5", "s6"}
    assert len({clip.city for clip in clips}) == 10
    groups = {split: {whole.clips[p].group for p in whole.positions(split)} for split in ("train", "test")}
    assert not groups["train"] & groups["test"]
    train, validation = validation_part(whole, share=0.1, seed=1)
    assert 0.09 < len(validation) / 6980 < 0.11

    few = names["split5"][::350] + names["test"][::1500]
    small = tree(tmp_path / "small", train=few[:20], test=few[20:])
    rng = np.random.default_rng(1)
    for file in few:
        soundfile.write(small / file, rng.normal(0, 0.1, 44100), 44100, subtype="PCM_24")
    listing = tau.listing(root=str(small), split="fold1")
    prepared = shards.prepare(listing, folder=tmp_path / "out", sample_rate_hz=32000, quiet=True)
    assert prepared.clip.tolist() == list(range(40)) and prepared.read([39]).shape == (1, 32000)


def test_expected_clips_are_those_of_the_official_lists(shared):
    # DCASE 2024 Task 1: 139,620 training clips, of which the splits have 5 to 50 %; 29,680 test clips.
    for split in ("split5", "split10", "split25", "split50"):
        rows = len(read_table(shared / f"data/dcase2024/{split}.csv.gz", ("filename",))[1])
        test = len(read_table(shared / "data/dcase2024/test.csv.gz", ("filename",))[1])
        assert tau.expected_clips(root="tau2022", split=split, splits_folder="") == {"train": rows, "test": test}


@pytest.mark.parametrize("split", ["fold1", "split100"])
def test_expected_clips_of_the_whole_training_split(split):
    assert tau.expected_clips(root="tau2022", split=split) == {"train": 139_620, "test": 29_680}


def test_it_is_recognised_by_a_table(tmp_path):
    assert all((tree(tmp_path / "tau") / name).is_file() for name in tau.TABLES)
