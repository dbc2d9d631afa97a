"""Weights of the PyTorch originals for the networks, for tests.

The golden files hold the arrays as `sd/<torch key>`, in float16 where that is exact.
"""

import numpy as np

from asc_tf.checkpoints import state_dict, to_keras
from asc_tf.models.cp_mobile import torch_name as cp_mobile_name  # noqa: F401
from asc_tf.models.cp_resnet import torch_name as cp_resnet_name  # noqa: F401


def load(network, golden, torch_name=str, unused=()):
    """Sets every weight of a network.

    Args:
        network: The Keras network.
        golden: An open golden file.
        torch_name: Function from the name of a layer to that of its module in the original.
        unused: Prefixes of the keys that the original holds and does not use.
    """
    arrays = state(golden, unused)
    match = to_keras.match(network, {key: array.shape for key, array in arrays.items()}, torch_name)
    assert match.fits and not match.prefix
    assert {key.rpartition(".")[2] for key in set(arrays) - match.used} <= set(state_dict.BUFFERS)
    for target, keys in match.keys:
        target.weight.assign(target.convert([arrays[key].astype("float32") for key in keys]))


def state(golden, unused=()):
    """Arrays of a golden's state dict by key, without the keys of `unused` prefixes."""
    arrays = {key.removeprefix("sd/"): golden[key] for key in golden.files if key.startswith("sd/")}
    return {key: array for key, array in arrays.items() if not key.startswith(tuple(unused))}


def guess(module, golden):
    """The settings that a model's file infers from the shapes of a golden's state dict."""
    return module.guess({key: array.shape for key, array in state(golden).items()})


def channels_last(x):
    """(batch, channels, bands, frames) -> (batch, bands, frames, channels)."""
    return np.moveaxis(x, 1, -1)
