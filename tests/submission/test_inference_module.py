"""The inference module of 2025: written, called by itself as the challenge calls it; its defects are found."""

import json
import re
import subprocess
import sys

import numpy as np
import pytest
import soundfile

from asc_tf import build, metrics
from asc_tf.export.device import tflite_files, wave
from asc_tf.inference import device_table
from asc_tf.inference.run import TrainedRun
from asc_tf.inference.system import load_run
from asc_tf.predict import main as predict
from asc_tf.recipe import resolve
from asc_tf.runs import device_runs
from asc_tf.runs.folder import RunFolder
from asc_tf.submission import inference_module, module_trial
from asc_tf.submission.rules import SCENES

LABEL, PACKAGE = "Last_Inst_task1_2", "Last_Inst_task1"
ORDER = tuple(reversed(SCENES))  # the run's classes, in another order than the challenge's
SETTINGS = [
    'dataset={name="made_up", root="made_up", train_clips=60, test_clips=60}',
    'model={name="ait_student", width=4, embedding=16, dropout=[0, 0, 0, 0, 0]}',
    "per_device={epochs=1, learning_rate=1e-3}",
]
# What the challenge's scripts do, and what was imported by it.
CALLS = f"""
import importlib, importlib.resources, json, sys
import numpy as np
for name in sys.argv[2:]:
    sys.modules[name] = None  # as if it were not installed
module = importlib.import_module("{PACKAGE}.{LABEL}")
files, devices = json.loads(sys.argv[1])
outputs, classes = module.predict(file_paths=files, device_ids=devices, model_file_path=None, use_cuda=False)
with importlib.resources.path("{PACKAGE}.resources", "dummy.wav") as dummy:
    model = module.load_model()
    (waves,) = module.load_inputs([str(dummy)], ["a"], model)
alike = module.get_model_for_device(model, "a") is module.get_model_for_device(model, "unknown")
own = module.get_model_for_device(model, "s1")
print(json.dumps({{
    "logits": [np.asarray(one).tolist() for one in outputs], "classes": classes, "shape": list(waves.shape),
    "alike": alike, "cost": own.cost, "imported": [name for name in ("asc_tf", "tensorflow") if name in sys.modules],
}}))
"""


def write_network(folder, recipe, scale):
    """A run's files, with a network of random weights."""
    folder.write("recipe.toml", resolve.to_toml(recipe))
    folder.write("labels.txt", "\n".join([*ORDER, ""]))
    network = build.network(recipe, 10)
    network.set_weights([scale * weight for weight in network.get_weights()])
    folder.write("weights/best.weights.h5", network.save_weights)


@pytest.fixture(scope="module")
def run(tiny_in, tmp_path_factory):
    """A run of random weights with a network of the device s1."""
    folder = tmp_path_factory.mktemp("inference")
    recipe = resolve.load(tiny_in(folder).parent / "tiny_teacher.toml", SETTINGS)
    general = RunFolder(folder / "run", recipe)
    write_network(general, recipe, 1.0)
    own = device_runs.folder_of(general, "s1")
    write_network(own, own.recipe, 1.5)
    device_table.write(TrainedRun(general), {"s1": own})
    return load_run(folder / "run")


@pytest.fixture(scope="module")
def package(run, tmp_path_factory):
    """The folder of a written package."""
    out = tmp_path_factory.mktemp("package")
    inference_module.write(run, LABEL, out, wave_file=wave.convert, script=tflite_files.LITERT_SCRIPT)
    return out


@pytest.fixture(scope="module")
def sounds(tmp_path_factory):
    """Noise of 1 s at the run's rate, of 1 s at 44.1 kHz and of 3 s."""
    folder, rng = tmp_path_factory.mktemp("sounds"), np.random.default_rng(0)
    for name, rate_hz, seconds in (("one", 8000, 1), ("other_rate", 44_100, 1), ("long", 8000, 3)):
        spectrum = np.fft.rfft(rng.standard_normal(rate_hz * seconds))
        spectrum[3000 * seconds :] = 0.0
        soundfile.write(folder / f"{name}.wav", 0.1 * np.fft.irfft(spectrum), rate_hz, subtype="FLOAT")
    return [str(folder / f"{name}.wav") for name in ("one", "other_rate", "long")]


def called(package, files, devices, *without):
    """Answers of the module in a process of its own, without some packages."""
    command = [sys.executable, "-c", CALLS, json.dumps([files, devices]), *without]
    done = subprocess.run(command, capture_output=True, text=True, cwd=package / "inference")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize(("without", "tolerance"), [([], 1e-4), (["soxr"], 0.02)])
def test_its_answers_are_those_of_predict(run, package, sounds, capsys, without, tolerance):
    devices = ["s1", "unknown"]
    files = [file for file in sounds for _ in devices]
    answers = called(package, files, devices * len(sounds), *without)
    assert answers["classes"] == list(SCENES) and answers["imported"] == []
    found = metrics.softmax(np.array(answers["logits"]))
    for index, (file, device) in enumerate(zip(files, devices * len(sounds), strict=True)):
        capsys.readouterr()
        assert predict([str(run.path), file, "--json", "--device", device]) == 0
        tree = json.loads(capsys.readouterr().out)[file]
        expected = np.array(tree["mean"])[[tree["labels"].index(name) for name in SCENES]]
        np.testing.assert_allclose(found[index], expected, atol=tolerance if "other_rate" in file else 1e-4)
    assert not np.allclose(found[0], found[1], atol=1e-3)


def test_it_has_what_the_count_of_the_cost_needs(run, package, sounds):
    answers = called(package, sounds[:1], ["a"])
    assert answers["shape"] == [1, 8000] and answers["alike"]
    table = run.folder.read("export/devices.json")
    assert answers["cost"] == {key: table["devices"]["s1"][key] for key in ("parameters", "bytes", "macs")}
    counted = json.loads((package / f"inference/{PACKAGE}/ckpts/{LABEL}/complexity.json").read_text())
    assert list(counted["per_device"]) == ["a", "b", "c", *(f"s{number}" for number in range(1, 11))]
    assert counted["max_Params"] == 4 * table["general"]["parameters"] == counted["per_device"]["s9"]["Params"]
    assert counted["max_MACs"] == table["general"]["macs"]


def test_the_largest_network_counts():
    general = {"macs": 10, "bytes": 20}
    counted = inference_module.complexity({"general": general, "devices": {"b": {"macs": 5, "bytes": 30}}})
    assert (counted["max_MACs"], counted["max_Params"]) == (10, 30)
    assert counted["per_device"]["b"] == {"MACs": 5, "Params": 30} and counted["per_device"]["a"]["MACs"] == 10


def test_scenes_of_the_trial_are_those_of_the_dataset():
    assert module_trial.SCENES == SCENES


def test_a_right_module_has_no_defect_and_may_be_elsewhere(package, tmp_path):
    assert inference_module.defects(package, LABEL, None) == []
    assert inference_module.defects(tmp_path, LABEL, "https://example.org/code") == []
    (found,) = inference_module.defects(tmp_path, LABEL, "see the report")
    assert (
        found == f"{tmp_path}: has no inference module {LABEL}.py, and system.inference_code is no address; give one."
    )


RIGHT = """
class Array(list):
    shape = (1, 8)
def load_model(model_file_path=None): return 1
def load_inputs(file_paths, device_ids, model): return [Array() for _ in file_paths]
def get_model_for_device(model, device_id): return model
def predict(file_paths, device_ids, model_file_path=None, use_cuda=True):
    return [[0.5] * 10 for _ in file_paths], {scenes}
"""
DEFECTS = [
    ("", "", None),
    (
        "def load_model",
        "import nothing_such\ndef load_model",
        "cannot be imported .ModuleNotFoundError: No module",
    ),
    ("def load_model", "def load_models", "has no function load_model; define load_model.model_file_path"),
    ("use_cuda", "cuda", "predict has no parameter use_cuda; define predict.file_paths, device_ids"),
    ("return model", "raise KeyError(device_id)", "fails on resources/dummy.wav .KeyError: 'a'"),
    ("'tram'", "'train'", "predict has the class order .*'train'.*; it must have the ten scenes"),
    ("[[0.5] * 10 for", "[[0.5] * 9 for", "an output that is not ten finite numbers"),
    ("[[0.5]", "[[float('nan')]", "an output that is not ten finite numbers"),
    ("def load_inputs(", "def load_inputs", "cannot be imported .SyntaxError"),
    ("[[0.5] * 10 for _ in file_paths]", "[[0.5] * 10]", "1 outputs and 3 inputs of 3 files"),
    ("def load_model", "import os\nos._exit(3)\ndef load_model", "Python ended when it was imported and run .status 3"),
]


@pytest.mark.parametrize(("old", "new", "message"), DEFECTS, ids=range(len(DEFECTS)))
def test_every_defect_of_a_module_has_its_message(old, new, message, tmp_path):
    folder = tmp_path / "code" / PACKAGE
    (folder / "resources").mkdir(parents=True)
    soundfile.write(folder / "resources/dummy.wav", np.zeros(44_100), 44_100)
    text = RIGHT.replace("{scenes}", str(list(SCENES)))
    assert old in text
    (folder / f"{LABEL}.py").write_text(text.replace(old, new, 1))
    found = inference_module.defects(tmp_path, LABEL, None)
    if message is None:
        assert found == []
        (folder / "resources/dummy.wav").unlink()
        (found,) = inference_module.defects(tmp_path, LABEL, None)
        assert "resources/dummy.wav is missing beside it" in found
        return
    assert len(found) == 1 and found[0].startswith(str(folder / f"{LABEL}.py"))
    assert re.search(message, found[0]), found


def test_a_module_in_another_package_is_named(tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / f"{LABEL}.py").write_text("")
    (found,) = inference_module.defects(tmp_path, LABEL, None)
    assert f"is in the folder 'other'; the challenge imports {PACKAGE}.{LABEL}" in found
