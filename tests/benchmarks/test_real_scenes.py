"""Counting of right seconds and the page of the benchmark."""

import json

import numpy as np
import pytest
import real_scenes
from rival_networks import SCENES

AIRPORT, PEDESTRIAN, TRAFFIC, PARK = (
    SCENES.index(scene) for scene in ("airport", "street_pedestrian", "street_traffic", "park")
)


def _said(wrong=()):
    """Every recording right, but for {file: digits of its seconds}."""
    digits = {
        file: str(SCENES.index(right[0])) * 10 if right else "4" for file, right in real_scenes.RECORDINGS.items()
    }
    digits |= dict(wrong)
    return {file: {"seconds": text, "decided": SCENES[int(text[0])]} for file, text in digits.items()}


def test_a_summary_has_the_class_of_each_second_and_of_their_mean():
    probabilities = np.full((3, 10), 0.01)
    probabilities[0, AIRPORT], probabilities[1, PARK], probabilities[2, PARK] = 0.95, 0.4, 0.4
    found = real_scenes.summary(probabilities)
    assert found == {"seconds": f"{AIRPORT}{PARK}{PARK}", "decided": "airport"}


def test_both_streets_are_right_for_the_recording_of_a_street_and_one_for_that_of_tut():
    said = _said(
        {"scenes/street.wav": f"{PEDESTRIAN}{TRAFFIC}{PARK}", "tut2018/street_traffic.wav": f"{PEDESTRIAN}{TRAFFIC}"}
    )
    assert real_scenes.right_seconds(said, ["scenes/street.wav"]) == 2
    assert real_scenes.right_seconds(said, ["tut2018/street_traffic.wav"]) == 1
    assert real_scenes.right_seconds(said, ["scenes/acoustic_scene.wav"]) == 0


def test_seconds_of_tut_2018_alone_are_compared_with_float():
    said = _said({"tut2018/park.wav": f"{PARK}" * 9 + f"{AIRPORT}", "scenes/bus.wav": "0000000000"})
    assert real_scenes.equal_seconds(said, _said()) == 49


def test_mistakes_are_listed_by_recording():
    said = _said({"tut2018/park.wav": f"{AIRPORT}{TRAFFIC}{AIRPORT}{PARK}"})
    assert real_scenes.mistakes(said) == "park: airport 2, street_traffic 1"
    assert real_scenes.mistakes(_said()) == "none"


def test_the_page_has_the_figures_of_the_records():
    cost = {"parameters": 1000, "macs": 2_000_000, "bytes": 4000}
    floats = {"network": "N", "form": "float", **cost, "said": _said(), "louder": _said()}
    wrong = {"tut2018/park.wav": f"{AIRPORT}" * 10, "scenes/street.wav": f"{PARK}"}
    ranges = [{"range_db": [-100, 20], "distance": 0.0044, "right": 40}]
    int8 = floats | {"form": "int8", "said": _said(wrong), "ranges": ranges, "right_with_zeros": 31}
    page = real_scenes.report([floats, int8]).splitlines()
    assert "| N | float | 50 | 10 | 10 | 10 | 10 | 10 | 50 |  | 10 | 10 |" in page
    assert "| N | int8 | 40 | 10 | 10 | 0 | 10 | 10 | 50 | 40 | 10 | 0 |" in page
    assert "| N | int8 | airport | metro | *airport* | shopping_mall | street_traffic | bus | *park* | park |" in page
    assert "| N | int8 | 1,000 | 2,000,000 | 4,000 |" in page
    assert any("40 at 20 dB (0.004)" in line for line in page)
    assert any("with zeros 31 of the 50 seconds" in line for line in page)


def test_the_kept_page_is_that_of_the_kept_records():
    assert real_scenes.report(json.loads(real_scenes.RECORD.read_text())) == real_scenes.PAGE.read_text()


def test_one_line_says_what_is_absent(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.argv", ["real_scenes.py", "--data", str(tmp_path), "--checkpoints", str(tmp_path)])
    with pytest.raises(SystemExit) as ended:
        real_scenes.main()
    message = str(ended.value.code)
    assert "\n" not in message
    assert "tut2018/airport.wav" in message
    assert "rivals/sb_cnn_tau2019.h5" in message
