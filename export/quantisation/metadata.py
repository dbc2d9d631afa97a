"""What must a device know about a model file beside its bytes?"""

import numpy as np
import tensorflow as tf

from asc_tf import build
from asc_tf.cost import tflite_rule
from asc_tf.cost.limits import MAX_BYTES, MAX_MACS
from asc_tf.cost.rows import total
from asc_tf.tflite import file as tflite_file

TO_INPUT = "q = clip(round(x / scale) + zero_point, -128, 127) of every value x of the normalised spectrogram"
FROM_OUTPUT = "logit = (q - zero_point) * scale; the scene is the label of the largest"


def card(run, content, float_layers):
    """A tree for JSON: labels, the front end's settings, how input and output are quantised, what the file costs.

    run: the RunFolder the network is of.  content: the bytes of its int8 file.  float_layers: names.
    """
    interpreter = tf.lite.Interpreter(model_content=content)
    (taken,), (given,) = interpreter.get_input_details(), interpreter.get_output_details()
    recipe = run.recipe
    return {
        "labels": list(run.labels),
        "segment_s": recipe.data.segment_s,
        "feature": {"name": recipe.feature.name} | recipe.feature.settings,
        "normalisation": _normalisation(run),
        "input": _tensor(taken) | {"axes": "1, bands, frames, channels", "quantise": TO_INPUT},
        "output": _tensor(given) | {"axes": "1, classes", "dequantise": FROM_OUTPUT},
        "float_layers": list(float_layers),
        "bytes": {
            "file": len(content),
            "parameters": tflite_file.parameter_bytes(content),
            "activations_at_least": tflite_rule.peak_bytes(content),
        },
        "macs": int(total(tflite_rule.rows(content)).macs),
    }


def told(card):
    """The card as lines for the console."""
    size, limits = card["bytes"], f"of {MAX_BYTES:,} bytes and {MAX_MACS:,} MACs of the DCASE challenge"
    ends = [f"{end}: {_words(card[end])}" for end in ("input", "output")]
    lines = [*ends, f"        {TO_INPUT}", f"        {FROM_OUTPUT}"]
    lines += [
        f"size: {size['file']:,} bytes of file, {size['parameters']:,} of parameters, {card['macs']:,} MACs; {limits}"
    ]
    return [*lines, *in_float(card["float_layers"])]


def in_float(names):
    """The lines that say which layers stay in float, and where that runs; none where there are none."""
    if not names:
        return []
    return [
        f"in float: {', '.join(names)}; four bytes an activation there, between DEQUANTIZE and QUANTIZE. "
        "TensorFlow Lite and Lite Micro run that, accelerators for int8 alone do not."
    ]


def over(card):
    """What of the card is beyond the limits, in words that say what to do; none where it fits."""
    costs = ((card["bytes"]["parameters"], MAX_BYTES, "bytes of parameters"), (card["macs"], MAX_MACS, "MACs"))
    return [
        f"{cost:,} {unit} are more than the DCASE challenge's {most:,}: not to be submitted; make the network smaller."
        for cost, most, unit in costs
        if cost > most
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
