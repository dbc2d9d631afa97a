"""Numbers and tables of a trained front end as C headers.

Output: the texts of asc_tf_settings.h, macros that c/asc_tf_features.c is compiled with, and of asc_tf_tables.h,
        its constant arrays.
"""

from collections.abc import Mapping

import numpy as np

from asc_tf import build
from asc_tf.features import _delta, _framing, _levels
from asc_tf.features.log_mel import LogMel
from asc_tf.runs.folder import RunFolder

SIGNIFICANT_DIGITS = 9  # enough to hold a float32 exactly


def settings(
    run: RunFolder, layer: LogMel, samples: int, input_quantisation: tuple[float, int]
) -> dict[str, int | float]:
    """Numbers that the C front end is compiled with.

    Args:
        run: The run, for its normalisation and labels.
        layer: Its front end.
        samples: Of a clip.
        input_quantisation: Scale and zero point of the int8 network's input.

    Returns:
        {name of the macro without its prefix ASC_TF_: number}.
    """
    mel, flavour = layer.settings, layer.flavour
    _, bands, frames, channels = layer.compute_output_shape((1, samples))
    count, centred = _framing.count(samples, mel["flavour"], flavour, mel), flavour.edges != "NONE"
    window, fft = mel["window_samples"], mel["fft_samples"]
    missing = mel["frames"] - count if mel["frames"] else 0
    filters = delta_filters(mel["deltas"])
    return {
        "SAMPLE_RATE_HZ": mel["sample_rate_hz"],
        "SAMPLES": samples,
        "BANDS": bands,
        "FRAMES": frames,
        "CHANNELS": channels,
        "CLASSES": len(run.labels),
        "INPUT_SCALE": input_quantisation[0],
        "INPUT_ZERO_POINT": input_quantisation[1],
        "WINDOW_SAMPLES": window,
        "HOP_SAMPLES": mel["hop_samples"],
        "FFT_SAMPLES": fft,
        "EDGE_SAMPLES": fft // 2 - (fft - window) // 2 if centred else 0,
        "REFLECT": int(flavour.edges == "REFLECT"),
        "PRE_EMPHASIS": float(flavour.pre_emphasis),
        "FRAME_BY_FRAME": int(not centred and flavour.pre_emphasis > 0),
        "MAGNITUDE": int(flavour.magnitude),
        "FLOOR": float(flavour.floor),
        "FLOOR_IS_ADDED": int(flavour.level is _levels.ln_above),
        "UNITS_PER_E": 10 / np.log(10) if flavour.level is _levels.decibels else 1.0,
        "TOP_DB": float(mel["top_db"]),
        "MAXIMUM_IS_0": int(mel["reference"] == "maximum"),
        "WHOLE_CLIP": int(mel["deltas"] != "none" or mel["top_db"] > 0 or mel["reference"] == "maximum"),
        "LEVEL_FRAMES": count,
        "FIRST_FRAME": 0 if not centred else -missing // 2 if missing < 0 else -(missing // 2),
        "ZEROS_FOLLOW": int(not centred and missing > 0),
        "DELTA_FILTERS": filters.shape[1],
        "DELTA_TAPS": filters.shape[2],
        "NORMALISED_CELLS": len(normalisation(run)["cell_mean"]),
    }


def tables(run: RunFolder, layer: LogMel) -> dict[str, np.ndarray]:
    """Constant arrays of the C front end.

    Args:
        run: The run, for its normalisation.
        layer: Its front end.

    Returns:
        By name, float32 or uint16: "window" (window_samples,), "cosine" (fft_samples // 2 + 1,), "first_bin" and
        "band_bins" (bands,), "weights" (sum of band_bins,), "delta" (2, filters, taps), "cell_mean" and "cell_std".
    """
    mel, columns = layer.settings, [(low, column) for low, weights in layer.groups for column in weights.T]
    spans = [_span(column) for _, column in columns]
    angles = 2 * np.pi * np.arange(mel["fft_samples"] // 2 + 1) / mel["fft_samples"]
    return {
        "window": layer.window[: mel["window_samples"]],
        "cosine": np.cos(angles).astype(np.float32),
        "first_bin": np.array([low + span.start for (low, _), span in zip(columns, spans, strict=True)], np.uint16),
        "band_bins": np.array([span.stop - span.start for span in spans], np.uint16),
        "weights": np.concatenate([column[span] for (_, column), span in zip(columns, spans, strict=True)]),
        "delta": delta_filters(mel["deltas"]),
        **normalisation(run),
    }


def delta_filters(deltas: _delta.Deltas) -> np.ndarray:
    """Filters of the first and the second derivative.

    Args:
        deltas: The setting of log_mel.

    Returns:
        (2, filters, taps) float32: one filter, or one for every frame of a window, for those at the clip's edges.
    """
    if deltas == "none":
        return np.zeros((1, 1, 1), np.float32)
    impulses = np.eye(_delta.LEAST[deltas], dtype=np.float32)[None]  # (1, taps, frames)
    return _delta.with_deltas(impulses, deltas=deltas).numpy()[0, ..., 1:].transpose(2, 1, 0)


def normalisation(run: RunFolder) -> dict[str, np.ndarray]:
    """Mean and std that the spectrogram is normalised with.

    Args:
        run: The run.

    Returns:
        {"cell_mean", "cell_std"}: float32 (1,) for all cells, or (bands * channels,), channels last.
    """
    numbers = build.normalisation(run)
    return {f"cell_{key}": np.asarray(numbers[key], np.float32).reshape(-1) for key in ("mean", "std")}


def settings_text(numbers: Mapping[str, int | float], guard: str) -> str:
    """Text of asc_tf_settings.h, a macro for each number.

    Args:
        numbers: As `settings` returns them.
        guard: Macro that guards the header against being included twice.
    """
    lines = [f"#define ASC_TF_{name} {literal(value)}" for name, value in numbers.items()]
    return "\n".join([f"#ifndef {guard}", f"#define {guard}", "", *lines, "", "#endif", ""])


def tables_text(arrays: Mapping[str, np.ndarray]) -> str:
    """Text of asc_tf_tables.h, a constant array for each table.

    Args:
        arrays: As `tables` returns them.
    """
    lines = [f"static const {_type(x)} {name}{_sizes(x)} = {_initialiser(x)};\n" for name, x in arrays.items()]
    return "".join(lines)


def literal(value: int | float | np.number) -> str:
    """A number as a C literal: an integer, or a float that keeps every bit of a float32."""
    if isinstance(value, (int, np.integer)):
        return str(value)
    text = f"{np.float32(value):.{SIGNIFICANT_DIGITS}g}"
    return (text if set(text) & set(".e") else text + ".0") + "f"


def _span(column):
    """The bins of a filter that are not 0."""
    used = np.flatnonzero(column)
    return slice(used[0], used[-1] + 1) if len(used) else slice(0, 0)


def _type(table):
    return "float" if table.dtype == np.float32 else "uint16_t"


def _sizes(table):
    return "".join(f"[{size}]" for size in table.shape)


def _initialiser(table):
    if table.ndim > 1:
        return "{" + ", ".join(map(_initialiser, table)) + "}"
    rows = [", ".join(map(literal, table[start : start + 8])) for start in range(0, len(table), 8)]
    return "{\n  " + ",\n  ".join(rows) + "}"
