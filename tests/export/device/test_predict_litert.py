"""wave_to_scene.tflite without TensorFlow: the script beside it, and `asc-tf predict FILE.tflite`."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from asc_tf.errors import UserError
from asc_tf.export.device import predict_litert as script
from asc_tf.export.device import tflite_files, wave
from asc_tf.inference.run import TrainedRun
from asc_tf.inference.wave_file import WaveFile
from asc_tf.predict import main as predict

ROOT = Path(__file__).parents[3]


@pytest.fixture
def run(int8_run):
    """An int8 run with the files that export tflite writes for a device."""
    content = wave.convert(int8_run)
    int8_run.write("export/wave_to_scene.tflite", content)
    int8_run.write("export/predict_litert.py", tflite_files.LITERT_SCRIPT.read_bytes())
    digest = {"wave_to_scene_sha256": hashlib.sha256(content).hexdigest()}
    int8_run.write_json("export/model.json", int8_run.read("export/model.json") | digest)
    return TrainedRun(int8_run)


@pytest.fixture
def sound(tmp_path):
    """Four seconds of noise below 3 kHz in two channels at 44.1 kHz, louder from second to second."""
    spectrum = np.fft.rfft(np.random.default_rng(0).standard_normal((2, 4 * 44_100 + 7_000)))
    spectrum[:, 3000 * 4 :] = 0.0
    samples = np.fft.irfft(spectrum).T * np.geomspace(1e-3, 0.3, 4 * 44_100 + 7_000)[:, None]
    soundfile.write(tmp_path / "sound.wav", samples, 44_100, subtype="FLOAT")
    return tmp_path / "sound.wav"


def named(output):
    """Names of the scenes in what the script prints, second by second."""
    return [line.split()[2] for line in output.splitlines()[1:]]


def test_the_file_predicts_as_its_run(run, sound):
    file = WaveFile(run.path / "export/wave_to_scene.tflite")
    probabilities = file.predict(sound)
    assert file.labels == run.labels and probabilities.shape == (4, 3)
    np.testing.assert_allclose(probabilities, run.predict(sound, form="wave_tflite"), atol=1e-6)


def test_the_program_takes_the_file_for_the_run(run, sound, capsys):
    assert predict([str(run.path / "export/wave_to_scene.tflite"), str(sound), "--json"]) == 0
    tree = json.loads(capsys.readouterr().out)[str(sound)]
    np.testing.assert_allclose(tree["seconds"], run.predict(sound, form="wave_tflite"), atol=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda folder: (folder / "wave_to_scene.tflite").unlink(), "wave_to_scene.tflite: there is no such file"),
        (lambda folder: (folder / "model.json").unlink(), "model.json: is missing"),
        (lambda folder: (folder / "model.json").write_text("{"), "model.json: is damaged"),
        (lambda folder: (folder / "model.json").write_text("{}"), "model.json: is damaged .its content lacks"),
        (
            lambda folder: (folder / "model.tflite").replace(folder / "wave_to_scene.tflite"),
            "is not the file that model.json",
        ),
    ],
)
def test_what_is_wrong_with_the_file_is_named(change, message, run, sound):
    change(run.path / "export")
    with pytest.raises(UserError, match=message):
        WaveFile(run.path / "export/wave_to_scene.tflite").predict(sound)


@pytest.mark.parametrize(("rate_hz", "to_hz"), [(44_100, 32_000), (8_000, 44_100), (16_000, 16_000)])
def test_the_scripts_resampling_keeps_a_tone(rate_hz, to_hz):
    seconds = np.arange(rate_hz) / rate_hz
    resampled = script.resample(np.sin(2 * np.pi * 1000 * seconds).astype("f"), rate_hz, to_hz)
    expected = np.sin(2 * np.pi * 1000 * np.arange(to_hz) / to_hz)
    assert len(resampled) == to_hz
    inner = slice(to_hz // 10, -to_hz // 10)  # a tone that ends within a period rings at its ends
    np.testing.assert_allclose(resampled[inner], expected[inner], atol=1e-3)


@pytest.mark.slow
def test_in_an_environment_that_has_nothing_else(run, sound, tmp_path):
    python = tmp_path / "environment/bin/python"
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "environment"], check=True)
    install = [python, "-m", "pip", "install", "-q", "-c", lock()]
    done = subprocess.run([*install, "numpy", "soundfile", "ai-edge-litert"], capture_output=True, text=True)
    if "No matching distribution" in done.stderr or "Failed to establish" in done.stderr:
        pytest.skip(f"packages cannot be downloaded here: {done.stderr.splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
    command = [python, run.path / "export/predict_litert.py", sound]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    printed = subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout
    expected = [run.labels[index] for index in run.predict(sound, form="wave_tflite").argmax(axis=1)]
    assert named(printed) == expected

    subprocess.run([*install, "soxr"], check=True)
    command = [python, "-m", "asc_tf", "predict", run.path / "export/wave_to_scene.tflite", sound, "--json"]
    environment["PYTHONPATH"] = str(ROOT)
    printed = subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout
    seconds = json.loads(printed)[str(sound)]["seconds"]
    np.testing.assert_allclose(seconds, run.predict(sound, form="wave_tflite"), atol=1e-5)


def lock():
    """The constraints of the stack that runs: of TensorFlow 2.17 or the newest."""
    import tensorflow

    return ROOT / ("requirements-tf2.17.lock" if tensorflow.__version__.startswith("2.17") else "requirements.lock")


@pytest.mark.parametrize("name", ["model.json", "wave_to_scene.tflite"])
@pytest.mark.parametrize("content", [b"", b"{}", None])
def test_the_script_runs_no_damaged_network(name, content, run, sound, monkeypatch):
    monkeypatch.setattr(script, "FOLDER", run.path / "export")
    monkeypatch.setattr(sys, "argv", ["predict_litert.py", str(sound)])
    (run.path / "export" / name).unlink()
    if content is not None:
        (run.path / "export" / name).write_bytes(content)
    with pytest.raises(SystemExit, match=r"cannot be read|is not the file that model.json describes"):
        script.main()


def test_a_file_that_cannot_be_read_does_not_stop_the_others(run, sound, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(script, "FOLDER", run.path / "export")
    monkeypatch.setattr(sys, "argv", ["predict_litert.py", str(tmp_path / "absent.wav"), str(sound)])
    assert script.main() == 2
    shown = capsys.readouterr()
    assert "absent.wav: cannot be read" in shown.err and len(named(shown.out)) == 4


def test_the_script_without_arguments_shows_how_it_is_used(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["predict_litert.py"])
    with pytest.raises(SystemExit, match="python predict_litert.py SOUND.wav"):
        script.main()
