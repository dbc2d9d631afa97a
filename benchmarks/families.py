"""Size and cost of a training step of every family of networks, beside torch's step of the same network for some.

Needs:   pip install -e ".[bench]" for the columns of torch; without it they stay empty.
Run:     python benchmarks/families.py [TITLE ...] [--steps 10] [--batch 8]
Output:  a table in Markdown: parameters and MACs by rule T for 10 classes and a second of sound, milliseconds of a
         training step on two threads, peak memory of the process; the same two of torch.

A step is forward, cross entropy, backward and AdamW on noise; its time is the median of the steps after three others.
Every network is measured in a process of its own, so that the peak memory (ru_maxrss) is its own; that includes
TensorFlow or torch, as the last rows show. torch's time is that of the faster of its two memory layouts.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
import types
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from features_gammatone_cqt import installed

CLASSES, THREADS, WARM_UP = 10, 2, 3
IMPORTS = "imports alone"


class Family(NamedTuple):
    """A network of the table.

    Args:
        model: Its name in a recipe.
        settings: Keyword arguments of its `build`.
        shape: (bands, frames, channels) of a second of its usual front end.
    """

    model: str
    settings: Mapping[str, Any]
    shape: tuple[int, int, int]


DROPOUT = [0.1, 0.1, 0.1, 0.1, 0.1]
BASELINE_STRIDES = [[1, 1], [1, 1], [1, 2], [2, 1], [1, 1], [1, 1]]
JKU_STRIDES = [[1, 1], [2, 2], [1, 1], [2, 1], [1, 1], [1, 1]]
TINY = {"depths": [3, 3, 9, 3], "dims": [96, 192, 384, 768], "drop_path": 0.1}
PSLA = {"heads": 4, "cla": "linear", "drop_connect": 0.2}

# A line for each published or usual size; one more family is one more line.
VIT = {"width": 768, "depth": 12, "heads": 12, "patch": [16, 16], "stride": [10, 10]}
SWIN = {"width": 96, "depths": [2, 2, 6, 2], "patch": 4, "drop_path": 0.1}
IR_MAMBA_S1 = {
    "stem": [8, 32],
    "blocks": [[48, 64], [48, 96], [128, 155]],
    "pmbs": [[48, 2], [64, 2], [72, 2]],
    "pools": [2, 2, 2],
}
CNN_GRU = {"width": 24, "multiplier": 1.5, "expansion": 2, "divisor": 5.0, "channel_dropout": 0.3, "step_dropout": 0.5}
FAMILIES = {
    "AIT student": Family("ait_student", {"width": 16, "embedding": 64, "dropout": DROPOUT}, (128, 128, 3)),
    "CP-Mobile, baseline 2024": Family(
        "cp_mobile",
        {"width": 32, "growth": 1.8, "expansion": 2.1, "strides": BASELINE_STRIDES, "grn": False},
        (256, 65, 1),
    ),
    "CP-Mobile, CP-JKU 2023": Family(
        "cp_mobile", {"width": 32, "growth": 2.3, "expansion": 3.0, "strides": JKU_STRIDES, "grn": True}, (256, 64, 1)
    ),
    "CP-ResNet, small": Family("cp_resnet", {"width": 32, "rho": 8}, (256, 44, 1)),
    "CP-ResNet, large": Family("cp_resnet", {"width": 128, "rho": 7, "size": "large"}, (256, 44, 1)),
    "ConvNeXt-Tiny": Family("convnext", TINY, (128, 100, 1)),
    "DyMN04": Family("dymn", {"width": 0.4, "temperature": 1.0}, (128, 100, 1)),
    "DyMN10": Family("dymn", {"width": 1.0, "temperature": 1.0}, (128, 100, 1)),
    "EfficientNet-B2, PSLA": Family("efficientnet_psla", {"size": "b2", **PSLA}, (128, 100, 1)),
    "AST base": Family("ast", VIT | {"grid": [12, 101]}, (128, 100, 1)),
    "HTS-AT": Family(
        "htsat", SWIN | {"spec_size": 256, "heads": [4, 8, 16, 32], "window": 8, "stride": 4}, (64, 101, 1)
    ),
    "PaSST-S": Family("passt", VIT | {"grid": [12, 99]}, (128, 100, 1)),
    "Swin-T": Family("swin", SWIN | {"heads": [3, 6, 12, 24], "window": 7}, (128, 100, 1)),
    "IRMamba, S1": Family("ir_mamba", IR_MAMBA_S1, (256, 64, 1)),
    "TF-SepNet-64": Family(
        "tf_sepnet", {"width": 64, "depth": 17, "kernel": 3, "norm_factor": 0.1, "dropout": 0.1}, (512, 64, 1)
    ),
    "CNN-GRU of 2025": Family("tan_cnn_gru", CNN_GRU, (256, 33, 1)),
    "MN04": Family("mobilenet_audio", {"width": 0.4}, (128, 100, 1)),
    "MN10": Family("mobilenet_audio", {"width": 1.0}, (128, 100, 1)),
    "Residual inception": Family(
        "residual_inception", {"width": 32, "embedding": 64, "dropout": DROPOUT}, (128, 128, 3)
    ),
    "YAMNet-256": Family("yamnet", {"blocks": 5}, (64, 96, 1)),
    "YAMNet": Family("yamnet", {"blocks": 13}, (64, 96, 1)),
}


def measured_in_keras(family: Family, batch: int, steps: int) -> dict[str, float]:
    """Parameters, MACs, milliseconds and megabytes of a network."""
    import keras
    import tensorflow as tf

    from asc_tf.cost import measure
    from asc_tf.recipe import registry

    tf.config.threading.set_intra_op_parallelism_threads(THREADS)
    network = registry.entry("model", family.model)(family.shape, CLASSES, **family.settings)
    loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    network.compile(keras.optimizers.AdamW(1e-4), loss, jit_compile=False)
    x, y = (tf.constant(array) for array in noise(family.shape, batch))
    cost = measure.measure(network)
    milliseconds = timed(lambda: network.train_on_batch(x, y), steps)
    return {"parameters": cost.parameters, "macs": cost.macs, "ms": milliseconds, "mb": peak_mb()}


def measured_in_torch(title: str, batch: int, steps: int) -> dict[str, float]:
    """Parameters, milliseconds and megabytes of the same network in torch."""
    import torch
    import torch_networks

    if title not in torch_networks.NETWORKS:
        return {}
    torch.set_num_threads(THREADS)
    family = FAMILIES[title]
    network = torch_networks.NETWORKS[title]().train()
    x, y = (torch.from_numpy(array) for array in noise(family.shape, batch))
    optimizer = torch.optim.AdamW(network.parameters(), 1e-4)

    def step(x):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(network(x), y).backward()
        optimizer.step()

    times = []
    for layout in (torch.contiguous_format, torch.channels_last):
        network.to(memory_format=layout)
        inputs = x.permute(0, 3, 1, 2).contiguous(memory_format=layout)
        times.append(timed(lambda: step(inputs), steps))  # noqa: B023
    parameters = sum(values.numel() for values in network.parameters())
    return {"parameters": parameters, "ms": min(times), "mb": peak_mb()}


def noise(shape: tuple[int, int, int], batch: int) -> tuple[np.ndarray, np.ndarray]:
    """Spectrograms (batch, *shape) and labels (batch, CLASSES), one-hot."""
    rng = np.random.default_rng(0)
    return rng.standard_normal((batch, *shape), "f"), np.eye(CLASSES, dtype="f")[rng.integers(CLASSES, size=batch)]


def timed(step: Callable[[], object], steps: int) -> float:
    """Milliseconds of a step, the median."""
    times = []
    for _ in range(WARM_UP + steps):
        start = time.perf_counter()
        step()
        times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times[WARM_UP:])


def peak_mb() -> float:
    """Largest resident memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def imports(framework: str) -> dict[str, float]:
    """Megabytes of a process that has imported a framework."""
    if framework == "torch":
        import torch_networks  # noqa: F401
    else:
        import keras  # noqa: F401

        import asc_tf.recipe.registry  # noqa: F401
    return {"mb": peak_mb()}


def in_process(framework: str, title: str, options: argparse.Namespace) -> dict[str, float]:
    """What a fresh process measures; nothing where torch has no such network."""
    arguments = [title, "--framework", framework, "--batch", str(options.batch), "--steps", str(options.steps)]
    threads = {"OMP_NUM_THREADS": str(THREADS), "TF_NUM_INTEROP_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    environment = os.environ | threads
    command = [sys.executable, __file__, *arguments]
    output = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True).stdout
    return json.loads(output.splitlines()[-1])


def one(framework: str, title: str, options: argparse.Namespace) -> dict[str, float]:
    """What this process measures."""
    if title == IMPORTS:
        return imports(framework)
    if framework == "torch":
        return measured_in_torch(title, options.batch, options.steps)
    return measured_in_keras(FAMILIES[title], options.batch, options.steps)


def row(title: str, ours: Mapping[str, float], torchs: Mapping[str, float] = types.MappingProxyType({})) -> str:
    """A row of the table."""
    if ours.get("parameters") and torchs.get("parameters"):
        assert ours["parameters"] == torchs["parameters"], (title, ours, torchs)
    shape = " x ".join(map(str, FAMILIES[title].shape)) if title in FAMILIES else ""
    cells = [(ours, "parameters"), (ours, "macs"), (ours, "ms"), (ours, "mb"), (torchs, "ms"), (torchs, "mb")]
    numbers = [f"{values[key]:,.{1 if key == 'ms' else 0}f}" if key in values else "" for values, key in cells]
    return f"| {title} | {shape} | {' | '.join(numbers)} |"


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("titles", nargs="*", metavar="TITLE", help="rows; by default all")
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--framework", choices=("keras", "torch"), help="measure one network in this process")
    options = parser.parse_args()
    if options.framework:
        print(json.dumps(one(options.framework, options.titles[0], options)))
        return
    frameworks = ("keras", "torch") if installed("torch") else ("keras",)
    print("| network | input | parameters | MACs | ms a step | MB | torch: ms a step | torch: MB |")
    print("|---|---|---|---|---|---|---|---|")
    for title in [*(options.titles or FAMILIES), IMPORTS]:
        print(row(title, *(in_process(framework, title, options) for framework in frameworks)), flush=True)


if __name__ == "__main__":
    main()
