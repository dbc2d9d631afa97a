"""The tensors of a checkpoint by key, whatever the nesting of its dicts, without those of front ends and buffers."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from asc_tf.checkpoints import _pickled
from asc_tf.checkpoints._pickled_arrays import Array
from asc_tf.checkpoints._tensor import StoredTensor
from asc_tf.errors import UserError

FRONT_ENDS = ("mel", "spectrogram_extractor", "logmel_extractor")  # modules of front ends
BUFFERS = ("num_batches_tracked", "relative_position_index", "attn_mask", "lambdas", "init_v")


def tensors(tree: Any, file: str | Path) -> dict[str, StoredTensor]:
    """Tensors of a checkpoint.

    Args:
        tree: What files.load returns.
        file: The file that errors name.

    Returns:
        The tensors by key; the keys of nested dicts are joined by dots.

    Raises:
        UserError: There are none.
    """
    if isinstance(tree, _pickled.Unknown):
        raise UserError(f"{file}: holds a whole module, {_kind(tree)}, not its state; save its state_dict() instead.")
    result = dict(_walk(tree))
    if not result:
        raise UserError(f"{file}: holds no tensors; save a state_dict(), .safetensors, .npz or Keras weights.")
    return result


def ignored_because(key: str) -> str:
    """The reason why a tensor is none of the network's weights.

    Args:
        key: Its key.
    """
    *modules, name = key.split(".")
    if any(module in FRONT_ENDS for module in modules):
        return "front end, which the recipe has of its own"
    return "buffer, which is computed anew" if name in BUFFERS else "no part of the network"


def _walk(tree: Any) -> Iterator[tuple[str, StoredTensor]]:
    """(key, tensor) of a tree; a dict or list that is there several times, or holds itself, is walked once."""
    pending, seen = [("", tree)], set()
    while pending:
        key, node = pending.pop()
        if isinstance(node, StoredTensor):
            yield key, node
        elif isinstance(node, Array):
            pending += [] if node.tensor is None else [(key, node.tensor)]
        elif isinstance(node, (dict, list, tuple)) and id(node) not in seen:
            seen.add(id(node))
            items = node.items() if isinstance(node, dict) else enumerate(node)
            pending += [(f"{key}.{name}" if key else str(name), value) for name, value in reversed(list(items))]


def _kind(unknown):
    kind = unknown.kind
    return f"{kind.module}.{kind.name}" if isinstance(kind, _pickled.Name) else "of an unknown class"
