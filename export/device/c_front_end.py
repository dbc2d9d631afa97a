"""What of a trained front end does plain C need to know?

Output: the texts of asc_tf_settings.h, numbers that c/asc_tf_features.c is compiled with, and of asc_tf_tables.h,
        its constant arrays.
"""

import numpy as np

from asc_tf import build
from asc_tf.features import _delta, _framing, _levels

DECIMALS = 9  # significant ones, which hold a float32 exactly


def settings(run, layer, samples, quantisation):
    """{macro: number}.  layer: a LogMel.  samples: of a clip.  quantisation: (scale, zero point) of the input."""
    own, flavour = layer.settings, layer.flavour
    _, bands, frames, channels = layer.compute_output_shape((1, samples))
    count, centred = _framing.count(samples, own["flavour"], flavour, own), flavour.edges != "NONE"
    window, fft = own["window_samples"], own["fft_samples"]
    missing = own["frames"] - count if own["frames"] else 0
    filters = delta_filters(own["deltas"])
    return {
        "SAMPLE_RATE_HZ": own["sample_rate_hz"],
        "SAMPLES": samples,
        "BANDS": bands,
        "FRAMES": frames,
        "CHANNELS": channels,
        "INPUT_SCALE": quantisation[0],
        "INPUT_ZERO_POINT": quantisation[1],
        "WINDOW_SAMPLES": window,
        "HOP_SAMPLES": own["hop_samples"],
        "FFT_SAMPLES": fft,
        "EDGE_SAMPLES": fft // 2 - (fft - window) // 2 if centred else 0,
        "REFLECT": int(flavour.edges == "REFLECT"),
        "PRE_EMPHASIS": float(flavour.pre_emphasis),
        "FRAME_BY_FRAME": int(not centred),
        "FLOOR": float(flavour.floor),
        "FLOOR_IS_ADDED": int(flavour.level is _levels.ln_above),
        "UNITS_PER_E": 10 / np.log(10) if flavour.level is _levels.decibels else 1.0,
        "TOP_DB": float(own["top_db"]),
        "MAXIMUM_IS_0": int(own["reference"] == "maximum"),
        "WHOLE_CLIP": int(own["deltas"] != "none" or own["top_db"] > 0 or own["reference"] == "maximum"),
        "LEVEL_FRAMES": count,
        "FIRST_FRAME": 0 if not centred else -missing // 2 if missing < 0 else -(missing // 2),
        "ZEROS_FOLLOW": int(not centred and missing > 0),
        "DELTA_FILTERS": filters.shape[1],
        "DELTA_TAPS": filters.shape[2],
        "NORMALISED_CELLS": len(normalisation(run)["cell_mean"]),
    }


def tables(run, layer):
    """{name: array} of the constants, float32 and uint16."""
    own, columns = layer.settings, [(low, column) for low, weights in layer.groups for column in weights.T]
    spans = [_span(column) for _, column in columns]
    angles = 2 * np.pi * np.arange(own["fft_samples"] // 2 + 1) / own["fft_samples"]
    return {
        "window": layer.window[: own["window_samples"]],
        "cosine": np.cos(angles).astype(np.float32),
        "first_bin": np.array([low + span.start for (low, _), span in zip(columns, spans, strict=True)], np.uint16),
        "band_bins": np.array([span.stop - span.start for span in spans], np.uint16),
        "weights": np.concatenate([column[span] for (_, column), span in zip(columns, spans, strict=True)]),
        "delta": delta_filters(own["deltas"]),
        **normalisation(run),
    }


def delta_filters(deltas):
    """(2, filters, taps): of each order; one filter, or one for every place of the window at a clip's edge."""
    if deltas == "none":
        return np.zeros((1, 1, 1), np.float32)
    impulses = np.eye(_delta.LEAST[deltas], dtype=np.float32)[None]
    return _delta.with_deltas(impulses, deltas=deltas).numpy()[0, ..., 1:].transpose(2, 1, 0)


def normalisation(run):
    """{"cell_mean", "cell_std"}: one number for all cells, or one a band and channel."""
    numbers = build.normalisation(run) if run.recipe.normalise else {"mean": 0.0, "std": 1.0}
    return {f"cell_{key}": np.asarray(numbers[key], np.float32).reshape(-1) for key in ("mean", "std")}


def settings_text(numbers, guard):
    """asc_tf_settings.h with a macro for each number."""
    lines = [f"#define ASC_TF_{name} {number(value)}" for name, value in numbers.items()]
    return "\n".join([f"#ifndef {guard}", f"#define {guard}", "", *lines, "", "#endif", ""])


def tables_text(arrays):
    """asc_tf_tables.h with a constant array for each table."""
    lines = [f"static const {_kind(x)} {name}{_sizes(x)} = {_braced(x)};\n" for name, x in arrays.items()]
    return "".join(lines)


def number(value):
    """A number as C takes it: whole, or a float that keeps every bit."""
    if isinstance(value, (int, np.integer)):
        return str(value)
    text = f"{np.float32(value):.{DECIMALS}g}"
    return (text if set(text) & set(".e") else text + ".0") + "f"


def _span(column):
    used = np.flatnonzero(column)
    return slice(used[0], used[-1] + 1) if len(used) else slice(0, 0)


def _kind(table):
    return "float" if table.dtype == np.float32 else "uint16_t"


def _sizes(table):
    return "".join(f"[{size}]" for size in table.shape)


def _braced(table):
    if table.ndim > 1:
        return "{" + ", ".join(map(_braced, table)) + "}"
    rows = [", ".join(map(number, table[start : start + 8])) for start in range(0, len(table), 8)]
    return "{\n  " + ",\n  ".join(rows) + "}"
