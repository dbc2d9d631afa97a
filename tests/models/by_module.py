"""How do the state dicts of originals fit networks whose layers are named after their modules?  Support of the tests.

A weight's key is its layer's name and its own, with underscores for dots.  Keras' kernels have their axes in
another order; the project's own layers keep the original's.
"""

import keras

PARTS = {
    "kernel": "weight",
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}
# Not in a state dict: the originals keep it as an attribute of the module.
OWN = ("temperature",)


def load(network, golden):
    """Sets every weight of `network` from the arrays `sd/<key>`; returns the keys that no weight took."""
    keys = {key.removeprefix("sd/").replace(".", "_"): key for key in golden.files if key.startswith("sd/")}
    for layer in network.layers:
        for weight in layer.weights:
            if weight.name not in OWN:
                value = golden[keys.pop(f"{layer.name}_{PARTS.get(weight.name, weight.name)}")].astype("float32")
                weight.assign(_as_keras(layer, value).reshape(weight.shape))
    return list(keys.values())


def _as_keras(layer, value):
    if value.ndim == 1:
        return value
    if isinstance(layer, keras.layers.DepthwiseConv2D):
        return value.transpose(2, 3, 0, 1)
    if isinstance(layer, keras.layers.Conv2D):
        return value.transpose(2, 3, 1, 0)
    return value.T if isinstance(layer, keras.layers.Dense) else value
