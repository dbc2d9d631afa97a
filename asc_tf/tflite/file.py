"""Reading and running of .tflite files.

Input:   float (batch, bands, frames, channels); quantised here where the file's input is.
Output:  float32 (batch, classes) logits.
"""

import contextlib
import struct
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from asc_tf.errors import UserError
from asc_tf.tflite import _compat, interpreter, trial

NAMES = _compat.names(_compat.BuiltinOperator)
TYPES = {value: name.lower() for value, name in _compat.names(_compat.TensorType).items()}
FLOATS = ("float16", "float32", "float64", "bfloat16")
# Operations whose constants are weights and biases, not shapes, axes or paddings.
COMPUTING = (
    "CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "BATCH_MATMUL", "MUL", "ADD", "SUB", "DIV", "DEQUANTIZE",
)  # fmt: skip
# All that reading raised on 41,000 files cut off or overwritten at random offsets, and what large numbers lead to.
DAMAGED = (struct.error, IndexError, KeyError, TypeError, ValueError, AttributeError, OverflowError, MemoryError)


class Operator(typing.NamedTuple):
    """One operation of a file.

    Args:
        name: TFLite's name, as "CONV_2D".
        inputs: Types of the inputs that are computed, as "int8".
        constants: Types of the inputs that are constants.
        outputs: Types of the outputs.
        output_name: Name of the first output's tensor.
    """

    name: str
    inputs: tuple[str, ...]
    constants: tuple[str, ...]
    outputs: tuple[str, ...]
    output_name: str


class TFLiteModel:
    """A TFLite network, called like a Keras model: float spectrograms in, float32 logits out.

    Args:
        file: Path or bytes of a file. A path is that of any file, which is tried in a process of its own first, since
            TFLite ends the process in which it runs some damaged files; bytes are those of a file that was made here.
        threads: Number of threads of the interpreter.

    Raises:
        UserError: The file is absent or not a TFLite network of one input and one output.
    """

    def __init__(self, file: str | Path | bytes, threads: int = 1):
        self.content = read(file)
        if not isinstance(file, bytes):
            trial.check(self.content, file)
        with damage_of(file):
            self.operators = operators(self.content)
            self.parameter_bytes = parameter_bytes(self.content)
        try:
            self._interpreter = interpreter.create(self.content, threads=threads)
        except (ValueError, RuntimeError) as error:
            raise UserError(f"{_name(file)}: TFLite cannot run it: {str(error).splitlines()[0]}") from error
        inputs, outputs = self._interpreter.get_input_details(), self._interpreter.get_output_details()
        if len(inputs) != 1 or len(outputs) != 1:
            raise UserError(
                f"{_name(file)}: has {len(inputs)} inputs and {len(outputs)} outputs; it must have one of each."
            )
        self._input, self._output = inputs[0], outputs[0]
        self.input_shape = tuple(int(size) for size in self._input["shape"][1:])

    @property
    def is_int8(self) -> bool:
        """Whether input, output and everything between them is int8 (with int32 biases)."""
        ends = {self._input["dtype"], self._output["dtype"]}
        return ends == {np.int8} and not not_int8(self.content)

    def __call__(self, spectrograms: np.ndarray) -> np.ndarray:
        """Logits of spectrograms, computed clip by clip.

        Args:
            spectrograms: (batch, bands, frames, channels).

        Returns:
            (batch, classes) float32.

        Raises:
            ValueError: The spectrograms have another shape than the network's input.
        """
        spectrograms = np.asarray(spectrograms, np.float32)
        if spectrograms.shape[1:] != self.input_shape:
            raise ValueError(f"the network takes clips of {self.input_shape}, not of {spectrograms.shape[1:]}")
        return np.concatenate([self._logits(clip[np.newaxis]) for clip in spectrograms])

    def _logits(self, clip):
        self._interpreter.set_tensor(self._input["index"], quantised(clip, self._input))
        self._interpreter.invoke()
        return dequantised(self._interpreter.get_tensor(self._output["index"]), self._output)


def quantised(x: np.ndarray, tensor: Mapping[str, Any]) -> np.ndarray:
    """Values in the type, scale and zero point of a tensor: rounded, and clipped to the type.

    Args:
        x: Float values of any shape.
        tensor: Details of the tensor, as the interpreter's get_input_details gives them.
    """
    scale, zero_point = tensor["quantization"]
    if not scale:
        return x.astype(tensor["dtype"])
    limits = np.iinfo(tensor["dtype"])
    return np.clip(np.round(x / scale) + zero_point, limits.min, limits.max).astype(tensor["dtype"])


def dequantised(x: np.ndarray, tensor: Mapping[str, Any]) -> np.ndarray:
    """The float32 values that the values of a tensor stand for.

    Args:
        x: Values of any shape, in the type of the tensor.
        tensor: Details of the tensor, as the interpreter's get_output_details gives them.
    """
    scale, zero_point = tensor["quantization"]
    return ((x.astype(np.float32) - zero_point) * scale if scale else x).astype(np.float32)


def read(file: str | Path | bytes) -> bytes:
    """The bytes of a TFLite file.

    Args:
        file: Path or bytes of the file.

    Raises:
        UserError: The file is absent, cut off or something else.
    """
    content = file if isinstance(file, bytes) else _bytes(file)
    if content[4:8] != b"TFL3":
        raise UserError(f"{_name(file)}: is not a TFLite file.")
    with damage_of(file):  # found here, since the interpreter would crash
        operators(content)
    return content


@contextlib.contextmanager
def damage_of(file: str | Path | bytes) -> Iterator[None]:
    """Context that reads the graph of a TFLite file, in which the errors of a damaged one become a UserError.

    Args:
        file: Path or bytes of the file.
    """
    try:
        yield
    except DAMAGED as error:
        raise UserError(
            f"{_name(file)}: is a damaged or cut-off TFLite file. Export it again, or restore it."
        ) from error


def operators(content: bytes) -> list[Operator]:
    """The operations of a file's graph, in the order they run.

    Args:
        content: Bytes of the file.
    """
    model, subgraph = graph(content)
    return [_operator(model, subgraph, operator) for operator in subgraph.operators]


def not_int8(content: bytes) -> list[Operator]:
    """The operations that compute in anything but int8; shapes and biases in int32 do not count.

    Args:
        content: Bytes of the file.
    """
    return [
        operator
        for operator in operators(content)
        if any(kind != "int8" for kind in operator.inputs + operator.outputs) or set(operator.constants) & set(FLOATS)
    ]


def parameter_bytes(content: bytes) -> int:
    """Bytes of the constant tensors that an operation reads as weights or biases (not shapes or paddings).

    Args:
        content: Bytes of the file.
    """
    model, subgraph = graph(content)
    used = {index for operator in subgraph.operators for index in parameters(model, subgraph, operator)}
    return sum(len(data(model, subgraph.tensors[index])) for index in used)


def parameters(model: _compat.ModelT, graph: _compat.SubGraphT, operator: _compat.OperatorT) -> list[int]:
    """Indices of the constant tensors that an operation reads as weights or biases.

    Args:
        model: The file.
        graph: Its graph.
        operator: An operation of the graph.
    """
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


def graph(content: bytes) -> tuple[_compat.ModelT, _compat.SubGraphT]:
    """Object tree of a file and its first graph, in the names of TFLite's schema.

    Args:
        content: Bytes of the file.
    """
    model = _compat.parse(content)
    return model, model.subgraphs[0]


def operator_name(model: _compat.ModelT, operator: _compat.OperatorT) -> str:
    """TFLite's name of an operation, as "CONV_2D".

    Args:
        model: The file.
        operator: An operation of its graph.
    """
    code = model.operatorCodes[operator.opcodeIndex]
    return NAMES[max(code.builtinCode, code.deprecatedBuiltinCode)]


def new_operator(model: _compat.ModelT, name: str, inputs: list[int], output: int) -> _compat.OperatorT:
    """A new operation of one output, whose code is added to the model.

    Args:
        model: The file.
        name: TFLite's name of the operation, as "PAD".
        inputs: Indices of its inputs.
        output: Index of its output.
    """
    code = getattr(_compat.BuiltinOperator, name)
    model.operatorCodes.append(_compat.new(_compat.OperatorCodeT, builtinCode=code, deprecatedBuiltinCode=code))
    index = len(model.operatorCodes) - 1
    return _compat.new(_compat.OperatorT, opcodeIndex=index, inputs=inputs, outputs=[output])


def data(model: _compat.ModelT, tensor: _compat.TensorT) -> np.ndarray | bytes:
    """The bytes of a constant tensor; none for one that is computed.

    Args:
        model: The file.
        tensor: A tensor of its graph.
    """
    stored = model.buffers[tensor.buffer].data
    return b"" if stored is None else stored


def _bytes(file):
    if not Path(file).is_file():
        raise UserError(f"{file}: there is no such file.")
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise UserError(f"{file}: cannot be read ({error.strerror}).") from error


def _name(file):
    return "the TFLite network" if isinstance(file, bytes) else file
