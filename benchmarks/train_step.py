"""Speed of a training step relative to the same network in torch: CP-Mobile, 61,148 parameters, 2 cores.

Run:     python benchmarks/train_step.py [--repeats 3] [--seconds 2] [--batches 64 256]
Needs:   pip install -e ".[bench]" (torch); without it nothing is compared, with a message.
Output:  a line for each of torch's memory layouts: clips a second, ours / torch's, the ratio; medians of
         alternating measurements. Then whether the target is met, against the faster layout.

A step is as in asc_tf.train: forward, cross entropy, backward, AdamW, running statistics, accuracy.
The torch network is the DCASE 2024 baseline in plain torch, on two threads, with as many weights.
"""

import argparse
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from features_gammatone_cqt import compare, installed

CLASSES = 10
TARGET = 0.85  # least of torch's clips a second
# The quickstart's network is the baseline's, on a quarter of the input.
INPUTS = {
    "baseline 256 x 65": ["feature.bands=256", "feature.hop_samples=500"],
    "quickstart 128 x 33": [],
}


def rows(input_name: str, batch: int, *, repeats: int, seconds: float) -> Iterator[tuple[str, str, float, float]]:
    """Yields (title, rival, our clips a second, the rival's) of training on random clips.

    Args:
        input_name: A key of INPUTS.
        batch: Number of clips in a batch.
        repeats: Number of measurements of each.
        seconds: Duration of a measurement.
    """
    from asc_tf import build
    from asc_tf.recipe import resolve

    recipe = resolve.load("quickstart", INPUTS[input_name])
    rng = np.random.default_rng(0)
    spectrograms = rng.standard_normal((batch, *build.input_shape(recipe)), "f")
    labels = np.eye(CLASSES, dtype="f")[rng.integers(CLASSES, size=batch)]
    functions = {"ours": ours(recipe, spectrograms, labels)}
    if installed("torch"):
        for layout in ("contiguous_format", "channels_last"):
            functions[f"torch, {layout}"] = torch_step(recipe, spectrograms, labels, layout)
    yield from compare(f"{input_name}, batch {batch}", functions, batch, repeats, seconds)


def ours(recipe: Any, spectrograms: np.ndarray, labels: np.ndarray) -> Callable[[int], int]:
    """A function that trains one step of our network, and returns its argument, the number of clips."""
    import tensorflow as tf

    from asc_tf.training.fit import compiled_student

    plain = dataclasses.replace(recipe, distill=None, teacher=())
    student = compiled_student(plain, classes=[str(index) for index in range(CLASSES)], steps=100_000)
    x, y = tf.constant(spectrograms), {"label": tf.constant(labels)}

    def step(clips):
        student.train_on_batch(x, y)
        return clips

    return step


def torch_step(recipe: Any, spectrograms: np.ndarray, labels: np.ndarray, layout: str) -> Callable[[int], int]:
    """The same of the network in torch, in a memory layout: "contiguous_format" or "channels_last"."""
    import torch

    from asc_tf import build

    torch.set_num_threads(2)
    layout = getattr(torch, layout)
    network = torch_network(**recipe.model.settings).to(memory_format=layout)
    weights = sum(parameter.numel() for parameter in network.parameters())
    assert weights == sum(np.prod(v.shape) for v in build.network(recipe, CLASSES).trainable_variables)
    optimizer = torch.optim.AdamW(network.parameters(), recipe.train.learning_rate)
    x = torch.from_numpy(spectrograms).permute(0, 3, 1, 2).contiguous(memory_format=layout)
    y = torch.from_numpy(labels)

    def step(clips):
        optimizer.zero_grad()
        logits = network(x)
        loss = torch.nn.functional.cross_entropy(logits, y)
        loss.backward()
        optimizer.step()
        loss.item(), (logits.argmax(1) == y.argmax(1)).float().mean().item()
        return clips

    return step


def torch_network(width: int, growth: float, expansion: float, strides: Sequence[Sequence[int]], grn: bool) -> Any:
    """The 2024 baseline as a torch module: (batch, 1, bands, frames) to (batch, 10) logits.

    Args:
        width: Channels of the first blocks; this and the others as for models/cp_mobile.py.
        growth: Factor of the channels from stage to stage.
        expansion: Factor of the hidden channels of a block.
        strides: (bands, frames) of every block.
        grn: Must be False.
    """
    from torch import nn

    from asc_tf.models._blocks import make_divisible
    from asc_tf.models.cp_mobile import BLOCKS, stage_of_block

    assert not grn, "the baseline has no global response norm"

    def convolved(inputs, outputs, kernel=1, *, relu=True, **settings):
        convolution = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False, **settings)
        return nn.Sequential(convolution, nn.BatchNorm2d(outputs), *([nn.ReLU(inplace=True)] if relu else []))

    class Block(nn.Module):
        def __init__(self, inputs, outputs, stride):
            super().__init__()
            hidden = make_divisible(inputs * expansion)
            expand, project = convolved(inputs, hidden), convolved(hidden, outputs, relu=False)
            self.inner = nn.Sequential(expand, convolved(hidden, hidden, 3, stride=stride, groups=hidden), project)
            self.adds = inputs == outputs
            self.shortcut = nn.Identity() if stride == (1, 1) else nn.AvgPool2d(3, stride, padding=1)

        def forward(self, x):
            y = self.inner(x)
            return nn.functional.relu(y + self.shortcut(x) if self.adds else y, inplace=True)

    stem = [convolved(1, width // 4, 3, stride=2), convolved(width // 4, width, 3, stride=2)]
    widths = [width] + [make_divisible(width * growth**stage) for stage in stage_of_block(BLOCKS)]
    blocks = [Block(*sizes, tuple(stride)) for *sizes, stride in zip(widths, widths[1:], strides, strict=False)]
    head = [convolved(widths[-1], CLASSES, relu=False), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(*stem, *blocks, *head)


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each measurement")
    parser.add_argument("--batches", type=int, nargs="+", default=[64, 256])
    options = parser.parse_args()
    for input_name in INPUTS:
        for batch in options.batches:
            ratios = []
            measured = rows(input_name, batch, repeats=options.repeats, seconds=options.seconds)
            for name, rival, ours_per_s, theirs_per_s in measured:
                ratios.append(ours_per_s / theirs_per_s)
                rates = f"{ours_per_s:8.1f} / {theirs_per_s:8.1f} clips/s"
                print(f"{name:32} {rival:26} {rates} = {ratios[-1]:5.2f} x", flush=True)
            if ratios:
                print(f"target {TARGET} of torch: {'met' if min(ratios) >= TARGET else 'MISSED'}", flush=True)


if __name__ == "__main__":
    main()
