"""Cost of a network by every counting rule, as numbers and as the report of `asc_tf.complexity`.

Rules:  T and F of layer_rules, K of profiler_rule; a .tflite file is counted by tflite_rule.
"""

from collections.abc import Sequence
from pathlib import Path

import keras

from asc_tf.cost import layer_rules, memory, profiler_rule, tflite_rule
from asc_tf.cost.limits import MAX_BYTES, MAX_MACS
from asc_tf.cost.rows import Cost, Row, total
from asc_tf.tflite import file as tflite_file

RULES = {"T": layer_rules.unfused, "F": layer_rules.fused, "K": profiler_rule.rows}


def measure(network: keras.Model, rule: str = "T") -> Cost:
    """Parameters and MACs of a network.

    Args:
        network: A functional network.
        rule: "T", "F" or "K".

    Returns:
        (parameters, macs), the MACs for one clip.

    Raises:
        UserError: The network is not functional.
    """
    return total(layers(network, rule))


def layers(network: keras.Model, rule: str = "T") -> list[Row]:
    """Cost of every layer that has one, in the order of the network.

    Args:
        network: A functional network.
        rule: "T", "F" or "K".

    Raises:
        UserError: The network is not functional.
    """
    return RULES[rule](network)


def network_report(network: keras.Model, rule: str) -> tuple[list[str], bool]:
    """Cost of a network as text: a row for each layer, the totals by all rules, memory and limits.

    Args:
        network: A functional network.
        rule: "T", "F" or "K": the rule of the rows and of the limits.

    Returns:
        The lines, and whether the network is within the limits at one byte a parameter.

    Raises:
        UserError: The network is not functional.
    """
    costs, peak = {name: measure(network, name) for name in RULES}, memory.peak_values(network)
    lines = [*_table(layers(network, rule)), "", f"{'rule':36s}{'parameters':>14s}{'MACs':>16s}"]
    lines += [f"{name:36s}{cost.parameters:14,}{cost.macs:16,}" for name, cost in costs.items()]
    lines += ["", _line("activations at least, int8", f"{peak:,} bytes")]
    lines += [_line("activations at least, float", f"{4 * peak:,} bytes")]
    lines += [_line("parameters in float", f"{4 * costs[rule].parameters:,} bytes")]
    return _with_limits(lines, costs[rule].parameters, costs[rule].macs)


def tflite_report(file: str | Path | bytes) -> tuple[list[str], bool]:
    """Cost of a .tflite file as text: a row for each operation, sizes, memory and limits.

    Args:
        file: Path or bytes of the file.

    Returns:
        The lines, and whether the bytes of the parameters, as stored, and the MACs are within the limits.

    Raises:
        UserError: The file is absent, cut off or something else.
    """
    content = tflite_file.read(file)
    rows = tflite_rule.rows(content)
    lines = [*_table(rows), "", _line("whole file", f"{len(content):,} bytes")]
    lines += [_line("activations at least", f"{tflite_rule.peak_bytes(content):,} bytes")]
    return _with_limits(lines, tflite_file.parameter_bytes(content), total(rows).macs)


def _table(rows: Sequence[Row]) -> list[str]:
    lines = [f"{'layer':30s}{'kind':24s}{'output':16s}{'parameters':>12s}{'MACs':>16s}"]
    for row in rows:
        shape = " x ".join(map(str, row.output_shape))
        macs = f"{row.macs:,.1f}".removesuffix(".0")
        lines.append(f"{row.name[-29:]:30s}{row.kind:24s}{shape:16s}{row.parameters:12,}{macs:>16s}")
    parameters, macs = total(rows)
    return [*lines, f"{'total':70s}{parameters:12,}{macs:16,}"]


def _with_limits(lines, parameter_bytes, macs):
    over = [parameter_bytes > MAX_BYTES, macs > MAX_MACS]
    verdicts = ["OVER" if is_over else "fits" for is_over in over]
    lines = [*lines, _line("parameters in 8 bits", f"{parameter_bytes:,} of {MAX_BYTES:,} bytes: {verdicts[0]}")]
    return [*lines, _line("MACs", f"{macs:,} of {MAX_MACS:,}: {verdicts[1]}")], not any(over)


def _line(title, value):
    return f"{title:36s}{value}"
