"""`asc-tf listen`: each window as `predict` has it, from a file or a made-up microphone."""

import itertools
import json
import sys
import types

import numpy as np
import pytest
import soundfile

from asc_tf.inference import live, scorer, sounds
from asc_tf.inference.scorer import Scorer, Scores
from asc_tf.listen import main as listen

LABELS = ("quiet", "loud")


def score(waves):
    """A window is loud as its mean absolute value, times 25."""
    loud = np.clip(25 * np.abs(waves[0]).mean(1, dtype=np.float64), 0, 1)
    return Scores(np.stack([1 - loud, loud], 1))


@pytest.fixture
def model(monkeypatch):
    one = Scorer(score, LABELS, (8000,), 1.0)
    monkeypatch.setattr(scorer, "load", lambda path, tflite=False: one)
    return one


@pytest.fixture
def recording(tmp_path):
    """Two minutes and 0.6 s at 44.1 kHz, louder from second to second."""
    samples = np.random.default_rng(0).uniform(-0.2, 0.2, round(120.6 * 44_100)) * np.linspace(0.1, 1, 5_318_460)
    soundfile.write(tmp_path / "sound.wav", samples, 44_100)
    return str(tmp_path / "sound.wav")


def lines(capsys, *arguments):
    assert listen(["run", *arguments]) == 0
    return capsys.readouterr().out.splitlines()


@pytest.mark.parametrize("hop_s", [None, 0.3])
def test_windows_are_those_of_predict(model, recording, capsys, hop_s):
    options = [] if hop_s is None else ["--hop_s", str(hop_s)]
    rows = [json.loads(line) for line in lines(capsys, "--wav", recording, "--json", *options)]
    expected = sounds.score_sound(model, recording, hop_s=hop_s).probabilities
    assert [[row["probabilities"][label] for label in LABELS] for row in rows] == expected.tolist()
    assert [row["scene"] for row in rows] == [LABELS[index] for index in expected.argmax(1)]
    np.testing.assert_allclose([row["start_s"] for row in rows], np.arange(len(expected)) * (hop_s or 1.0))


def test_lines_for_people(model, recording, capsys):
    first, *_, last = lines(capsys, "--wav", recording)
    loud = sounds.score_sound(model, recording).probabilities[-1, 1]
    assert first.split()[:3] == ["0.00", "s", "quiet"] and last.split()[0] == "120.00"
    assert last.split()[2:] == ["loud", "#" * round(20 * loud), f"{100 * loud:.1f}", "%"]


def test_smoothed_over_windows_and_unknown_below_a_threshold(model, recording, capsys):
    options = ["--wav", recording, "--json", "--smooth", "3", "--threshold", "0.7"]
    rows = [json.loads(line) for line in lines(capsys, *options)]
    alone = sounds.score_sound(model, recording).probabilities
    means = np.array([alone[max(0, end - 3) : end].mean(0) for end in range(1, len(alone) + 1)])
    np.testing.assert_allclose([[row["probabilities"][label] for label in LABELS] for row in rows], means)
    expected = ["unknown" if row.max() < 0.7 else LABELS[row.argmax()] for row in means]
    assert [row["scene"] for row in rows] == expected and set(expected) == {"quiet", "unknown", "loud"}


def made_up_microphone(monkeypatch, samples):
    """A package sounddevice whose input records the samples at once, then Ctrl-C."""

    class InputStream:
        def __init__(self, callback, samplerate, channels, dtype, blocksize):
            assert (samplerate, channels, dtype, blocksize) == (8000, 1, "float32", 800)
            for block in np.split(samples, len(samples) // 800):
                callback(block[:, np.newaxis], 800, None, None)

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

    package = types.SimpleNamespace(InputStream=InputStream, PortAudioError=OSError)
    monkeypatch.setitem(sys.modules, "sounddevice", package)


def test_the_microphone(model, monkeypatch):
    samples = np.random.default_rng(0).uniform(-0.2, 0.2, 24_000).astype(np.float32)
    made_up_microphone(monkeypatch, samples)
    scores = live.score_stream(model, live.microphone(8000), 8000, hop_s=0.5)
    expected = sounds.score_sound(model, samples, 8000, hop_s=0.5).probabilities
    assert np.array_equal(list(itertools.islice(scores, 5)), expected[:5])  # the sixth is not complete


def test_a_network_that_falls_behind_is_told(model, monkeypatch, capsys):
    made_up_microphone(monkeypatch, np.zeros(11 * 8000, np.float32))
    assert listen(["run"]) == 2
    assert "the network is slower than the sound" in capsys.readouterr().err


def test_without_the_package_the_extra_is_named(model, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    assert listen(["run"]) == 2
    assert "pip install 'asc_tf[live]'" in capsys.readouterr().err
    assert listen(["run", "--wav", "absent.wav"]) == 2
    assert "absent.wav: cannot be opened" in capsys.readouterr().err
