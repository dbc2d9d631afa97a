"""Private parts of TensorFlow Lite: the schema of its files and the error of its converter.

Tested with TensorFlow 2.17.1 and 2.21.0. `tensorflow.lite.python` and `tensorflow.lite.tools` are outside of the public
interface.

From tensorflow.lite.python.schema_py_generated, which mirrors TFLite's schema.fbs: the enumerations BuiltinOperator,
BuiltinOptions, Padding and TensorType, and the objects ModelT, SubGraphT, OperatorT, OperatorCodeT, PadOptionsT,
TensorT, BufferT, QuantizationParametersT, SignatureDefT, TensorMapT.
From tensorflow.lite.python.convert_phase: ConverterError, raised where a function has no form in TFLite.
"""

from typing import Any

from tensorflow.lite.python import schema_py_generated
from tensorflow.lite.python.convert_phase import ConverterError  # noqa: F401  used by asc_tf.export.device
from tensorflow.lite.python.schema_py_generated import (  # noqa: F401  used by this package
    BufferT,
    BuiltinOperator,
    BuiltinOptions,
    ModelT,
    OperatorCodeT,
    OperatorT,
    Padding,
    PadOptionsT,
    QuantizationParametersT,
    SignatureDefT,
    SubGraphT,
    TensorMapT,
    TensorT,
    TensorType,
)
from tensorflow.lite.tools import flatbuffer_utils


def parse(content: bytes) -> ModelT:
    """Object tree of a TFLite file, by schema_py_generated.Model and ModelT.InitFromObj (both private).

    Args:
        content: Bytes of the file. Nothing is checked: damaged ones raise whatever reading them leads to.
    """
    return ModelT.InitFromObj(schema_py_generated.Model.GetRootAs(content, 0))


def serialise(model: ModelT) -> bytes:
    """Bytes of the TFLite file of an object tree, by flatbuffer_utils.convert_object_to_bytearray (private)."""
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def new(kind: type, **fields: Any) -> Any:
    """Object of a class of schema_py_generated (private), whose constructors take no arguments.

    Args:
        kind: The class, as OperatorT.
        **fields: Values of its fields; the others have the defaults of the schema.
    """
    instance = kind()
    vars(instance).update(fields)
    return instance


def names(enumeration: type) -> dict[int, str]:
    """Name of every value of an enumeration of schema_py_generated (private), as {3: "CONV_2D"}."""
    return {value: name for name, value in vars(enumeration).items() if not name.startswith("_")}
