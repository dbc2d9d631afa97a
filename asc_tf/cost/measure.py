"""`python -m asc_tf.complexity RECIPE|RUN|FILE.tflite`: what does a network cost, and is it within the limits?

Prints a row for each layer, the totals by every counting rule, the memory of the activations and the limits
of the DCASE challenge.  Exit status 0 where it fits, 1 where it does not, 2 where it cannot be counted.

Rules:  T  the challenge's counter with PyTorch: weights and biases at every output position of a
           convolution, everything else once; running statistics are no parameters.
        F  the same with batch norms folded into convolutions, as in an int8 file.
        K  its counter with Keras: all weights, and half of the float operations of TensorFlow's profiler.
Limits are held against the chosen rule's MACs and one byte a parameter, as the challenge's reports count;
of a .tflite file against rule F and the bytes as stored, biases in 32 bits.
"""

import argparse
import sys
from pathlib import Path

from asc_tf import command_line
from asc_tf.cost.limits import MAX_BYTES, MAX_MACS
from asc_tf.cost.rows import total

RULES = ("T", "F", "K")
TAU_CLASSES = 10


def measure(network, rule="T"):
    """The Cost of a functional network of Keras by a rule; (parameters, macs)."""
    return total(layers(network, rule))


def layers(network, rule="T"):
    """One Row for each layer that costs something by a rule, in the order of the network."""
    from asc_tf.cost import layer_rules, profiler_rule

    return {"T": layer_rules.unfused, "F": layer_rules.fused, "K": profiler_rule.rows}[rule](network)


def of_network(network, rule):
    """(lines for the console, whether it fits) of a functional network."""
    from asc_tf.cost import memory

    costs, peak = {name: measure(network, name) for name in RULES}, memory.peak_values(network)
    lines = [*_table(layers(network, rule)), "", f"{'rule':36s}{'parameters':>14s}{'MACs':>16s}"]
    lines += [f"{name:36s}{cost.parameters:14,}{cost.macs:16,}" for name, cost in costs.items()]
    lines += ["", _line("activations at least, int8", f"{peak:,} bytes")]
    lines += [_line("activations at least, float", f"{4 * peak:,} bytes")]
    lines += [_line("parameters in float", f"{4 * costs[rule].parameters:,} bytes")]
    return _with_limits(lines, costs[rule].parameters, costs[rule].macs)


def of_file(file):
    """(lines for the console, whether it fits) of a .tflite file."""
    from asc_tf.cost import tflite_rule
    from asc_tf.tflite import file as tflite_file

    content = tflite_file.read(file)
    rows = tflite_rule.rows(content)
    lines = [*_table(rows), "", _line("whole file", f"{len(content):,} bytes")]
    lines += [_line("activations at least", f"{tflite_rule.peak_bytes(content):,} bytes")]
    return _with_limits(lines, tflite_file.parameter_bytes(content), total(rows).macs)


def recipes_network(recipe, classes):
    """The untrained network of a Recipe; its data and augmentations may be absent."""
    from asc_tf import build
    from asc_tf.errors import UserError

    try:
        return build.network(recipe, classes)
    except ValueError as error:
        raise UserError(f"{recipe.file}: the network cannot be built: {str(error).splitlines()[0]}") from error


def _found(where, classes, overrides):
    """(Recipe, number of classes) of a run folder, or of a recipe's name or file."""
    from asc_tf.errors import UserError
    from asc_tf.recipe import resolve as recipe
    from asc_tf.runs import folder as run_folder

    if not Path(where).is_dir():
        return recipe.load(where, overrides), classes or TAU_CLASSES
    if overrides or classes:
        raise UserError(f"{where}: a run has its own recipe and classes; leave --set and --classes out.")
    run = run_folder.load(where)
    return run.recipe, len(run.labels)


def _table(rows):
    lines = [f"{'layer':30s}{'kind':24s}{'output':16s}{'parameters':>12s}{'MACs':>16s}"]
    for row in rows:
        shape = " x ".join(map(str, row.output_shape))
        macs = f"{row.macs:,.1f}".removesuffix(".0")
        lines.append(f"{row.name[-29:]:30s}{row.kind:24s}{shape:16s}{row.parameters:12,}{macs:>16s}")
    parameters, macs = total(rows)
    return [*lines, f"{'total':70s}{parameters:12,}{macs:16,}"]


def _with_limits(lines, parameter_bytes, macs):
    over = [parameter_bytes > MAX_BYTES, macs > MAX_MACS]
    verdicts = ["OVER" if beyond else "fits" for beyond in over]
    lines = [*lines, _line("parameters in 8 bits", f"{parameter_bytes:,} of {MAX_BYTES:,} bytes: {verdicts[0]}")]
    return [*lines, _line("MACs", f"{macs:,} of {MAX_MACS:,}: {verdicts[1]}")], not any(over)


def _line(title, value):
    return f"{title:36s}{value}"
