"""The interpreter of .tflite files: LiteRT's where it is installed, otherwise TensorFlow's, which it came from.

LiteRT is the package ai_edge_litert. With it this module does not import TensorFlow, whose own interpreter has been
announced since 2.20 to be removed.
"""

import warnings

try:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType
except ImportError:  # no such package for this system or version of Python
    import tensorflow as tf

    Interpreter, OpResolverType = tf.lite.Interpreter, tf.lite.experimental.OpResolverType


def create(content: bytes, *, threads: int = 1, keep_tensors: bool = False) -> Interpreter:
    """An interpreter whose tensors are allocated.

    Args:
        content: Bytes of the file.
        threads: Number of threads.
        keep_tensors: Whether every tensor can be read after a run. XNNPACK is left out then: it fuses operations, so
            that tensors between them are missing.

    Raises:
        ValueError: The file is no TFLite network.
        RuntimeError: An operation cannot be computed.
    """
    kind = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES if keep_tensors else OpResolverType.AUTO
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*tf.lite.Interpreter is deprecated")
        interpreter = Interpreter(
            model_content=content,
            num_threads=threads,
            experimental_op_resolver_type=kind,
            experimental_preserve_all_tensors=keep_tensors,
        )
    interpreter.allocate_tensors()
    return interpreter
