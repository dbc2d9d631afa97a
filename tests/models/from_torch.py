"""How do the state dicts of the PyTorch originals fit the networks?  Support of the tests.

The goldens hold the arrays as `sd/<torch key>`, in float16 where that is exact.
"""

import numpy as np

PARTS = {"gamma": "weight", "beta": "bias", "moving_mean": "running_mean", "moving_variance": "running_var"}


def load(network, golden, torch_name):
    """Sets every weight of `network`; `torch_name(layer)` is the original's prefix of a Keras layer's name."""
    for layer in network.layers:
        for weight in layer.weights:
            normalisation = layer.name.endswith("_bn")
            part = PARTS[weight.name] if normalisation else {"kernel": "weight"}.get(weight.name, weight.name)
            value = golden[f"sd/{torch_name(layer.name)}.{part}"].astype("float32")
            if value.ndim == 4:
                # (out, in, kh, kw) -> (kh, kw, in, out); a depthwise (C, 1, kh, kw) -> (kh, kw, C, 1).
                depthwise = layer.name.endswith("_depthwise")
                value = value.transpose((2, 3, 0, 1) if depthwise else (2, 3, 1, 0))
            weight.assign(value)


def channels_last(x):
    """(batch, channels, bands, frames) -> (batch, bands, frames, channels)."""
    return np.moveaxis(x, 1, -1)


def cp_mobile_name(layer):
    """The prefix of a CP-Mobile layer: `stages.s2.b4.block.0.1` for `b4_expand_bn`."""
    name, _, last = layer.rpartition("_")
    stem, position = (name, 1) if last == "bn" else (layer, 0)
    if stem == "head":
        return f"feed_forward.{position}"
    if stem.startswith("stem"):
        return f"in_c.{int(stem[-1]) - 1}.{position}"
    block, _, part = stem.partition("_")
    prefix = f"stages.s{'111223'[int(block[1]) - 1]}.{block}"
    if part == "grn":
        return f"{prefix}.after_block_norm"
    return f"{prefix}.block.{['expand', 'depthwise', 'project'].index(part)}.{position}"


def cp_resnet_name(layer):
    """The prefix of a CP-ResNet layer: `stage2.block1.shortcut.bn` for `b3_shortcut_bn`."""
    stem, normalisation = layer.removesuffix("_bn"), layer.endswith("_bn")
    if stem in ("stem", "head"):
        return f"{'in_c' if stem == 'stem' else 'feed_forward'}.{int(normalisation)}"
    block, part = stem.split("_")
    prefix = {"b1": "stage1.block1", "b2": "stage1.block2", "b3": "stage2.block1", "b4": "stage3.block1"}[block]
    if part == "shortcut":
        return f"{prefix}.shortcut.{'bn' if normalisation else 'conv'}"
    return f"{prefix}.{part.replace('conv', 'bn') if normalisation else part}"
