"""Operations that TensorFlow Lite Micro can run, and the methods that register them.

Source:  the registrations in the library of the Python package tflite-micro 0.dev20261023182759, and int8 tensors
         given to its kernels of one operation after the other, in that version.
"""

from collections import Counter

from asc_tf.errors import UserError
from asc_tf.tflite import file as tflite_file

VERSION = "tflite-micro 0.dev20261023182759"
KERNELS = """
    ABS ADD ADD_N ARG_MAX ARG_MIN ASSIGN_VARIABLE AVERAGE_POOL_2D BATCH_MATMUL BATCH_TO_SPACE_ND BROADCAST_ARGS
    BROADCAST_TO CALL_ONCE CAST CEIL CONCATENATION CONV_2D COS CUMSUM DEPTHWISE_CONV_2D DEPTH_TO_SPACE DEQUANTIZE DIV
    DYNAMIC_UPDATE_SLICE ELU EMBEDDING_LOOKUP EQUAL EXP EXPAND_DIMS FILL FLOOR FLOOR_DIV FLOOR_MOD FULLY_CONNECTED
    GATHER GATHER_ND GREATER GREATER_EQUAL HARD_SWISH IF L2_NORMALIZATION L2_POOL_2D LEAKY_RELU LESS LESS_EQUAL LOG
    LOGICAL_AND LOGICAL_NOT LOGICAL_OR LOGISTIC LOG_SOFTMAX MAXIMUM MAX_POOL_2D MEAN MINIMUM MIRROR_PAD MUL NEG
    NOT_EQUAL PACK PAD PADV2 PRELU QUANTIZE READ_VARIABLE REDUCE_ALL REDUCE_MAX REDUCE_MIN RELU RELU6 RESHAPE
    RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR REVERSE_V2 ROUND RSQRT SELECT_V2 SHAPE SIN SLICE SOFTMAX SPACE_TO_BATCH_ND
    SPACE_TO_DEPTH SPLIT SPLIT_V SQRT SQUARE SQUARED_DIFFERENCE SQUEEZE STRIDED_SLICE SUB SUM SVDF TANH TRANSPOSE
    TRANSPOSE_CONV UNIDIRECTIONAL_SEQUENCE_LSTM UNPACK VAR_HANDLE WHILE ZEROS_LIKE"""
NOT_IN_INT8 = "CEIL COS EXP FLOOR FLOOR_DIV FLOOR_MOD LOG NEG ROUND SIN SQRT SQUARE"
# Methods of MicroMutableOpResolver that are not "Add" and the operation's words, capitalised.
METHODS = {
    "BATCH_MATMUL": "AddBatchMatMul",
    "CUMSUM": "AddCumSum",
    "PADV2": "AddPadV2",
    "UNIDIRECTIONAL_SEQUENCE_LSTM": "AddUnidirectionalSequenceLSTM",
}


def count_operations(content: bytes) -> dict[str, int]:
    """Counts the operations of a file, after the check that TensorFlow Lite Micro can run all of them.

    Args:
        content: Bytes of the file.

    Returns:
        {name of the operation: count}, in the order of execution.

    Raises:
        UserError: It lacks kernels, or int8 kernels, for some; the message names all.
    """
    operators = tflite_file.operators(content)
    absent = {operator.name for operator in operators} - set(KERNELS.split())
    not_int8 = {operator.name for operator in operators if "int8" in operator.inputs} & set(NOT_IN_INT8.split())
    if absent or not_int8:
        reasons = [f"{name} (no kernel)" for name in sorted(absent)]
        reasons += [f"{name} (no int8 kernel)" for name in sorted(not_int8)]
        raise UserError(
            f"export: do not flash this network: {VERSION} cannot run {', '.join(reasons)}. Replace the layers that "
            "need it, or run export/model.tflite with TensorFlow Lite."
        )
    return dict(Counter(operator.name for operator in operators))


def resolver_method(name: str) -> str:
    """Name of the method of MicroMutableOpResolver that registers an operation.

    Args:
        name: TFLite's name of the operation, as "CONV_2D".
    """
    return METHODS.get(name) or "Add" + "".join(map(str.capitalize, name.split("_"))).replace("2d", "2D")
