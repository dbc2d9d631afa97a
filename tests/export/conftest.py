"""A network of a few layers with all that CP-Mobile has, quick to quantise, and clips it can tell apart."""

import keras
import numpy as np
import pytest
from keras import layers

from export import qat
from export.twin import twin


@pytest.fixture(scope="session")
def small():
    """() -> Keras network: 12 bands x 9 frames to 3 logits, weights and statistics of a seed."""
    return _small


@pytest.fixture(scope="session")
def clips():
    """64 float32 clips (12, 9, 1) and their 3 labels: which third of the bands is loud."""
    rng = np.random.default_rng(1)
    labels = np.arange(64) % 3
    x = rng.normal(size=(64, 12, 9, 1)).astype("float32")
    for clip, label in zip(x, labels, strict=True):
        clip[4 * label : 4 * label + 4] += 1.5
    return x, labels


@pytest.fixture(scope="session")
def quantised(small, clips):
    """The small network quantised and calibrated on the clips, not trained; not to be changed."""
    return qat.quantise(twin(small()), clips[0])


def _small():
    inputs = keras.Input((12, 9, 1), name="spectrogram")
    x = layers.Conv2D(8, 3, strides=2, use_bias=False, name="stem")(layers.ZeroPadding2D(1, name="stem_pad")(inputs))
    x = layers.ReLU(name="stem_relu")(layers.BatchNormalization(name="stem_bn")(x))
    y = layers.ZeroPadding2D(1, name="depthwise_pad")(x)
    y = layers.DepthwiseConv2D(3, use_bias=False, name="depthwise")(y)
    y = layers.ReLU(name="depthwise_relu")(layers.BatchNormalization(name="depthwise_bn")(y))
    y = layers.MaxPooling2D(1, strides=(2, 1), name="depthwise_stride")(y)
    y = layers.BatchNormalization(name="project_bn")(layers.Conv2D(8, 1, use_bias=False, name="project")(y))
    x = layers.AveragePooling2D(3, strides=(2, 1), name="shortcut")(layers.ZeroPadding2D(1, name="shortcut_pad")(x))
    x = layers.ReLU(name="relu")(layers.Add(name="add")([y, x]))
    x = layers.BatchNormalization(name="head_bn")(layers.Conv2D(3, 1, use_bias=False, name="head")(x))
    network = keras.Model(inputs, layers.GlobalAveragePooling2D(name="logits")(x), name="small")
    rng = np.random.default_rng(0)
    for layer in network.layers:
        if layer.name.endswith("_bn"):
            channels = layer.weights[0].shape
            # gamma, beta, moving mean, moving variance
            layer.set_weights([rng.uniform(0.5, 1.5, channels) for _ in range(4)])
        else:
            layer.set_weights([rng.normal(size=w.shape) / np.sqrt(np.prod(w.shape[:-1])) for w in layer.weights])
    return network
