"""The public weights of two submissions of 2025 on real recordings, with the front ends of their recipes."""

import typing

import numpy as np
import pytest

from asc_tf import build
from asc_tf.checkpoints import files, state_dict, to_keras
from asc_tf.data import audio
from asc_tf.recipe import registry, resolve

CHECKPOINTS = {"tf_sepnet2025": "tf_sepnet_dcase2025.ckpt", "tan2025_cnn_gru": "tan_cnn_gru_dcase2025.pt"}
CLASSES = (
    "airport", "bus", "metro", "metro_station", "park", "public_square", "shopping_mall", "street_pedestrian",
    "street_traffic", "tram",
)  # fmt: skip
# Right seconds of the ten of every recording of TUT 2018, and its class by the mean of their logits.
TUT = {
    "tf_sepnet2025": {
        "airport": (10, "airport"),
        "metro": (7, "metro"),
        "park": (10, "park"),
        "shopping_mall": (1, "airport"),
        "street_traffic": (3, "park"),
    },
    "tan2025_cnn_gru": {
        "airport": (0, "park"),
        "metro": (1, "tram"),
        "park": (10, "park"),
        "shopping_mall": (0, "airport"),
        "street_traffic": (0, "park"),
    },
}
# The same of the bus, of 30 seconds, and the classes by the mean of the recordings without a class.
SCENES = {
    "tf_sepnet2025": (30, {"bus": "bus", "acoustic_scene": "street_traffic", "street": "street_traffic"}),
    "tan2025_cnn_gru": (26, {"bus": "bus", "acoustic_scene": "street_traffic", "street": "park"}),
}


class Scorer(typing.NamedTuple):
    """Name of a recipe, and a function from a file to the logits of its seconds."""

    name: str
    logits: typing.Callable


@pytest.fixture(scope="module", params=sorted(CHECKPOINTS))
def scorer(request, shared):
    """The network of a recipe with the weights of its checkpoint."""
    recipe, file = resolve.load(request.param), shared / "checkpoints" / CHECKPOINTS[request.param]
    network, front_end = build.network(recipe, len(CLASSES)), _front_end(recipe)
    tensors, _ = state_dict.weights(files.load(file), file)
    tensors = {key.removeprefix("backbone."): tensor for key, tensor in tensors.items()}
    torch_name = getattr(registry.module("model", recipe.model.name), "torch_name", str)
    match = to_keras.match(network, {key: tensor.shape for key, tensor in tensors.items()}, torch_name)
    assert match.fits
    for layer, weight, key in match.pairs:
        weight.assign(to_keras.to_keras_order(layer, weight, tensors[key].values()))
    rate_hz = recipe.feature.settings["sample_rate_hz"]

    def logits(recording):
        seconds = audio.cut(audio.resample(*audio.read(recording), rate_hz), rate_hz, 1.0)
        return network.predict(front_end(seconds), verbose=0)

    return Scorer(request.param, logits)


@pytest.mark.slow
def test_seconds_and_recordings_of_tut_2018_are_right_as_often_as_measured(scorer, shared):
    for scene, (right, decided) in TUT[scorer.name].items():
        logits = scorer.logits(shared / f"data/tut2018/{scene}.wav")
        assert len(logits) == 10
        assert np.sum(logits.argmax(axis=1) == CLASSES.index(scene)) == right, scene
        assert CLASSES[logits.mean(axis=0).argmax()] == decided, scene


@pytest.mark.slow
def test_the_bus_is_one_and_other_recordings_are_decided_as_measured(scorer, shared):
    right, decided = SCENES[scorer.name]
    logits = {name: scorer.logits(shared / f"data/scenes/{name}.wav") for name in decided}
    assert np.sum(logits["bus"].argmax(axis=1) == CLASSES.index("bus")) == right
    assert {name: CLASSES[values.mean(axis=0).argmax()] for name, values in logits.items()} == decided


@pytest.mark.parametrize(
    ("name", "file", "wave"),
    [("tf_sepnet2025", "real_tf_sepnet25", "wave_32000"), ("tan2025_cnn_gru", "real_tan_cnn_gru25", "wave_44100")],
)
def test_front_ends_of_the_recipes_equal_the_originals(shared, name, file, wave):
    golden = np.load(shared / f"golden/{file}.npz")
    expected = np.moveaxis(golden["x"][golden["index_into_logmel"]], 1, -1)
    # The originals' banks are in float32: their log-mels are up to 1.2e-4 from those in float64.
    np.testing.assert_allclose(_front_end(resolve.load(name))(golden[wave]), expected, rtol=0, atol=2e-4)


def test_the_front_end_of_tans_training_equals_the_original(shared):
    golden = np.load(shared / "golden/real_tan_cnn_gru25.npz")
    recipe = resolve.load("tan2025_cnn_gru", ["feature.fft_samples=8912", "feature.min_hz=1.0"])
    expected = np.moveaxis(golden["x_train_nfft8912_fmin1"], 1, -1)
    np.testing.assert_allclose(_front_end(recipe)(golden["wave_44100"]), expected, rtol=0, atol=2e-4)


def _front_end(recipe):
    """Function from waves to the network's inputs."""
    layer = registry.entry("feature", recipe.feature.name)(**recipe.feature.settings)
    mean, std = (recipe.normalise.mean, recipe.normalise.std) if recipe.normalise else (0.0, 1.0)
    return lambda waves: (layer(waves).numpy() - mean) / std
