"""Weights of a checkpoint under the names of the original's modules, without what training tools add.

Source:  Lightning stores the weights under "state_dict" and prefixes the attribute's name, DataParallel
         prefixes "module.". Front ends and computed buffers are ignored, each with a reason.
"""

from pathlib import Path
from typing import Any

from asc_tf.checkpoints import _pickled
from asc_tf.checkpoints._tensor import StoredTensor
from asc_tf.errors import UserError

WRAPPERS = ("state_dict", "model_state_dict", "model")
PREFIXES = ("module.", "model.", "net.", "sed_model.")
FRONT_END_PREFIXES = ("mel.", "spectrogram_extractor.", "logmel_extractor.")
BUFFERS = ("num_batches_tracked", "relative_position_index", "attn_mask", "lambdas", "init_v")


def weights(tree: Any, file: str | Path) -> tuple[dict[str, StoredTensor], dict[str, str]]:
    """Weights of a checkpoint.

    Args:
        tree: What files.load returns.
        file: The file that errors name.

    Returns:
        The tensors by key without wrappers' prefixes, and the reason for every key that is ignored.

    Raises:
        UserError: There is no state dict, or two of its keys differ by prefixes only.
    """
    state = next((tree[key] for key in WRAPPERS if _holds_tensors(tree, key)), tree)
    if isinstance(state, _pickled.Unknown):
        raise UserError(f"{file}: holds a whole module, {_kind(state)}, not its state; save its state_dict() instead.")
    if not isinstance(state, dict) or not any(isinstance(value, StoredTensor) for value in state.values()):
        raise UserError(f"{file}: holds no state dict, neither as it is nor under {', '.join(WRAPPERS)}.")
    tensors, ignored = {}, {}
    for key, value in state.items():
        name = _stripped(str(key))
        reason = _reason(name, value)
        if reason:
            ignored[str(key)] = reason
        elif name in tensors:
            raise UserError(f"{file}: holds '{name}' twice, under different prefixes; keep one of them.")
        else:
            tensors[name] = value
    return tensors, ignored


def _holds_tensors(tree, key):
    inner = tree.get(key) if isinstance(tree, dict) else None
    return isinstance(inner, dict) and any(isinstance(value, StoredTensor) for value in inner.values())


def _stripped(key):
    while prefix := next((prefix for prefix in PREFIXES if key.startswith(prefix)), None):
        key = key.removeprefix(prefix)
    return key


def _reason(name: str, value: Any) -> str:
    """The reason why an entry of a state dict is ignored; empty for a weight."""
    if name.startswith(FRONT_END_PREFIXES):
        return "front end, which the recipe has of its own"
    if name.rpartition(".")[2] in BUFFERS:
        return "buffer, which is computed anew"
    return "" if isinstance(value, StoredTensor) else "no tensor"


def _kind(unknown):
    kind = unknown.kind
    return f"{kind.module}.{kind.name}" if isinstance(kind, _pickled.Name) else "of an unknown class"
