"""Latency of one clip by the int8 file, relative to the same network in torch's int8: CP-Mobile, 61,148 parameters.

Run:     python benchmarks/latency.py [--threads 1] [--repeats 5] [--seconds 1]
Needs:   pip install -e ".[bench]" (torch); without it only our files are timed, with a message.
Output:  milliseconds for one clip of 256 bands x 65 frames through every form, medians of alternating measurements,
         and whether the target is met: our int8 at most half of torch's int8.

The weights are random: they do not change the time. Both int8 networks are calibrated on the same random clips, torch's
by its post-training quantisation (FX, engine x86). TensorFlow Lite runs its default kernels (XNNPACK).
On x86 processors without VNNI int8 is slower than float: its only gain there is its size. It pays on Arm, on
microcontrollers (CMSIS-NN) and on accelerators for int8.
"""

import argparse
import functools
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from features_gammatone_cqt import installed
from train_step import CLASSES, torch_network

TARGET = 0.5  # most of torch's int8
SETTINGS = ["feature.bands=256", "feature.hop_samples=500"]


def forms(threads: int) -> dict[str, Callable[[], Any]]:
    """{name: function without arguments that computes one clip}, on some threads."""
    from asc_tf import build
    from asc_tf.export.quantisation import convert, qat
    from asc_tf.export.quantisation.to_tf_keras import to_tf_keras
    from asc_tf.recipe import resolve
    from asc_tf.tflite.file import TFLiteModel

    recipe = resolve.load("quickstart", SETTINGS)
    clips = np.random.default_rng(0).standard_normal((64, *build.input_shape(recipe)), "f")
    network = to_tf_keras(build.network(recipe, CLASSES, foldable=True))
    files = {"ours, float16 TFLite": convert.float16(network)}
    files["ours, int8 TFLite"] = convert.convert(qat.quantise(network, clips))
    models = {name: TFLiteModel(content, threads=threads) for name, content in files.items()}
    functions = {name: functools.partial(model, clips[:1]) for name, model in models.items()}
    return functions | (torch_forms(recipe, clips, threads) if installed("torch") else {})


def torch_forms(recipe: Any, clips: np.ndarray, threads: int) -> dict[str, Callable[[], Any]]:
    """The same for the network in torch, in float and, calibrated on the clips, in int8."""
    import torch
    from torch.ao.quantization import get_default_qconfig_mapping, quantize_fx

    torch.set_num_threads(threads)
    torch.backends.quantized.engine = "x86"
    network = torch_network(**recipe.model.settings).eval()
    x = torch.from_numpy(clips).permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)
    one = x[:1].contiguous(memory_format=torch.channels_last)
    functions = {}
    with torch.no_grad():
        prepared = quantize_fx.prepare_fx(network, get_default_qconfig_mapping("x86"), (one,))
        prepared(x)
        for name, form in (("torch, float", network), ("torch, int8", quantize_fx.convert_fx(prepared))):
            functions[name] = functools.partial(_call, form.to(memory_format=torch.channels_last), one)
    return functions


def _call(form, x):
    import torch

    with torch.inference_mode():
        return form(x)


def milliseconds(
    call: Callable[[], Any], seconds: float, summary: Callable[[list[float]], float] = statistics.median
) -> float:
    """Duration of single calls, their median or another summary, after three that are not measured."""
    for _ in range(3):
        call()
    times, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return 1000 * summary(times)


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0, help="of each measurement")
    options = parser.parse_args()
    functions = forms(options.threads)
    times = {name: [] for name in functions}
    for _ in range(options.repeats):
        for name, call in functions.items():
            times[name].append(milliseconds(call, options.seconds))
    medians = {name: statistics.median(values) for name, values in times.items()}
    for name, median in medians.items():
        print(f"{name:24}{median:8.2f} ms a clip, {options.threads} thread(s)")
    print("int8 pays on Arm, microcontrollers and int8 accelerators; on x86 without VNNI it is slower than float.")
    if "torch, int8" in medians:
        ratio = medians["ours, int8 TFLite"] / medians["torch, int8"]
        print(f"int8, ours / torch = {ratio:.2f}, target {TARGET}: {'met' if ratio <= TARGET else 'MISSED'}")


if __name__ == "__main__":
    main()
