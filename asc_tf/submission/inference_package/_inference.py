"""Inference with the networks of one entry: a general one, and one for each device that has its own.

Needs:  numpy, soundfile and ai-edge-litert. With soxr files of other rates are resampled as for the entry's outputs,
        without it by a filter that reaches a little closer to the Nyquist frequency. Where torch is installed networks
        are torch modules and inputs and outputs tensors; otherwise arrays.
Files:  a folder with model.json, which has the classes, the rate, and file, SHA-256 and cost of every network, and with
        these .tflite files, from the waveform to logits.
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from ai_edge_litert.interpreter import Interpreter

from .predict_litert import cut, resample

try:
    import soxr
except ImportError:
    soxr = None
try:
    import torch

    Module = torch.nn.Module
except ImportError:
    torch, Module = None, object


class Network(Module):
    """One network: waves (segments, samples) to logits (segments, classes), on the processor.

    Args:
        file: Its .tflite file.
        entry: What model.json has of it.
        order: Positions of the classes in the network's outputs.

    Raises:
        ValueError: The file is not the one that model.json describes.
    """

    def __init__(self, file: Path, entry: dict[str, Any], order: Sequence[int]):
        super().__init__()
        content = file.read_bytes()
        if hashlib.sha256(content).hexdigest() != entry["sha256"]:  # LiteRT aborts on some damaged files
            raise ValueError(f"{file}: is not the file that model.json describes; copy both anew")
        self.order = list(order)
        self.cost = {key: entry[key] for key in ("parameters", "bytes", "macs")}
        self._run = Interpreter(model_content=content).get_signature_runner()
        self.samples = int(self._run.get_input_details()["wave"]["shape"][1])
        if torch is not None:  # for state_dict(): the weights are in the file
            self.register_buffer("tflite", torch.frombuffer(bytearray(content), dtype=torch.uint8))

    def forward(self, waves: Any) -> Any:
        """Logits of waves."""
        rows = [self._run(wave=wave[np.newaxis])["logits"] for wave in np.asarray(waves, np.float32)]
        return _tensor(np.concatenate(rows)[:, self.order])

    if torch is None:
        __call__ = forward

    def __deepcopy__(self, memo: dict) -> None:
        """Refuses what counting by torchinfo starts with: it would count no layer of a TFLite file.

        Raises:
            TypeError: Always.
        """
        raise TypeError("a TFLite network has no torch layers to be counted; its cost is in complexity.json beside it")


class Networks(Module):
    """All networks of an entry.

    Args:
        folder: Folder of model.json.
        tree: Content of model.json.
    """

    def __init__(self, folder: Path, tree: dict[str, Any]):
        super().__init__()
        order = [tree["classes"].index(name) for name in tree["class_order"]]
        self.general = Network(folder / tree["general"]["file"], tree["general"], order)
        self.devices = {device: Network(folder / one["file"], one, order) for device, one in tree["devices"].items()}
        if torch is not None:
            self.of_devices = torch.nn.ModuleList(self.devices.values())


class Model(Module):
    """The model of an entry, as `load_model` returns it.

    Args:
        folder: Folder with model.json, or that file.
    """

    def __init__(self, folder: str | Path):
        super().__init__()
        file = Path(folder) if str(folder).endswith(".json") else Path(folder) / "model.json"
        tree = json.loads(file.read_text(encoding="utf-8"))
        self.class_order, self.sample_rate_hz = list(tree["class_order"]), int(tree["sample_rate_hz"])
        self.model = Networks(file.parent, tree)


def load_inputs(file_paths: Sequence[str], device_ids: Sequence[str], model: Model) -> list[Any]:
    """The inputs of the networks for audio files of any rate and length.

    Args:
        file_paths: The files.
        device_ids: Device of each.
        model: As `load_model` returns it.

    Returns:
        (segments, samples) of every file, one segment for a file of one.

    Raises:
        ValueError: There are not as many devices as files.
    """
    if len(file_paths) != len(device_ids):
        raise ValueError(f"{len(file_paths)} files and {len(device_ids)} devices; give the device of every file")
    length = model.model.general.samples
    return [_tensor(cut(_mono(file, model.sample_rate_hz), length)) for file in file_paths]


def get_model_for_device(model: Model, device_id: str) -> Network:
    """The network of a device; the general one where it has none.

    Args:
        model: As `load_model` returns it.
        device_id: The device, such as "a", "s1" or "unknown".
    """
    return model.model.devices.get(device_id, model.model.general)


def predict(model: Model, file_paths: Sequence[str], device_ids: Sequence[str]) -> tuple[list[Any], list[str]]:
    """Logits of audio files, each by the network of its device.

    Args:
        model: As `load_model` returns it.
        file_paths: The files.
        device_ids: Device of each.

    Returns:
        (classes,) logits of every file, and the names of the classes. Of a file of several segments the logs of the
        mean of the segments' probabilities.
    """
    inputs = load_inputs(file_paths, device_ids, model)
    logits = [
        np.asarray(get_model_for_device(model, device)(waves)) for device, waves in zip(device_ids, inputs, strict=True)
    ]
    return [_tensor(rows[0] if len(rows) == 1 else _log_mean(rows)) for rows in logits], model.class_order


def _mono(file, rate_hz):
    samples, file_rate_hz = soundfile.read(file, dtype="float32", always_2d=True)
    mono, length = samples.mean(axis=1), int(len(samples) * rate_hz / file_rate_hz + 0.5)
    if soxr is None or rate_hz == file_rate_hz:
        return resample(mono, file_rate_hz, rate_hz)
    resampled = soxr.resample(mono, file_rate_hz, rate_hz, quality="HQ")[:length]
    return np.pad(resampled, (0, length - len(resampled)))


def _log_mean(logits):
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.log((powers / powers.sum(axis=1, keepdims=True)).mean(axis=0))


def _tensor(values):
    return values if torch is None else torch.from_numpy(np.ascontiguousarray(values))
