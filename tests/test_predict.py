"""`asc-tf predict`: what is printed and written, of an untrained run."""

import csv
import io
import json
import os

import numpy as np
import pytest
import soundfile

import asc_tf
from asc_tf import build
from asc_tf.errors import UserError
from asc_tf.predict import main as predict
from asc_tf.recipe import resolve
from asc_tf.runs.folder import RunFolder

LABELS = ["high", "low", "middle"]


@pytest.fixture(scope="module")
def run(tiny_in, tmp_path_factory):
    recipe = resolve.load(tiny_in(tmp_path_factory.mktemp("predict")).parent / "tiny_teacher.toml")
    folder = RunFolder(tmp_path_factory.mktemp("predict") / "run", recipe)
    folder.write("recipe.toml", resolve.to_toml(recipe))
    folder.write("labels.txt", "\n".join([*LABELS, ""]))
    folder.write("weights/best.weights.h5", build.network(recipe, 3).save_weights)
    return asc_tf.load_run(folder.path)


@pytest.fixture
def here(tmp_path, monkeypatch):
    """a/x2.wav of 2 s, a/x10.wav of 40.6 s in two channels at 44.1 kHz, b/x2.wav of 0.3 s."""
    rng = np.random.default_rng(0)
    for name, seconds, shape in (("a/x2", 2, ()), ("a/x10", 40.6, (2,)), ("b/x2", 0.3, ())):
        rate_hz = 44_100 if shape else 8000
        (tmp_path / name).parent.mkdir(exist_ok=True)
        samples = rng.uniform(-0.1, 0.1, (round(seconds * rate_hz), *shape))
        soundfile.write(tmp_path / f"{name}.wav", samples, rate_hz)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def printed(capsys, run, *arguments, status=0):
    assert predict([str(run.path), *map(str, arguments)]) == status
    shown = capsys.readouterr()
    return shown.out, shown.err


def table(text):
    return list(csv.DictReader(io.StringIO(text)))


def probabilities(rows):
    return np.array([[float(row[label]) for label in LABELS] for row in rows])


def test_text_names_each_file_as_it_was_given_and_each_window(run, here, capsys):
    out, err = printed(capsys, run, "a/x2.wav", "b/x2.wav")
    first, second = (block.splitlines() for block in out.split("\n\n"))
    assert first[0].startswith("a/x2.wav: ") and second[0].startswith("b/x2.wav: ") and not err
    assert [line.split()[:2] for line in first[1:]] == [["0.00", "s"], ["1.00", "s"]] and len(second) == 2
    best = run.predict("a/x2.wav").argmax(1)
    assert [line.split()[2] for line in first[1:]] == [LABELS[index] for index in best]


def test_json_is_one_object_of_all_files(run, here, capsys):
    tree = json.loads(printed(capsys, run, "a", "b", "--json")[0])
    assert list(tree) == ["a/x2.wav", "a/x10.wav", "b/x2.wav"]
    for file, answer in tree.items():
        np.testing.assert_allclose(answer["seconds"], run.predict(file), rtol=1e-5)
        np.testing.assert_allclose(answer["mean"], run.predict(file).mean(0), rtol=1e-5)
        assert answer["labels"] == LABELS and answer["start_s"] == list(range(len(answer["seconds"])))
    assert json.loads(printed(capsys, run, "absent.wav", "--json", status=1)[0]) == {}


@pytest.mark.parametrize("hop_s", [None, 0.25])
def test_csv_printed_and_written(run, here, capsys, hop_s):
    options = [] if hop_s is None else ["--hop_s", hop_s]
    rows = table(printed(capsys, run, "a", "--csv", "-", *options)[0])
    assert printed(capsys, run, "a", "--csv", "out.csv", *options)[0].startswith("a/x2.wav: ")
    assert table((here / "out.csv").read_text()) == rows
    expected = np.concatenate([run.predict(file, hop_s=hop_s) for file in ("a/x2.wav", "a/x10.wav")])
    np.testing.assert_allclose(probabilities(rows), expected, rtol=1e-5)
    assert [row["scene"] for row in rows] == [LABELS[index] for index in expected.argmax(1)]
    starts = np.array([float(row["start_s"]) for row in rows if row["file"] == "a/x10.wav"])
    np.testing.assert_allclose(starts, np.arange(len(starts)) * (hop_s or 1))
    assert len(starts) == (41 if hop_s is None else 161)  # those of which half a second is sound
    assert all(float(row["end_s"]) == float(row["start_s"]) + 1 for row in rows)


def test_embeddings_are_written_with_all_that_tells_their_windows(run, here, capsys):
    printed(capsys, run, "a", "absent.wav", "b", "--embeddings", "out.npz", status=1)
    with np.load(here / "out.npz") as arrays:
        assert arrays["files"].tolist() == ["a/x2.wav", "a/x10.wav", "b/x2.wav"]
        assert arrays["labels"].tolist() == LABELS and arrays["file"].tolist() == [0] * 2 + [1] * 41 + [2]
        assert arrays["start_s"].tolist() == [0.0, 1.0, *map(float, range(41)), 0.0]
        expected = np.concatenate([run.embeddings(file) for file in arrays["files"]])
        np.testing.assert_allclose(arrays["embeddings"], expected, atol=1e-5)
        expected = np.concatenate([run.predict(file) for file in arrays["files"]])
        np.testing.assert_allclose(arrays["probabilities"], expected, atol=1e-5)
    assert sorted(os.listdir(here)) == ["a", "b", "out.npz"]


def test_a_file_that_fails_at_its_end_leaves_no_window(run, here, capsys):
    half = np.random.default_rng(0).uniform(-0.1, 0.1, 40 * 8000)
    soundfile.write("a/x3.wav", np.stack([half, -half], 1), 8000, subtype="FLOAT")
    out, err = printed(capsys, run, "a", "--csv", "-", "--embeddings", "out.npz", status=1)
    assert {row["file"] for row in table(out)} == {"a/x2.wav", "a/x10.wav"} and len(table(out)) == 43
    with np.load("out.npz") as arrays:
        assert len(arrays["embeddings"]) == len(arrays["file"]) == 43 and arrays["file"].max() == 1
        np.testing.assert_allclose(arrays["embeddings"][2:], run.embeddings("a/x10.wav"), atol=1e-5)
    lines = err.splitlines()
    assert "a/x3.wav: channels that cancel each other" in lines[0] and lines[-1].endswith(
        "1 of 3 file(s) could not be read"
    )


def test_each_file_that_cannot_be_read_has_a_line_and_the_others_go_on(run, here, capsys):
    (here / "a/\x1b[31mred\n.wav").write_bytes(b"nothing")
    (here / "a/notes.txt").write_text("")
    out, err = printed(capsys, run, "a", "absent.wav", "b/x2.wav", "nothing*", status=1)
    assert [line.split(": ")[0] for line in out.splitlines() if not line.startswith(" ") and line] == [
        "a/x2.wav", "a/x10.wav", "b/x2.wav"
    ]  # fmt: skip
    assert err.splitlines() == [
        "predict: passed over: 1 of ending .txt (not read)",
        "predict: a/\\x1b[31mred\\n.wav: not audio that libsndfile reads.",
        "predict: absent.wav: cannot be opened (No such file or directory).",
        "predict: nothing*: has no audio file that can be read.",
        "predict: 3 of 6 file(s) could not be read",
    ]


def test_the_bar_is_on_stderr(run, here, capsys):
    quiet = printed(capsys, run, "a")
    out, err = printed(capsys, run, "a", "--progress")
    assert out == quiet[0] and not quiet[1] and "2/2" in err and "predict" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--embeddings", "out.npz", "--tflite"], "its form 'tflite' has no embeddings"),
        (["--csv", "nowhere/out.csv"], "nowhere/out.csv: cannot be written, there is no folder nowhere"),
        (["--embeddings", "a"], "a: is a folder; name a file in it"),
        (["--csv", "/dev/null"], "/dev/null: is no regular file; name another"),
        (["--tflite"], "model.tflite: is missing"),
    ],
)
def test_what_cannot_be_done_is_said_before_any_file(run, here, capsys, arguments, message):
    out, err = printed(capsys, run, "a", *arguments, status=2)
    assert not out and message in err and len(err.splitlines()) == 1


@pytest.mark.parametrize("arguments", [["--hop_s", "0"], ["--hop_s", "nan"], ["--json", "--csv", "-"]])
def test_options_that_cannot_be(run, here, arguments):
    with pytest.raises(SystemExit):
        predict([str(run.path), "a", *arguments])


def test_from_python(run, here, capsys):
    (here / "a/notes.txt").write_text("")
    predictions = list(asc_tf.predict_files(run, [here / "a", "absent.wav"], hop_s=0.5, embeddings=True))
    assert "passed over: 1 of ending .txt" in capsys.readouterr().err
    *read, absent = predictions
    assert "cannot be opened" in str(absent.error) and absent.file == "absent.wav"
    for prediction in read:
        np.testing.assert_allclose(prediction.probabilities, run.predict(prediction.file, hop_s=0.5), rtol=1e-5)
        np.testing.assert_allclose(prediction.embeddings, run.embeddings(prediction.file, hop_s=0.5), atol=1e-5)
        assert prediction.start_s[1] == 0.5 and prediction.error is None
    with pytest.raises(UserError, match="no form 'tflight'"):
        next(asc_tf.predict_files(run, ["a"], form="tflight"))
