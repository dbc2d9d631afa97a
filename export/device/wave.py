"""How does a run become one TFLite file that takes the waveform?  For phones and single-board computers.

Input:   "wave" (1, samples) float32, full scale 1, at the run's sample rate.
Output:  "logits" (1, classes) float32; their softmax are the probabilities, in the order of labels.txt.
Inside:  the front end and its normalisation in float, then the network: the operations of export/model.tflite where
         the run was quantised, else the float network. Built-in operations of TFLite alone.
"""

import re

import tensorflow as tf
from tensorflow.lite.python.convert_phase import ConverterError

from asc_tf import build, dataset
from asc_tf.errors import UserError
from asc_tf.runs import layout as files
from asc_tf.tflite import file as tflite_file
from asc_tf.tflite import join as _join
from export.device import front_end as _front_end
from export.quantisation import convert as tflite


def convert(run):
    """The file of a trained RunFolder as bytes; UserError where it has no form in built-in operations."""
    return _join.joined(front_end(run), _network(run), input_name="wave", output_name="logits")


def front_end(run):
    """The bytes of its first part alone: wave to what the network sees, (1, bands, frames, channels) float32."""
    layer = _front_end.exportable(run.recipe, "TFLite's built-in operations")
    normalise, samples = build.normaliser(run), dataset.segment_samples(run.recipe)
    return converted(lambda wave: normalise(layer.plain(wave)), (1, samples), [])


def converted(call, shape, variables):
    """The float TFLite file of a function of one float32 tensor that uses these variables; UserError if it has none."""
    module = tf.Module()
    module.held, module.call = variables, tf.function(call, autograph=False)
    concrete = module.call.get_concrete_function(tf.TensorSpec(shape, tf.float32))
    try:
        return tf.lite.TFLiteConverter.from_concrete_functions([concrete], module).convert()
    except ConverterError as error:
        lacking = sorted(set(re.findall(r"\btf\.([A-Z]\w+)", str(error))))
        raise UserError(f"export: TFLite has no operation for {', '.join(lacking) or 'a part of it'}.") from error


def _network(run):
    if run.has(files.INT8):
        return tflite_file.read(run.path / files.INT8)
    network = build.load_network(run, foldable=True)
    variables = [variable.value for variable in network.variables]
    return tflite.with_native_strides(
        converted(lambda x: network(x, training=False), (1, *network.input_shape[1:]), variables)
    )
