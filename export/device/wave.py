"""Conversion of a run to one TFLite file that takes the waveform, for phones and single-board computers.

Input:   "wave" (1, samples) float32, full scale 1, at the run's sample rate.
Output:  "logits" (1, classes) float32; their softmax are the probabilities, in the order of labels.txt.
Inside:  the front end and its normalisation in float, then the network: the operations of export/model.tflite where
         the run was quantised, else the float network. Built-in operations of TFLite alone.
"""

import re
from collections.abc import Callable, Sequence

import tensorflow as tf

from asc_tf import build, dataset
from asc_tf.errors import UserError
from asc_tf.export.device.front_end import exportable
from asc_tf.runs import layout, products
from asc_tf.runs.folder import RunFolder
from asc_tf.tflite import file as tflite_file
from asc_tf.tflite import join, strides
from asc_tf.tflite._compat import ConverterError


def convert(run: RunFolder) -> bytes:
    """Converts a trained run to a file from waveform to logits.

    Args:
        run: A trained run, quantised or not.

    Returns:
        Bytes of the TFLite file.

    Raises:
        UserError: The front end or the network has no form in TFLite's built-in operations.
    """
    return join.join(convert_front_end(run), _network(run), input_name="wave", output_name="logits")


def convert_front_end(run: RunFolder) -> bytes:
    """Converts the front end and the normalisation of a run, without its network.

    Args:
        run: A run whose normalisation is known.

    Returns:
        Bytes of a float TFLite file: (1, samples) to the network's input (1, bands, frames, channels).

    Raises:
        UserError: The front end has no form in TFLite's built-in operations.
    """
    layer = exportable(run.recipe, "TFLite's built-in operations")
    normalise, samples = build.normaliser(run), dataset.segment_samples(run.recipe)
    return convert_function(lambda wave: normalise(layer.plain(wave)), (1, samples), [])


def convert_function(
    function: Callable[[tf.Tensor], tf.Tensor], shape: Sequence[int], variables: Sequence[tf.Variable]
) -> bytes:
    """Converts a function of one tensor to a float TFLite file.

    Args:
        function: Function of one float32 tensor.
        shape: Shape of that tensor.
        variables: Variables that the function reads.

    Returns:
        Bytes of the TFLite file.

    Raises:
        UserError: TFLite lacks an operation of the function.
    """
    module = tf.Module()
    module.tracked, module.function = variables, tf.function(function, autograph=False)
    concrete = module.function.get_concrete_function(tf.TensorSpec(shape, tf.float32))
    try:
        return tf.lite.TFLiteConverter.from_concrete_functions([concrete], module).convert()
    except ConverterError as error:
        missing = sorted(set(re.findall(r"\btf\.([A-Z]\w+)", str(error))))
        raise UserError(f"export: TFLite has no operation for {', '.join(missing) or 'a part of it'}.") from error


def _network(run):
    if run.has(layout.INT8):
        return tflite_file.read(products.read(run, layout.INT8))
    network = build.load_network(run, foldable=True)
    variables = [variable.value for variable in network.variables]
    shape = (1, *network.input_shape[1:])
    return strides.with_native_strides(convert_function(lambda x: network(x, training=False), shape, variables))
