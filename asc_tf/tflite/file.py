"""What is in a .tflite file, and what does it answer?

Input:   float (batch, bands, frames, channels); the file's own 8-bit input is made here.
Output:  float32 (batch, classes) logits.
"""

import typing
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow.lite.python import schema_py_generated as schema

from asc_tf.errors import UserError

NAMES = {value: name for name, value in vars(schema.BuiltinOperator).items() if not name.startswith("_")}
TYPES = {value: name.lower() for name, value in vars(schema.TensorType).items() if not name.startswith("_")}
FLOATS = ("float16", "float32", "float64", "bfloat16")
# Operations whose constants are weights and biases, not shapes, axes or paddings.
COMPUTING = (
    "CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "BATCH_MATMUL", "MUL", "ADD", "SUB", "DIV", "DEQUANTIZE",
)  # fmt: skip


class Operator(typing.NamedTuple):
    """One operation: its TFLite name, and the types of its inputs, its constants and its outputs."""

    name: str
    inputs: tuple
    constants: tuple
    outputs: tuple
    output_name: str


class TFLiteModel:
    """A TFLite network, called like a Keras one: float spectrograms in, float32 logits out.

    file: a path, or the bytes of a file.  threads: of the interpreter.
    Raises UserError when the file is absent or not a TFLite network of one input and one output.
    """

    def __init__(self, file, threads=1):
        self.content = read(file)
        self.operators = operators(self.content)
        self.parameter_bytes = parameter_bytes(self.content)
        try:
            self._interpreter = tf.lite.Interpreter(model_content=self.content, num_threads=threads)
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise UserError(f"{_name(file)}: TFLite cannot run it: {str(error).splitlines()[0]}") from error
        inputs, outputs = self._interpreter.get_input_details(), self._interpreter.get_output_details()
        if len(inputs) != 1 or len(outputs) != 1:
            raise UserError(
                f"{_name(file)}: has {len(inputs)} inputs and {len(outputs)} outputs; one of each is known."
            )
        self._input, self._output = inputs[0], outputs[0]
        self.input_shape = tuple(int(size) for size in self._input["shape"][1:])

    @property
    def file_bytes(self):
        """Size of the whole file."""
        return len(self.content)

    @property
    def is_int8(self):
        """Whether input, output and everything between them is int8 (with int32 biases)."""
        ends = {self._input["dtype"], self._output["dtype"]}
        return ends == {np.int8} and not not_int8(self.content)

    def __call__(self, spectrograms):
        """(batch, classes) float32 logits of (batch, bands, frames, channels)."""
        spectrograms = np.asarray(spectrograms, np.float32)
        if spectrograms.shape[1:] != self.input_shape:
            raise ValueError(f"the network takes clips of {self.input_shape}, not of {spectrograms.shape[1:]}")
        return np.concatenate([self._one(clip[np.newaxis]) for clip in spectrograms])

    def _one(self, clip):
        self._interpreter.set_tensor(self._input["index"], quantised(clip, self._input))
        self._interpreter.invoke()
        return dequantised(self._interpreter.get_tensor(self._output["index"]), self._output)


def quantised(x, tensor):
    """`x` in the type, scale and zero point of an interpreter's tensor: rounded, and clipped to the type."""
    scale, zero = tensor["quantization"]
    if not scale:
        return x.astype(tensor["dtype"])
    limits = np.iinfo(tensor["dtype"])
    return np.clip(np.round(x / scale) + zero, limits.min, limits.max).astype(tensor["dtype"])


def dequantised(x, tensor):
    """The float32 values of an interpreter's tensor."""
    scale, zero = tensor["quantization"]
    return ((x.astype(np.float32) - zero) * scale if scale else x).astype(np.float32)


def read(file):
    """The bytes of a TFLite file.  Raises UserError when it is absent, cut off or something else."""
    if not isinstance(file, bytes) and not Path(file).is_file():
        raise UserError(f"{file}: there is no such file.")
    content = file if isinstance(file, bytes) else Path(file).read_bytes()
    if content[4:8] != b"TFL3":
        raise UserError(f"{_name(file)}: is not a TFLite file.")
    try:
        operators(content)
    except Exception as error:  # the reader of flat buffers raises what comes; the interpreter would crash
        raise UserError(f"{_name(file)}: is a damaged or cut-off TFLite file.") from error
    return content


def operators(content):
    """[Operator, ...] of the file's graph, in the order they run."""
    model, network = graph(content)
    return [_operator(model, network, operator) for operator in network.operators]


def not_int8(content):
    """The Operators that compute in anything but int8; shapes and biases in int32 are none of them."""
    return [
        operator
        for operator in operators(content)
        if any(kind != "int8" for kind in operator.inputs + operator.outputs) or set(operator.constants) & set(FLOATS)
    ]


def parameter_bytes(content):
    """Bytes of the constant tensors that an operator reads as weights or biases (not shapes or paddings)."""
    model, network = graph(content)
    used = {index for operator in network.operators for index in parameters(model, network, operator)}
    return sum(len(data(model, network.tensors[index])) for index in used)


def parameters(model, graph, operator):
    """Indices of the constant tensors that an operation reads as weights or biases."""
    if operator_name(model, operator) not in COMPUTING:
        return []
    return [index for index in operator.inputs if index >= 0 and len(data(model, graph.tensors[index]))]


def _operator(model, graph, operator):
    tensors = [graph.tensors[index] for index in operator.inputs if index >= 0]
    constants = tuple(TYPES[t.type] for t in tensors if len(data(model, t)))
    inputs = tuple(TYPES[t.type] for t in tensors if not len(data(model, t)))
    outputs = [graph.tensors[index] for index in operator.outputs]
    name = (outputs[0].name or b"").decode()
    return Operator(operator_name(model, operator), inputs, constants, tuple(TYPES[t.type] for t in outputs), name)


def graph(content):
    """(schema.ModelT, its schema.SubGraphT) of the bytes of a file."""
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
    return model, model.subgraphs[0]


def operator_name(model, operator):
    """TFLite's name of an operation of a schema.ModelT, as "CONV_2D"."""
    code = model.operatorCodes[operator.opcodeIndex]
    return NAMES[max(code.builtinCode, code.deprecatedBuiltinCode)]


def data(model, tensor):
    """The bytes of a constant tensor; none for one that is computed."""
    stored = model.buffers[tensor.buffer].data
    return b"" if stored is None else stored


def _name(file):
    return "the TFLite network" if isinstance(file, bytes) else file
