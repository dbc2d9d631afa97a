"""How fast is one clip through the int8 file, beside the same network in torch's int8? CP-Mobile of 61,148 parameters.

Run:     python benchmarks/latency.py [--threads 1] [--repeats 5] [--seconds 1]
Needs:   pip install -e ".[bench]" (torch); without it only our own files are timed, and it says so.
Output:  milliseconds for one clip of 256 bands x 65 frames through every form, medians of alternating measurements,
         and the promise, our int8 at most half of torch's int8, kept or missed.

The weights are random: they change no time. Both int8 networks are calibrated on the same random clips; torch's is
its own post-training quantisation (FX, engine x86). TensorFlow Lite runs its default kernels (XNNPACK).
On x86 processors without VNNI int8 is slower than float: there the file's use is its size. It pays on Arm, on
microcontrollers (CMSIS-NN) and on accelerators for int8.
"""

import argparse
import functools
import statistics
import time

import numpy as np
from features_gammatone_cqt import present
from train_step import CLASSES, torch_network

PROMISED = 0.5
SETTINGS = ["feature.bands=256", "feature.hop_samples=500"]


def forms(threads):
    """{name: a function that takes no argument and computes one clip}."""
    from asc_tf import build
    from asc_tf.recipe import resolve as recipe
    from asc_tf.tflite import file as tflite_file
    from export.quantisation import convert as tflite
    from export.quantisation import qat
    from export.quantisation.to_tf_keras import to_tf_keras

    loaded = recipe.load("quickstart", SETTINGS)
    clips = np.random.default_rng(0).standard_normal((64, *build.input_shape(loaded)), "f")
    network = to_tf_keras(build.network(loaded, CLASSES, foldable=True))
    files = {"ours, float16 TFLite": tflite.float16(network)}
    files["ours, int8 TFLite"] = tflite.convert(qat.quantise(network, clips))
    found = {}
    for name, content in files.items():
        file = tflite_file.TFLiteModel(content, threads=threads)
        found[name] = functools.partial(file, clips[:1])
    return found | (torch_forms(loaded, clips, threads) if present("torch") else {})


def torch_forms(loaded, clips, threads):
    import torch
    from torch.ao.quantization import get_default_qconfig_mapping, quantize_fx

    torch.set_num_threads(threads)
    torch.backends.quantized.engine = "x86"
    network = torch_network(**loaded.model.settings).eval()
    x = torch.from_numpy(clips).permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)
    one = x[:1].contiguous(memory_format=torch.channels_last)
    found = {}
    with torch.no_grad():
        prepared = quantize_fx.prepare_fx(network, get_default_qconfig_mapping("x86"), (one,))
        prepared(x)
        for name, form in (("torch, float", network), ("torch, int8", quantize_fx.convert_fx(prepared))):
            found[name] = functools.partial(_called, form.to(memory_format=torch.channels_last), one)
    return found


def _called(form, x):
    import torch

    with torch.inference_mode():
        return form(x)


def milliseconds(call, seconds):
    """The median of single calls."""
    call()
    times, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return 1000 * statistics.median(times)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0, help="of each measurement")
    options = parser.parse_args()
    found = forms(options.threads)
    times = {name: [] for name in found}
    for _ in range(options.repeats):
        for name, call in found.items():
            times[name].append(milliseconds(call, options.seconds))
    medians = {name: statistics.median(values) for name, values in times.items()}
    for name, median in medians.items():
        print(f"{name:24}{median:8.2f} ms a clip, {options.threads} thread(s)")
    print("int8 pays on Arm, microcontrollers and int8 accelerators; on x86 without VNNI it is slower than float.")
    if "torch, int8" in medians:
        ratio = medians["ours, int8 TFLite"] / medians["torch, int8"]
        print(f"int8, ours / torch = {ratio:.2f}, promised {PROMISED}: {'kept' if ratio <= PROMISED else 'MISSED'}")


if __name__ == "__main__":
    main()
