"""Weights of the PyTorch originals for the networks, for tests.

The golden files hold the arrays as `sd/<torch key>`, in float16 where that is exact.
"""

import numpy as np

from asc_tf.checkpoints import state_dict, to_keras
from asc_tf.models.cp_mobile import torch_name as cp_mobile_name  # noqa: F401
from asc_tf.models.cp_resnet import torch_name as cp_resnet_name  # noqa: F401


def load(network, golden, torch_name=str):
    """Sets every weight of a network.

    Args:
        network: The Keras network.
        golden: An open golden file.
        torch_name: Function from the name of a layer to that of its module in the original.
    """
    arrays = {key.removeprefix("sd/"): golden[key] for key in golden.files if key.startswith("sd/")}
    match = to_keras.match(network, {key: array.shape for key, array in arrays.items()}, torch_name)
    assert match.fits and not match.prefix
    assert {key.rpartition(".")[2] for key in set(arrays) - match.used} <= set(state_dict.BUFFERS)
    for target, keys in match.keys:
        target.weight.assign(target.convert([arrays[key].astype("float32") for key in keys]))


def channels_last(x):
    """(batch, channels, bands, frames) -> (batch, bands, frames, channels)."""
    return np.moveaxis(x, 1, -1)
