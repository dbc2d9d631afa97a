"""Every defect of a package is found, with its own message; a right package has none."""

import copy
import re

import numpy as np
import pytest
import yaml

from asc_tf.submission import check, output
from asc_tf.submission.rules import DEVICES, SCENES, YEARS
from asc_tf.submit import main

LABEL, SPLIT = "Last_Inst_task1_1", "split_25"
NAMES = [f"{index}.wav" for index in range(30)]
SCORES = {"accuracy": 51.5, "logloss": 1.4}


def right_meta(year=2024):
    """The tree of a right meta file."""
    results = {
        "overall": dict(SCORES),
        "class_wise": {scene: dict(SCORES) for scene in SCENES},
        "device_wise": {device: dict(SCORES) for device in DEVICES},
    }
    rules = YEARS[year]
    of_splits = {split: copy.deepcopy(results) for split in rules.splits}
    complexity = dict.fromkeys(rules.complexity, 61_148) | {"macs": 29_419_156}
    published = {"inference_code": "https://example.org/code"} if year == 2025 else {}
    filled = published | {
        "description": dict.fromkeys(rules.description, "text"),
        "complexity": complexity,
        "external_datasets": [],
    }
    author = {"lastname": "Last", "firstname": "First", "email": "a@b.org", "affiliation": {"abbreviation": "Inst"}}
    return {
        "submission": {
            "label": LABEL,
            "name": "CP-Mobile",
            "abbreviation": "CPM",
            "authors": [author | {"corresponding": True}, author | {"email": "c@d.org"}],
        },
        "system": dict.fromkeys(rules.system, "text") | filled,
        "results": {"development_dataset": of_splits if year == 2024 else {"general": results}},
    }


def write(folder, tree=None, year=2024):
    """A package; the tree replaces that of its meta file."""
    entry = folder / "task1" / LABEL
    entry.mkdir(parents=True)
    text = yaml.dump(tree or right_meta(year), sort_keys=False, Dumper=NoAliases)
    (entry / f"{LABEL}.meta.yaml").write_text(text)
    probabilities = np.random.default_rng(0).dirichlet(np.ones(10), len(NAMES))
    for split in YEARS[year].splits:
        (entry / YEARS[year].output(LABEL, split)).write_text(output.text(NAMES, probabilities))
    return entry


class NoAliases(yaml.SafeDumper):
    def ignore_aliases(self, data):
        return True


@pytest.mark.parametrize("year", [2024, 2025])
def test_a_right_package_has_no_defect(year, tmp_path):
    write(tmp_path, year=year)
    assert check.defects(tmp_path, year, NAMES) == []


def change(path, value):
    """A function that sets a value of the meta file's tree; None removes it."""

    def apply(tree):
        *above, last = path
        for key in above:
            tree = tree[key]
        if value is None:
            del tree[last]
        else:
            tree[last] = value

    return apply


DATA = ("results", "development_dataset")
OF_META = [
    (("submission",), None, "the block submission is missing"),
    (("results",), None, "the block results is missing"),
    (("submission", "name"), None, r":\d+: submission: name is missing"),
    (("submission", "label"), "Last_Inst_1", "is not LASTNAME_INSTITUTE_task1_NUMBER"),
    (("submission", "label"), "Last_Inst_task1_7", "its number 7 is not 1 to 4"),
    (("submission", "label"), "Other_Inst_task1_1", "is not the label in the file's name"),
    (("submission", "abbreviation"), "a very long one", "has 15 characters; 10 at most"),
    (("submission", "authors"), [], "is not a list of authors"),
    (("submission", "authors", 0, "email"), None, "email is missing"),
    (("submission", "authors", 0, "email"), "nobody", "'nobody' is not an address"),
    (("submission", "authors", 0, "corresponding"), False, "0 authors have corresponding: true"),
    (("submission", "authors", 1, "corresponding"), True, "2 authors have corresponding: true"),
    (("submission", "name"), "xxx", "still holds the placeholder 'xxx'"),
    (("system", "source_code"), "TODO: address", "still holds the placeholder"),
    (("system", "energy_consumption"), None, "system: energy_consumption is missing"),
    (("system", "description", "pipeline"), None, "pipeline is missing"),
    (("system", "complexity", "memory_use"), None, "memory_use is missing"),
    (("system", "complexity", "macs"), 30_216_768, "30,216,768 are over the limit of 30,000,000"),
    (("system", "complexity", "total_model_size"), 128_001, "128,001 bytes are over the limit"),
    (("system", "complexity", "total_parameters"), "61k", "'61k' is not a whole number"),
    (("system", "external_datasets"), [{"name": "AudioSet", "total_audio_length": 5000}], "url is missing"),
    ((*DATA, SPLIT), None, f"{SPLIT}: is missing; give the results of every split"),
    ((*DATA, SPLIT, "overall"), None, "overall is missing"),
    ((*DATA, SPLIT, "class_wise", "tram"), None, "tram is missing"),
    ((*DATA, SPLIT, "device_wise", "s6"), None, "s6 is missing"),
    ((*DATA, SPLIT, "overall", "accuracy"), "high", "'high' is not a number"),
    ((*DATA, SPLIT, "overall", "accuracy"), 515.0, "515.0 is not within 0 and 100"),
    ((*DATA, SPLIT, "overall", "logloss"), float("nan"), "'nan' is not a number"),
]


@pytest.mark.parametrize(("path", "value", "message"), OF_META, ids=range(len(OF_META)))
def test_every_defect_of_the_meta_file_has_its_message(path, value, message, tmp_path):
    tree = right_meta()
    change(path, value)(tree)
    file = write(tmp_path, tree) / f"{LABEL}.meta.yaml"
    (found,) = check.defects(tmp_path, 2024, NAMES)
    assert found.startswith(str(file)) and re.search(message, found)
    line = re.match(re.escape(str(file)) + r":(\d+): ", found)
    if line and value is not None and not isinstance(value, list):
        assert str(path[-1]) in file.read_text().splitlines()[int(line[1]) - 1] or "authors" in path


def swap(text, old, new, line):
    lines = text.splitlines()
    lines[line - 1] = re.sub(old, new, lines[line - 1], count=1)
    return "\n".join(lines) + "\n"


ROW = r"^([^\t]*)\t([^\t]*)\t([^\t]*)"  # name, scene, first probability
OF_OUTPUT = [
    (lambda text: "", ": is empty"),
    (lambda text: text.replace("\t", ","), ":1: has no tabs"),
    (lambda text: text.replace("scene_label", "label", 1), ":1: the fields are filename, label"),
    (lambda text: swap(text, "airport\tbus", "bus\tairport", 1), ":1: the fields are in another order"),
    (lambda text: swap(text, "$", "\t1", 4), ":4: has 13 fields; write 12"),
    (lambda text: swap(text, ROW, r"1.wav\t\2\t\3", 7), ":7: 1.wav was in line 3 already"),
    (lambda text: swap(text, ROW, r"999.wav\t\2\t\3", 7), ":7: 999.wav is not in the evaluation set; "),
    (lambda text: swap(text, ROW, r"5.mp3\t\2\t\3", 7), ":7: 5.mp3 is not in the evaluation set, and its ending"),
    (
        lambda text: "".join(text.splitlines(True)[:-2]),
        ": 2 files of the evaluation set are missing, 28.wav",
    ),
    (lambda text: swap(text, ROW, r"\1\tforest\t\3", 9), ":9: 'forest' is not a scene"),
    (lambda text: swap(text, ROW, r"\1\t\2\tmany", 9), ":9: 'many' is not a number"),
    (lambda text: swap(text, ROW, r"\1\t\2\tnan", 9), ":9: a probability is NaN or infinite"),
    (lambda text: swap(text, ROW, r"\1\t\2\tinf", 9), ":9: a probability is NaN or infinite"),
    (lambda text: swap(text, ROW, r"\1\t\2\t-0.2", 9), ":9: a probability is below 0 or above 1"),
    (lambda text: swap(text, ROW, r"\1\t\2\t0.9", 9), ":9: the probabilities sum to"),
]


@pytest.mark.parametrize(("damage", "message"), OF_OUTPUT, ids=range(len(OF_OUTPUT)))
def test_every_defect_of_an_output_has_its_message(damage, message, tmp_path):
    file = write(tmp_path) / f"{LABEL}.output.{SPLIT}.csv"
    file.write_text(damage(file.read_text()))
    found = check.defects(tmp_path, 2024, NAMES)
    assert found[0].startswith(f"{file}{message}"), found
    assert len(found) == 1 + (".wav is not in" in message or ".mp3" in message or "was in line" in message)


def test_a_row_of_minus_ones_is_found(tmp_path):
    file = write(tmp_path) / f"{LABEL}.output.{SPLIT}.csv"
    file.write_text(swap(file.read_text(), r"(\t[0-9.]+){10}$", 10 * r"\t-1", 9))
    (found,) = check.defects(tmp_path, 2024, NAMES)
    assert ":9: a probability is below 0 or above 1" in found


def test_a_scene_that_is_not_the_most_probable_one_is_found(tmp_path):
    file = write(tmp_path) / f"{LABEL}.output.{SPLIT}.csv"
    scene = file.read_text().splitlines()[8].split("\t")[1]
    other = next(one for one in SCENES if one != scene)
    file.write_text(swap(file.read_text(), scene, other, 9))
    (found,) = check.defects(tmp_path, 2024, NAMES)
    assert f":9: the scene is {other}, but {scene} has the largest probability" in found


def test_files_that_are_missing_or_do_not_belong_are_named(tmp_path):
    entry = write(tmp_path)
    (entry / f"{LABEL}.output.{SPLIT}.csv").rename(entry / f"{LABEL}.output.split_30.csv")
    found = check.defects(tmp_path, 2024, NAMES)
    assert [one.partition(": ")[2][:20] for one in found] == ["is missing; every en", "is none of the files"]
    (entry / f"{LABEL}.meta.yaml").write_text("submission: [\n a: b")
    assert re.search(r"meta.yaml:2: is not YAML", check.defects(tmp_path, 2024, NAMES)[-1])


def test_the_program_tells_by_its_status(tmp_path, capsys):
    write(tmp_path)
    (tmp_path / "evaluation_setup").mkdir()
    (tmp_path / "evaluation_setup/fold1_test.csv").write_text("filename\n" + "\n".join(f"audio/{n}" for n in NAMES))
    arguments = ["--check", str(tmp_path / "task1"), "--year", "2024", "--eval-set", str(tmp_path)]
    assert main(arguments) == 0 and "no defect" in capsys.readouterr().out
    (tmp_path / "task1" / LABEL / f"{LABEL}.meta.yaml").unlink()
    assert main(arguments) == 1 and "meta.yaml: is missing" in capsys.readouterr().out
    assert main(["--check", str(tmp_path / "absent"), "--year", "2024", "--eval-set", str(tmp_path)]) == 2
