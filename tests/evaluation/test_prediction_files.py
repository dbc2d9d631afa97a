"""Files of predictions are complete or as they were before."""

import numpy as np
import pytest

from asc_tf.errors import UserError
from asc_tf.evaluation import prediction_files
from asc_tf.inference.sounds import Prediction
from asc_tf.runs import atomic

LABELS = ["high, or so", "low"]
END = (True, (), None)


def part(file, first, count, *end):
    numbers = np.arange(first, first + count)
    probabilities = np.stack([numbers / 10, 1 - numbers / 10], 1)
    return Prediction(file, 0.5 * numbers, probabilities, np.full((count, 4), numbers[:, None], np.float32), *end)


def test_a_table_of_any_names(tmp_path):
    (tmp_path / "out.csv").write_text("old")
    with prediction_files.csv_file(tmp_path / "out.csv", LABELS, 1.0) as write:
        write(part("ü,\udcff\n.wav", 2, 2, *END))
        assert (tmp_path / "out.csv").read_text() == "old"
    assert (tmp_path / "out.csv").read_bytes().decode() == (
        'file,start_s,end_s,scene,"high, or so",low\n'
        '"ü,\\udcff\\n.wav",1,2,low,0.2,0.8\n"ü,\\udcff\\n.wav",1.5,2.5,low,0.3,0.7\n'
    )


def test_windows_of_a_file_that_fails_are_taken_back(tmp_path):
    with prediction_files.embeddings_file(tmp_path / "out.npz", LABELS) as taken:
        parts = [part("a", 0, 3), part("a", 3, 1, *END), part("b", 0, 2), part("b", 2, 0, True, (), UserError("bad"))]
        assert all(one.embeddings is None for one in taken([*parts, part("c", 0, 2, *END)]))
    with np.load(tmp_path / "out.npz") as arrays:
        assert arrays["files"].tolist() == ["a", "c"] and arrays["file"].tolist() == [0, 0, 0, 0, 1, 1]
        assert arrays["start_s"].tolist() == [0, 0.5, 1, 1.5, 0, 0.5] and arrays["labels"].tolist() == LABELS
        assert arrays["embeddings"].tolist() == [[number] * 4 for number in (0, 1, 2, 3, 0, 1)]
        np.testing.assert_allclose(arrays["probabilities"][3], [0.3, 0.7])


def test_no_file_at_all(tmp_path):
    with prediction_files.embeddings_file(tmp_path / "out.npz", LABELS) as taken:
        assert list(taken([])) == []
    with np.load(tmp_path / "out.npz") as arrays:
        assert not arrays["embeddings"].size and not arrays["files"].size


@pytest.mark.parametrize("kind", ["csv", "npz"])
def test_after_an_error_or_a_full_disk_the_old_file_is_there_alone(tmp_path, monkeypatch, kind):
    out = tmp_path / f"out.{kind}"
    out.write_text("old")

    def make():
        if kind == "csv":
            return prediction_files.csv_file(out, LABELS, 1.0)
        return prediction_files.embeddings_file(out, LABELS)

    with pytest.raises(KeyboardInterrupt), make():
        raise KeyboardInterrupt
    monkeypatch.setattr(atomic, "write", full_disk)
    with pytest.raises(UserError, match=f"out.{kind}: cannot be written .No space left"), make():
        pass
    assert out.read_text() == "old" and len(list(tmp_path.iterdir())) == 1


def full_disk(*_):
    raise OSError(28, "No space left on device")
