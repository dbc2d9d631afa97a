"""Difference of networks to their PyTorch originals with the same weights.

Needs:   pip install -e ".[bench]"
Run:     python benchmarks/equal_to_torch.py [NAME ...]
Output:  for every original: parameters of both, and the largest differences of torch's and of our logits in single
         precision to those of torch in double precision, of four spectrograms of noise of different levels, relative to
         the standard deviation of a class's logits over them. The exit status is 1 where ours is above 1e-4.

The originals are those of timm, torchvision and efficientnet_pytorch, with what was changed for audio
(torch_networks.py). Weights and factors are random, statistics those of the noise; they go through a .pt file and
asc_tf.checkpoints.
"""

import argparse
import functools
import re
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import timm
import torch
from torch import nn
from torch_networks import AttentionPooling, AudioSetConvNeXt, MeanPooling, Psla, mobilenet

from asc_tf.checkpoints import files, state_dict, to_keras
from asc_tf.recipe import registry

TOLERANCE = 1e-4
CLASSES = 10
TINY = {"depths": [3, 3, 9, 3], "dims": [96, 192, 384, 768]}


class Case(NamedTuple):
    """A network and its original.

    Args:
        model: Name of the network.
        settings: Of the network.
        shape: (bands, frames) of the input.
        original: Function that makes a module from (batch, 1, bands, frames) to (batch, CLASSES).
        key: Function from the original's keys to those that the network knows.
    """

    model: str
    settings: Mapping[str, Any]
    shape: tuple[int, int]
    original: Callable[[], nn.Module]
    key: Callable[[str], str] = str


def convnext_key(key: str) -> str:
    """The key of the authors' code for one of timm."""
    key = key.removeprefix("body.")
    key = re.sub(r"^stem\.", "downsample_layers.0.", key)
    key = re.sub(r"^stages\.(\d)\.downsample\.", r"downsample_layers.\1.", key)
    key = re.sub(r"^(stages\.\d)\.blocks\.", r"\1.", key)
    for theirs, authors in {"conv_dw": "dwconv", "mlp.fc": "pwconv", "head.norm": "norm", "head.fc": "head"}.items():
        key = key.replace(theirs, authors)
    return key


def audioset_key(key: str) -> str:
    """The key of the published network for AudioSet."""
    return re.sub(r"^head\.", "head_audioset.", convnext_key(key))


def mobilenet_key(key: str) -> str:
    """The key of EfficientAT for one of `mobilenet`."""
    key = key.replace("0.", "features.", 1) if key.startswith("0.") else key.replace("1.", "classifier.", 1)
    return re.sub(r"\.(fc\d)\.", r".conc_se_layers.0.\1.", key)


def psla(size: str, heads: int, cla: str = "linear") -> Case:
    """An EfficientNet with a pooling."""
    activation = torch.sigmoid if cla == "sigmoid" else nn.Identity()
    pooling = functools.partial(AttentionPooling, heads=heads, cla=activation) if heads else MeanPooling
    settings = {"size": size, "heads": heads, "cla": cla, "drop_connect": 0.2}
    return Case("efficientnet_psla", settings, (128, 100), functools.partial(Psla, size, pooling))


AUDIOSET = {**TINY, "drop_path": 0.0, "bn0": True, "stem_padding": 4, "time_first": True, "pooling": "max_mean"}
CASES = {
    "ConvNeXt-Tiny, timm": Case(
        "convnext",
        {**TINY, "drop_path": 0.0},
        (128, 100),
        functools.partial(timm.create_model, "convnext_tiny", in_chans=1, num_classes=CLASSES),
        convnext_key,
    ),
    "ConvNeXt-Tiny for AudioSet": Case("convnext", AUDIOSET, (224, 101), lambda: AudioSetConvNeXt(224), audioset_key),
    "EfficientNet-B2, 4 heads": psla("b2", 4),
    "EfficientNet-B2, 1 head, sigmoid": psla("b2", 1, "sigmoid"),
    "EfficientNet-B0, mean": psla("b0", 0),
    "MN04, torchvision": Case("mobilenet_audio", {"width": 0.4}, (128, 100), lambda: mobilenet(0.4), mobilenet_key),
    "MN10, fully convolutional, strides 2 2 1 1": Case(
        "mobilenet_audio",
        {"width": 1.0, "strides": [1, 2, 1, 2] + [1] * 11, "head": "fully_convolutional"},
        (128, 100),
        lambda: mobilenet(1.0, (2, 2, 1, 1), True),
        mobilenet_key,
    ),
}


def randomise(network: nn.Module, x: torch.Tensor) -> None:
    """Draws factors and biases anew, and sets the statistics of batch norms to those of x.

    Kernels have PyTorch's initial values; with statistics of nothing, a network's output would not depend on its input.

    Args:
        network: The original.
        x: (batch, 1, bands, frames).
    """
    for name, values in network.named_parameters():
        if name.endswith("gamma") or (name.endswith("weight") and values.ndim == 1):
            values.uniform_(0.5, 1.5)
        elif name.endswith("bias"):
            values.normal_(std=0.1)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
    network.train()(x)
    network.eval()


class Comparison(NamedTuple):
    """Parameters, and largest differences of logits to those of the original in double precision, relative.

    Args:
        theirs: Parameters of the original.
        ours: Parameters of the network.
        rounding: Difference of the original in single precision.
        difference: Difference of the network.
    """

    theirs: int
    ours: int
    rounding: float
    difference: float


def compared(case: Case, folder: Path) -> Comparison:
    """Comparison of a network with its original.

    Args:
        case: The network and its original.
        folder: For the file of the weights.
    """
    torch.manual_seed(0)
    levels = np.array([0.5, 1, 2, 4])[:, None, None]
    x = torch.from_numpy(levels * np.random.default_rng(0).normal(size=(4, *case.shape))).float()[:, None]
    original, file = case.original(), folder / "weights.pt"
    with torch.no_grad():
        randomise(original, x)
        torch.save({case.key(key): values for key, values in original.state_dict().items()}, file)
        single, double = original(x).numpy(), original.double()(x.double()).numpy()
    network, spread = loaded(case, file), double.std(axis=0).mean()
    logits = network(np.moveaxis(x.numpy(), 1, -1)).numpy()
    theirs = sum(values.numel() for values in original.parameters())
    ours = sum(int(np.prod(weight.shape)) for weight in network.trainable_weights)
    return Comparison(theirs, ours, *(float(np.abs(values - double).max() / spread) for values in (single, logits)))


def loaded(case: Case, file: Path) -> Any:
    """The network with the weights of a file, of which it needs every tensor."""
    tensors = state_dict.tensors(files.load(file), file)
    network = registry.entry("model", case.model)((*case.shape, 1), CLASSES, **case.settings)
    match = to_keras.match(network, {key: tensor.shape for key, tensor in tensors.items()})
    ignored = {key for key in set(tensors) - match.used if not key.endswith("num_batches_tracked")}
    assert match.fits and not ignored, (match.missing, match.wrong, ignored)
    for target, keys in match.keys:
        target.weight.assign(target.convert([tensors[key].values() for key in keys]))
    return network


def main() -> None:
    """Runs the comparison."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="of the originals; by default all")
    names, worst = parser.parse_args().names or list(CASES), 0.0
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            theirs, ours, rounding, difference = compared(CASES[name], Path(folder))
            worst = max(worst, difference)
            counts = f"{theirs:12,} / {ours:12,} parameters"
            print(f"{name:44s}{counts}   torch {rounding:.1e}   ours {difference:.1e}", flush=True)
    sys.exit(worst > TOLERANCE)


if __name__ == "__main__":
    main()
