"""Cost of a network by every counting rule, as numbers and as the report of `asc_tf.complexity`.

Rules:  T and F of layer_rules, K of profiler_rule; a .tflite file is counted by tflite_rule.
"""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras

from asc_tf.cost import challenge, layer_rules, memory, profiler_rule, tflite_rule
from asc_tf.cost.limits import MAX_BYTES, MAX_MACS
from asc_tf.cost.rows import Cost, Row, total
from asc_tf.tflite import file as tflite_file

RULES = {"T": layer_rules.unfused, "F": layer_rules.fused, "K": profiler_rule.rows}
AFTER_FUSION = (
    "Counted after fusion: nothing beside the file describes its network. The challenge counts a network before\n"
    "batch norms are folded (rule T), which may have fewer MACs; asc-tf complexity RUN or RECIPE counts that."
)


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


def network_report(network: keras.Model, rule: str, float_layers: Collection[str] = ()) -> tuple[list[str], bool]:
    """Cost of a network as text: a row for each layer, the totals by all rules, memory and limits.

    Args:
        network: A functional network.
        rule: "T", "F" or "K": the rule of the rows and of the limits.
        float_layers: Names of the layers that its int8 file has in float.

    Returns:
        The lines, and whether the network is within the limits: one byte a parameter, four where it is in float.

    Raises:
        UserError: The network is not functional.
    """
    costs, peak = {name: measure(network, name) for name in RULES}, memory.peak_values(network)
    parameters, macs = costs[rule]
    lines = [*_table(layers(network, rule)), "", f"{'rule':36s}{'parameters':>14s}{'MACs':>16s}"]
    lines += [f"{name:36s}{cost.parameters:14,}{cost.macs:16,}" for name, cost in costs.items()]
    lines += ["", _line("activations at least, int8", f"{peak:,} bytes")]
    lines += [_line("activations at least, float", f"{4 * peak:,} bytes")]
    lines += [_line("parameters, all in float", f"{challenge.FLOAT_BYTES * parameters:,} bytes")]
    in_float = challenge.float_parameters(network, float_layers)
    counted_bytes = challenge.parameter_bytes(parameters, in_float)
    return _with_limits(lines, _bytes_title(in_float), counted_bytes, macs, rule)


def system_report(
    networks: Mapping[str, keras.Model], rule: str, float_layers: Mapping[str, Collection[str]] | None = None
) -> tuple[list[str], bool]:
    """Cost of several networks that decide together as text: a row for each by all rules, the sum, and its limits.

    The probabilities of the members are fused, so that each is counted with a softmax after its logits; rule K alone
    gives that a cost.

    Args:
        networks: Functional networks by the name of the member.
        rule: "T", "F" or "K": the rule of the limits.
        float_layers: Names of the layers that the int8 file of a member has in float, by the name of the member.

    Returns:
        The lines, and whether the sum is within the limits: one byte a parameter, four where it is in float.

    Raises:
        UserError: A network is not functional.
    """
    costs = {member: _system_costs(network) for member, network in networks.items()}
    sums = {name: Cost(*map(sum, zip(*(cost[name] for cost in costs.values()), strict=True))) for name in RULES}
    titles = [f"{title} {name}" for title in ("parameters", "MACs") for name in RULES]
    lines = [f"{'member':24s}{''.join(map('{:>16s}'.format, titles))}"]
    lines += [_system_row(member, cost) for member, cost in (costs | {"total": sums}).items()]
    parameters, macs = sums[rule]
    lines += ["", _line("parameters, all in float", f"{challenge.FLOAT_BYTES * parameters:,} bytes")]
    names = float_layers or {}
    in_float = sum(challenge.float_parameters(network, names.get(m, ())) for m, network in networks.items())
    counted_bytes = challenge.parameter_bytes(parameters, in_float)
    return _with_limits(lines, _bytes_title(in_float), counted_bytes, macs, rule)


def tflite_report(file: str | Path | bytes, counted: Mapping[str, Any] | None = None) -> tuple[list[str], bool]:
    """Cost of a .tflite file as text: a row for each operation, sizes, memory and limits.

    Args:
        file: Path or bytes of the file.
        counted: "parameters", "bytes" and "macs" of its network as the challenge counts them, before fusion; None
            where only the file is known.

    Returns:
        The lines, and whether the bytes and the MACs of `counted` are within the limits; without it those of the file,
        one byte for a bias as for a weight, and rule F.

    Raises:
        UserError: The file is absent, cut off or something else.
    """
    content = tflite_file.read(file)
    with tflite_file.damage_of(file):
        rows, peak_bytes = tflite_rule.rows(content), tflite_rule.peak_bytes(content)
        parameter_bytes, counted_bytes = tflite_file.parameter_bytes(content), tflite_rule.challenge_bytes(content)
    macs = total(rows).macs
    lines = [*_table(rows), "", _line("whole file", f"{len(content):,} bytes")]
    lines += [_line("activations at least", f"{peak_bytes:,} bytes")]
    lines += [_line("parameters as stored", f"{parameter_bytes:,} bytes, biases in 32 bits")]
    if counted is None:
        lines, fits = _with_limits([*lines, ""], "parameters, a bias as a weight", counted_bytes, macs, "F")
        return [*lines, AFTER_FUSION], fits
    lines += [_line("MACs computed by the file, rule F", f"{macs:,}, batch norms folded"), ""]
    lines += [_line("parameters of the network", f"{counted['parameters']:,}")]
    return _with_limits(lines, "bytes as the challenge counts", counted["bytes"], counted["macs"], challenge.RULE)


def _system_costs(network: keras.Model) -> dict[str, Cost]:
    """Cost by every rule of a network with a softmax after its logits."""
    with_softmax = keras.Model(network.inputs, keras.tree.map_structure(keras.layers.Softmax(), network.output))
    return {name: measure(with_softmax, name) for name in RULES}


def _system_row(member: str, costs: Mapping[str, Cost]) -> str:
    cells = [cost.parameters for cost in costs.values()] + [cost.macs for cost in costs.values()]
    return f"{member[-23:]:24s}" + "".join(f"{cell:16,}" for cell in cells)


def _table(rows: Sequence[Row]) -> list[str]:
    lines = [f"{'layer':30s}{'kind':24s}{'output':16s}{'parameters':>12s}{'MACs':>16s}"]
    for row in rows:
        shape = " x ".join(map(str, row.output_shape))
        macs = f"{row.macs:,.1f}".removesuffix(".0")
        lines.append(f"{row.name[-29:]:30s}{row.kind:24s}{shape:16s}{row.parameters:12,}{macs:>16s}")
    parameters, macs = total(rows)
    return [*lines, f"{'total':70s}{parameters:12,}{macs:16,}"]


def _bytes_title(in_float):
    return f"parameters ({in_float:,} in float)" if in_float else "parameters in 8 bits"


def _with_limits(lines, title, parameter_bytes, macs, rule):
    over = [parameter_bytes > MAX_BYTES, macs > MAX_MACS]
    verdicts = ["OVER" if is_over else "fits" for is_over in over]
    lines = [*lines, _line(title, f"{parameter_bytes:,} of {MAX_BYTES:,} bytes: {verdicts[0]}")]
    return [*lines, _line(f"MACs, rule {rule}", f"{macs:,} of {MAX_MACS:,}: {verdicts[1]}")], not any(over)


def _line(title, value):
    return f"{title:36s}{value}"
