"""Order of the operations in TFLite files, on which the memory of the activations depends."""

from asc_tf.tflite import _compat
from asc_tf.tflite import file as tflite_file


def depth_first(content: bytes) -> bytes:
    """Moves every operation to where its output is first needed, the inputs of an operation in their order.

    The converter computes the operations of parallel paths side by side, with the tensors of all paths in memory.

    Args:
        content: Bytes of a TFLite file.

    Returns:
        Bytes of a file with the same outputs, to the bit; operations that no output needs are left out.
    """
    model, graph = tflite_file.graph(content)
    producers = {tensor: operator for operator in graph.operators for tensor in operator.outputs}
    ordered, visited = [], set()
    waiting = [(producers[tensor], False) for tensor in reversed(graph.outputs) if tensor in producers]
    while waiting:  # a recursion would be as deep as the graph
        operator, has_inputs = waiting.pop()
        if has_inputs:
            ordered.append(operator)
        elif id(operator) not in visited:
            visited.add(id(operator))
            needed = [producers[tensor] for tensor in reversed(operator.inputs) if tensor in producers]
            waiting += [(operator, True), *((producer, False) for producer in needed)]
    graph.operators = ordered
    return _compat.serialise(model)
