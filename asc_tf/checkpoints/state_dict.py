"""Which of a checkpoint's tensors are weights, and what are they called?

Source:  the wrappers that PyTorch's tools add: Lightning keeps the weights under "state_dict" and prefixes
         the attribute's name, DataParallel "module."; front ends and buffers that are computed anew are
         left out, each with its reason.
"""

from asc_tf.checkpoints import _pickled
from asc_tf.checkpoints._tensor import Tensor
from asc_tf.errors import UserError

HOLDERS = ("state_dict", "model_state_dict", "model")
PREFIXES = ("module.", "model.", "net.", "sed_model.")
FRONT_ENDS = ("mel.", "spectrogram_extractor.", "logmel_extractor.")
BUFFERS = ("num_batches_tracked", "relative_position_index", "attn_mask", "lambdas", "init_v")


def found(tree, file):
    """({key: Tensor}, {key: why it is ignored}) of a checkpoint's tree; `file` is named in errors."""
    state = next((tree[key] for key in HOLDERS if _holds_tensors(tree, key)), tree)
    if isinstance(state, _pickled.Unknown):
        raise UserError(f"{file}: holds a whole module, {_kind(state)}, not its state; save its state_dict() instead.")
    if not isinstance(state, dict) or not any(isinstance(value, Tensor) for value in state.values()):
        raise UserError(f"{file}: holds no state dict, neither as it is nor under {', '.join(HOLDERS)}.")
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
    return isinstance(inner, dict) and any(isinstance(value, Tensor) for value in inner.values())


def _stripped(key):
    while prefix := next((prefix for prefix in PREFIXES if key.startswith(prefix)), None):
        key = key.removeprefix(prefix)
    return key


def _reason(name, value):
    if name.startswith(FRONT_ENDS):
        return "front end, which the recipe has of its own"
    if name.rpartition(".")[2] in BUFFERS:
        return "buffer, which is computed anew"
    return "" if isinstance(value, Tensor) else "no tensor"


def _kind(unknown):
    kind = unknown.kind
    return f"{kind.module}.{kind.name}" if isinstance(kind, _pickled.Name) else "of an unknown class"
