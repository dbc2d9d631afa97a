"""Fixtures: a network of a few layers with all kinds that CP-Mobile has, clips of three classes, runs and files."""

import dataclasses
import hashlib

import keras
import numpy as np
import pytest
from keras import layers

from asc_tf.export.quantisation import convert as tflite
from asc_tf.export.quantisation import metadata, qat
from asc_tf.export.quantisation.to_tf_keras import to_tf_keras
from asc_tf.recipe import resolve as recipes
from asc_tf.recipe.schema import Normalise, Part
from asc_tf.runs.folder import RunFolder

# A front end with the small network's input shape, for clips of a second.
SMALL_LOG_MEL = {
    "flavour": "htk", "sample_rate_hz": 8000, "window_samples": 600, "hop_samples": 1000, "fft_samples": 1024,
    "bands": 12, "min_hz": 0.0, "max_hz": 4000.0,
}  # fmt: skip
CONSTANTS = Normalise(by="constants", mean=-4.5, std=5.0)


@pytest.fixture(scope="session")
def small():
    """Function that builds a Keras network: (12, 9, 1) to 3 logits, random weights of a fixed seed."""
    return _small_network


@pytest.fixture(scope="session")
def clips():
    """(64, 12, 9, 1) float32 clips and (64,) labels: the third of the bands that is loud."""
    rng = np.random.default_rng(1)
    labels = np.arange(64) % 3
    x = rng.normal(size=(64, 12, 9, 1)).astype("float32")
    for clip, label in zip(x, labels, strict=True):
        clip[4 * label : 4 * label + 4] += 1.5
    return x, labels


@pytest.fixture(scope="session")
def quantised(small, clips):
    """The small network quantised and calibrated on the clips, not trained; shared, so not to be changed."""
    return qat.quantise(to_tf_keras(small()), clips[0])


@pytest.fixture(scope="session")
def int8_file(quantised):
    """Bytes of the int8 TFLite file of the small network."""
    return tflite.convert(quantised)


@pytest.fixture
def run_of(tiny, tmp_path):
    """Function from settings of log_mel and [normalise] to an untrained RunFolder of three classes."""

    def build(settings=SMALL_LOG_MEL, normalise=CONSTANTS, feature="log_mel"):
        recipe = dataclasses.replace(recipes.load(tiny), feature=Part(feature, settings), normalise=normalise)
        run = RunFolder(tmp_path / "a run", recipe)
        run.write("labels.txt", "high\nlow\nmiddle\n")
        return run

    return build


@pytest.fixture(scope="session")
def write_int8():
    """Function that writes an int8 file to a run, with a description that ties it to the run's network."""
    return _write_int8


@pytest.fixture
def int8_run(run_of, int8_file):
    """An untrained RunFolder with the small network's int8 file."""
    run = run_of()
    _write_int8(run, int8_file)
    return run


def _small_network():
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


def _write_int8(run, content):
    run.write("export/model.tflite", content)
    counts = {"challenge": {"parameters": 1, "bytes": 1, "macs": 1}, "macs": 1}
    sizes = {"bytes": {"file": 1, "parameters": 1, "activations_at_least": 1}, "float_layers": []}
    tree = metadata.of_network(run) | counts | sizes | {"sha256": hashlib.sha256(content).hexdigest()}
    run.write_json("export/model.json", tree)
