"""The inference package of DCASE 2025: an importable module an entry, with its networks as TFLite files.

inference/PACKAGE/LABEL.py                the functions that the challenge calls
inference/PACKAGE/_inference.py           what they do, the same for all entries
inference/PACKAGE/ckpts/LABEL/            model.json, complexity.json, general.tflite, device_NAME.tflite
inference/PACKAGE/resources/dummy.wav     one second of silence, for the challenge's count of the cost
inference/pyproject.toml                  `pip install inference`, or from the address where it is published

Source:  CPJKU/dcase2025_task1_inference: README, evaluate_submission.py, test_complexity.py.
"""

import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from asc_tf.data.datasets.tau import SCENES
from asc_tf.inference import device_table
from asc_tf.inference.run import TrainedRun
from asc_tf.runs import atomic, digests
from asc_tf.runs.folder import RunFolder
from asc_tf.submission import module_trial

FOLDER = "inference"
TEMPLATES = Path(__file__).with_name("inference_package")
COUNTED = ("a", "b", "c", *(f"s{number}" for number in range(1, 11)))  # devices whose cost the challenge counts
DUMMY_HZ = 44_100  # of the dataset's files
TRIAL_S = 300  # for a package to be imported and run on dummy.wav


def package_name(label: str) -> str:
    """Name of the package of an entry's label: that without its number."""
    return label.rpartition("_")[0]


def write(run: TrainedRun, label: str, out: Path, *, wave_file: Callable[[RunFolder], bytes], script: Path) -> None:
    """Writes the inference module of an entry, and the package around it.

    Args:
        run: The run; where it has an int8 file that is the network, as for the outputs.
        label: Of the entry.
        out: Folder of the whole package for the challenge.
        wave_file: Function from the run of a network to its TFLite file from the waveform.
        script: File with the functions that read and cut audio without TensorFlow, which is copied.

    Raises:
        UserError: A network has no form from the waveform.
    """
    package = out / FOLDER / package_name(label)
    networks = {"general": run, **{own.path.name: own for own in run.devices.values()}}
    contents = {name: wave_file(own.folder) for name, own in networks.items()}
    entries = {name: _entry(name, networks[name], content) for name, content in contents.items()}
    general, *own = entries.values()
    tree = {
        "class_order": list(SCENES),
        "classes": list(run.labels),
        "sample_rate_hz": run.recipe.feature.settings["sample_rate_hz"],
        "general": general,
        "devices": dict(zip(run.devices, own, strict=True)),
    }
    files = {f"{name}.tflite": content for name, content in contents.items()}
    files |= {"model.json": _json(tree), "complexity.json": _json(complexity(tree))}
    for name, content in files.items():
        _write(package / "ckpts" / label / name, content)
    _write(package / f"{label}.py", _template("entry.py.txt", label))
    for file in (TEMPLATES / "_inference.py", script):
        _write(package / file.name, file.read_bytes())
    _write(package / "__init__.py", "")
    _write(package / "resources/__init__.py", "")
    _write(package / "resources/dummy.wav", _silence())
    _write(out / FOLDER / "pyproject.toml", _template("pyproject.toml.txt", label))


def complexity(tree: dict[str, Any]) -> dict[str, Any]:
    """Cost of the network of every device, in the form of the challenge's complexity.json; "Params" are bytes.

    Args:
        tree: Content of model.json.
    """
    networks = {device: tree["devices"].get(device, tree["general"]) for device in (*COUNTED, *tree["devices"])}
    per_device = {device: {"MACs": one["macs"], "Params": one["bytes"]} for device, one in networks.items()}
    largest = {f"max_{key}": max(one[key] for one in per_device.values()) for key in ("MACs", "Params")}
    return {"per_device": per_device, **largest}


def defects(folder: Path, label: str, address: Any) -> list[str]:
    """What is wrong with the inference module of an entry; it is imported, and run on dummy.wav.

    Args:
        folder: Folder of the whole package.
        label: Of the entry.
        address: system.inference_code of the meta file. Where the module is published at an address, it may be absent.

    Returns:
        Messages, "FILE: rule; fix".
    """
    files = sorted(folder.rglob(f"{label}.py"))
    if not files:
        if str(address).startswith(("http://", "https://")):
            return []
        return [f"{folder}: has no inference module {label}.py, and system.inference_code is no address; give one."]
    file, package = files[0], package_name(label)
    if file.parent.name != package:
        return [f"{file}: is in the folder '{file.parent.name}'; the challenge imports {package}.{label}, rename it."]
    command = [sys.executable, module_trial.__file__, str(file.parent.parent.resolve()), package, label]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TRIAL_S)
    except subprocess.TimeoutExpired:
        return [f"{file}: took more than {TRIAL_S} s for one file of a second; make it faster."]
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1]
        return [f"{file}: Python ended when it was imported and run ({reason}); mend it."]
    return [f"{file}: {message}" for message in json.loads(done.stdout.splitlines()[-1])]


def _entry(name: str, run: TrainedRun, content: bytes) -> dict[str, Any]:
    """File, digest and cost of a network."""
    return {"file": f"{name}.tflite", "sha256": digests.sha256(content), **device_table.cost(run)}


def _template(name: str, label: str) -> str:
    text = (TEMPLATES / name).read_text(encoding="utf-8")
    return text.replace("@LABEL@", label).replace("@PACKAGE@", package_name(label))


def _silence() -> bytes:
    stream = io.BytesIO()
    soundfile.write(stream, np.zeros(DUMMY_HZ, np.float32), DUMMY_HZ, format="WAV", subtype="PCM_16")
    return stream.getvalue()


def _json(tree: Any) -> str:
    return json.dumps(tree, indent=2) + "\n"


def _write(file: Path, content: str | bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    atomic.write(file, content)
