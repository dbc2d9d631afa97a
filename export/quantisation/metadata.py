"""Description of a model file for the program that runs it on a device, beside the file as JSON."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from asc_tf import build
from asc_tf.cost import challenge, tflite_rule
from asc_tf.cost.limits import MAX_BYTES, MAX_MACS
from asc_tf.cost.rows import total
from asc_tf.runs import digests
from asc_tf.runs.folder import RunFolder
from asc_tf.tflite import file as tflite_file
from asc_tf.tflite import interpreter

TO_INPUT = "q = clip(round(x / scale) + zero_point, -128, 127) of every value x of the normalised spectrogram"
FROM_OUTPUT = "logit = (q - zero_point) * scale; the scene is the label of the largest"


def tree(run: RunFolder, network: keras.Model, content: bytes, float_layers: Sequence[str]) -> dict[str, Any]:
    """Labels, settings of the front end, quantisation of input and output, and cost of an int8 file.

    "challenge" is the cost of the network as the DCASE challenge counts it, before batch norms are folded; "bytes" and
    "macs" are those of the file.

    Args:
        run: Run of the network.
        network: Its Keras 3 network.
        content: Bytes of its int8 file.
        float_layers: Names of its layers in float.

    Returns:
        A tree for JSON.
    """
    runner = interpreter.create(content)
    (input_details,), (output_details,) = runner.get_input_details(), runner.get_output_details()
    return of_network(run) | {
        "input": _tensor(input_details) | {"axes": "1, bands, frames, channels", "quantise": TO_INPUT},
        "output": _tensor(output_details) | {"axes": "1, classes", "dequantise": FROM_OUTPUT},
        "float_layers": list(float_layers),
        "sha256": digests.sha256(content),
        "challenge": challenge.count(network, float_layers)._asdict() | {"rule": challenge.RULE},
        "bytes": {
            "file": len(content),
            "parameters": tflite_file.parameter_bytes(content),
            "activations_at_least": tflite_rule.peak_bytes(content),
        },
        "macs": int(total(tflite_rule.rows(content)).macs),
    }


def of_network(run: RunFolder) -> dict[str, Any]:
    """Labels and settings of the front end of a run's network, and its digest.

    Args:
        run: The run.

    Returns:
        A tree for JSON.
    """
    recipe = run.recipe
    return {
        "labels": list(run.labels),
        "segment_s": recipe.data.segment_s,
        "feature": {"name": recipe.feature.name} | recipe.feature.settings,
        "normalisation": _normalisation(run),
        digests.KEY: digests.network(run),
    }


def format_lines(tree: Mapping[str, Any]) -> list[str]:
    """The description as lines for the console.

    Args:
        tree: As the function `tree` returns it.
    """
    size, counted, in_float = tree["bytes"], tree["challenge"], float_layer_lines(tree["float_layers"])
    verdict = "over the limits" if limit_warnings(tree) else "within the limits"
    ends = [f"{end}: {_words(tree[end])}" for end in ("input", "output")]
    lines = [*ends, f"        {TO_INPUT}", f"        {FROM_OUTPUT}"]
    lines += [
        f"size: {counted['parameters']:,} parameters, {counted['bytes']:,} bytes, {counted['macs']:,} MACs (rule "
        f"{counted['rule']}); {verdict} of the DCASE challenge, {MAX_BYTES:,} bytes and {MAX_MACS:,} MACs",
        f"file: {size['file']:,} bytes, {size['parameters']:,} of them parameters as stored (biases in 32 bits); "
        f"{tree['macs']:,} MACs as it computes, with batch norms folded (rule F)",
    ]
    return [*lines, *in_float]


def float_layer_lines(names: Sequence[str]) -> list[str]:
    """Lines that list the layers in float and where such a file runs; none where all is int8.

    Args:
        names: Names of the layers in float.
    """
    if not names:
        return []
    return [
        f"in float: {', '.join(names)}; four bytes an activation there, between DEQUANTIZE and QUANTIZE. "
        "TensorFlow Lite and Lite Micro run that, accelerators for int8 alone do not."
    ]


def limit_warnings(tree: Mapping[str, Any]) -> list[str]:
    """A line for every limit of the DCASE challenge that a file is over, with what to do; none where it fits.

    Args:
        tree: As the function `tree` returns it.
    """
    over = challenge.over_limits(tree["challenge"]["bytes"], tree["challenge"]["macs"])
    return [
        f"{text}, the limit of the DCASE challenge: not to be submitted; make the network smaller." for text in over
    ]


def _tensor(details):
    scale, zero_point = details["quantization"]
    shape = [int(size) for size in details["shape"]]
    return {"shape": shape, "type": "int8", "scale": float(scale), "zero_point": int(zero_point)}


def _words(end):
    return f"int8 {tuple(end['shape'])}, scale {end['scale']:.8g}, zero point {end['zero_point']}"


def _normalisation(run):
    """{"mean", "std"}: numbers, or lists of one a band; None where the recipe does not normalise."""
    if not run.recipe.normalise:
        return None
    return {key: np.squeeze(value).tolist() for key, value in build.normalisation(run).items()}
