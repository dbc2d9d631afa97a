"""How fast is a training step beside the same network in torch? CP-Mobile of 61,148 parameters, 2 cores.

Run:     python benchmarks/train_step.py [--repeats 3] [--seconds 2] [--batches 64 256]
Needs:   pip install -e ".[bench]" (torch); without it there is nothing to compare, and it says so.
Output:  a line for each of torch's memory layouts: clips a second, ours / torch's, the ratio; medians of
         alternating measurements.  Then the promise, kept or missed, against the faster layout.

A step is what asc_tf.train does: forward, cross entropy, backward, AdamW, running statistics, accuracy.
The torch network is the DCASE 2024 baseline in plain torch, on two threads, with as many weights.
"""

import argparse
import dataclasses

import numpy as np
from features_gammatone_cqt import compared, present

CLASSES, PROMISED = 10, 0.85
# The quickstart's network is the baseline's, on a quarter of the input.
INPUTS = {
    "baseline 256 x 65": ["feature.bands=256", "feature.hop_samples=500"],
    "quickstart 128 x 33": [],
}


def rows(what, batch, *, repeats, seconds):
    """Yields (what, rival, our clips a second, the rival's) of training on random clips."""
    from asc_tf import build
    from asc_tf.recipe import resolve as recipe

    loaded = recipe.load("quickstart", INPUTS[what])
    rng = np.random.default_rng(0)
    spectrograms = rng.standard_normal((batch, *build.input_shape(loaded)), "f")
    labels = np.eye(CLASSES, dtype="f")[rng.integers(CLASSES, size=batch)]
    functions = {"ours": ours(loaded, spectrograms, labels)}
    if present("torch"):
        for layout in ("contiguous_format", "channels_last"):
            functions[f"torch, {layout}"] = torchs(loaded, spectrograms, labels, layout)
    yield from compared(f"{what}, batch {batch}", functions, batch, repeats, seconds)


def ours(loaded, spectrograms, labels):
    import tensorflow as tf

    from asc_tf.training import fit as train

    plain = dataclasses.replace(loaded, distill=None, teacher=())
    student = train.compiled_student(plain, classes=[str(number) for number in range(CLASSES)], steps=100_000)
    x, y = tf.constant(spectrograms), {"label": tf.constant(labels)}

    def step(clips):
        student.train_on_batch(x, y)
        return clips

    return step


def torchs(loaded, spectrograms, labels, layout):
    import torch

    from asc_tf import build

    torch.set_num_threads(2)
    layout = getattr(torch, layout)
    network = torch_network(**loaded.model.settings).to(memory_format=layout)
    weights = sum(parameter.numel() for parameter in network.parameters())
    assert weights == sum(np.prod(v.shape) for v in build.network(loaded, CLASSES).trainable_variables)
    optimizer = torch.optim.AdamW(network.parameters(), loaded.train.learning_rate)
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


def torch_network(width, growth, expansion, strides, grn):
    """The 2024 baseline as a torch module: (batch, 1, bands, frames) to (batch, 10) logits."""
    from torch import nn

    from asc_tf.models._blocks import make_divisible
    from asc_tf.models.cp_mobile import STAGE_OF_BLOCK

    assert not grn, "the baseline has none"

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
    widths = [width] + [make_divisible(width * growth**stage) for stage in STAGE_OF_BLOCK]
    blocks = [Block(*sizes, tuple(stride)) for *sizes, stride in zip(widths, widths[1:], strides, strict=False)]
    head = [convolved(widths[-1], CLASSES, relu=False), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(*stem, *blocks, *head)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each measurement")
    parser.add_argument("--batches", type=int, nargs="+", default=[64, 256])
    options = parser.parse_args()
    for what in INPUTS:
        for batch in options.batches:
            ratios = []
            for name, rival, own, theirs in rows(what, batch, repeats=options.repeats, seconds=options.seconds):
                ratios.append(own / theirs)
                print(f"{name:32} {rival:26} {own:8.1f} / {theirs:8.1f} clips/s = {ratios[-1]:5.2f} x", flush=True)
            if ratios:
                print(f"promised {PROMISED} of torch: {'kept' if min(ratios) >= PROMISED else 'MISSED'}", flush=True)


if __name__ == "__main__":
    main()
