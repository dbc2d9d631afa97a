"""Procedures, counting and the page of the benchmark, and what was measured with the file."""

import json

import numpy as np
import pytest
import rivals_esc10
from rival_networks import ESC10


def _outputs(*numbers):
    """(parts, 50) with the largest value at some numbers."""
    return np.eye(50)[list(numbers)] + 0.001


def test_a_crop_is_brought_to_the_full_range_of_int8():
    crops = np.array([[0.5, -0.5, 0.0], [0.01, 0.0, -0.02]])
    np.testing.assert_array_equal(rivals_esc10.full_range(crops), [[127, -128, 0], [63, 0, -128]])


def test_clips_are_those_of_a_fold(tmp_path):
    rows = ["filename\tlabel\tfold\tsource", "audio/a.ogg\train\t4\t1", "audio/b.ogg\trooster\t3\t2"]
    (tmp_path / "meta.csv").write_text("\n".join(rows) + "\n")
    assert rivals_esc10.clips(tmp_path, 4) == [("audio/a.ogg", "rain")]


def test_of_ten_classes_the_outputs_of_the_others_do_not_count():
    outputs = [_outputs(10, 10, 20), _outputs(2, 2, 2)]  # rain, rain, baby_cry; a class that is none of the ten
    outputs[1][:, ESC10["chainsaw"]] = 0.5
    labels = ["rain", "chainsaw"]
    ten = rivals_esc10.outcome(outputs, labels, list(ESC10.values()))
    assert ten == {"parts": 6, "right_parts": 5, "clips": 2, "right_clips": 2}
    fifty = rivals_esc10.outcome(outputs, labels, range(50))
    assert fifty == {"parts": 6, "right_parts": 2, "clips": 2, "right_clips": 1}


def test_mistakes_count_the_parts_of_each_class():
    outputs = [_outputs(0, 1, 0), _outputs(1, 1, 1)]
    found = rivals_esc10.mistakes(outputs, ["dog_bark", "dog_bark"])
    assert found == {"dog_bark": {"dog_bark": 2, "rooster": 4}}


def test_the_kept_page_is_that_of_the_kept_record():
    assert rivals_esc10.report(json.loads(rivals_esc10.RECORD.read_text())) == rivals_esc10.PAGE.read_text()


def test_one_line_says_what_is_absent(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.argv", ["rivals_esc10.py", "--data", str(tmp_path), "--checkpoints", str(tmp_path)])
    with pytest.raises(SystemExit) as ended:
        rivals_esc10.main()
    assert str(ended.value.code).startswith("absent: esc10/meta.csv, rivals/acdnet20_int8_esc50_fold4.tflite;")


@pytest.mark.slow
def test_crops_and_clips_of_fold_4_are_right_as_often_as_measured(shared):
    network = rivals_esc10.Acdnet(shared / "checkpoints" / rivals_esc10.FILE)
    folder, listed = shared / "data/esc10", rivals_esc10.clips(shared / "data/esc10", 4)
    outputs = [network(rivals_esc10.inputs(folder / file)["crop"]) for file, _ in listed]
    found = rivals_esc10.outcome(outputs, [label for _, label in listed], list(ESC10.values()))
    assert found == {"parts": 800, "right_parts": 675, "clips": 80, "right_clips": 77}
