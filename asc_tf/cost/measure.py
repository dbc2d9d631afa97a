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

from asc_tf.cost.limits import MAX_BYTES, MAX_MACS
from asc_tf.cost.rows import total

RULES = ("T", "F", "K")


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
