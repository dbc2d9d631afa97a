import keras
import numpy as np
import pytest
from keras import layers

from asc_tf.checkpoints import to_keras
from asc_tf.models._blocks import GlobalResponseNorm


def test_weights_of_every_kind_of_layer_give_the_originals_outputs():
    inputs = keras.Input((3, 3, 2))
    x = layers.DepthwiseConv2D(3, depth_multiplier=2, name="block_0")(inputs)
    x = layers.Conv2D(5, 1, name="block_1")(x)
    x = GlobalResponseNorm(name="block_2")(x)
    network = keras.Model(inputs, layers.Dense(3, name="head")(layers.Flatten()(x)))
    rng = np.random.default_rng(0)
    state = {
        "block.0.weight": rng.normal(size=(4, 1, 3, 3)),  # channels x multiplier, 1, kh, kw
        "block.0.bias": rng.normal(size=4),
        "block.1.weight": rng.normal(size=(5, 4, 1, 1)),
        "block.1.bias": rng.normal(size=5),
        "block.2.gamma": np.zeros(1),
        "block.2.beta": np.zeros(1),
        "head.weight": rng.normal(size=(3, 5)),
        "head.bias": rng.normal(size=3),
    }
    match = to_keras.match(network, {key: value.shape for key, value in state.items()})
    assert match.fits and len(match.pairs) == len(state)
    for layer, weight, key in match.pairs:
        weight.assign(to_keras.to_keras_order(layer, weight, state[key]))
    # By torch's definition: output channel m of the depthwise layer filters input channel m // 2.
    x = rng.normal(size=(3, 3, 2)).astype("float32")
    filtered = [(x[..., m // 2] * state["block.0.weight"][m, 0]).sum() for m in range(4)] + state["block.0.bias"]
    mixed = state["block.1.weight"][..., 0, 0] @ filtered + state["block.1.bias"]
    np.testing.assert_allclose(network(x[None])[0], state["head.weight"] @ mixed + state["head.bias"], rtol=1e-4)


@pytest.mark.parametrize("precision", ["float16", "float32"])
def test_weights_of_a_gru_and_of_a_convolution_over_all_steps_give_the_originals_outputs(precision):
    rng, shapes = np.random.default_rng(0), {"weight_ih_l0": (12, 3), "weight_hh_l0": (12, 4)}
    shapes |= {"bias_ih_l0": (12,), "bias_hh_l0": (12,)}
    state = {f"rnn.{name}": rng.normal(size=shape).astype(precision) for name, shape in shapes.items()}
    state |= {"head.weight": rng.normal(size=(2, 1, 4)).astype(precision), "head.bias": np.zeros(2, precision)}
    inputs = keras.Input((5, 3))
    network = keras.Model(inputs, layers.Dense(2, name="head")(layers.GRU(4, name="rnn")(inputs)))
    match = to_keras.match(network, {key: value.shape for key, value in state.items()})
    assert match.fits and len(match.pairs) == len(state)
    assert [pair.name for pair in match.pairs][2:4] == ["rnn/bias_ih_l0", "rnn/bias_hh_l0"]
    for layer, weight, key in match.pairs:
        weight.assign(to_keras.to_keras_order(layer, weight, state[key].astype("float32")))
    x, hidden = rng.normal(size=(5, 3)), np.zeros(4)
    for step in x:  # by torch's definition of nn.GRU
        of_input = np.split(state["rnn.weight_ih_l0"] @ step + state["rnn.bias_ih_l0"], 3)
        of_state = np.split(state["rnn.weight_hh_l0"] @ hidden + state["rnn.bias_hh_l0"], 3)
        reset, update = (1 / (1 + np.exp(-of_input[gate] - of_state[gate])) for gate in (0, 1))
        new = np.tanh(of_input[2] + reset * of_state[2])
        hidden = (1 - update) * new + update * hidden
    expected = state["head.weight"][:, 0] @ hidden
    np.testing.assert_allclose(network(x[None].astype("float32"))[0], expected, atol=2e-5)


def test_a_gru_without_a_tensor_for_one_of_its_biases_is_listed():
    inputs = keras.Input((5, 3))
    network = keras.Model(inputs, layers.GRU(4, name="rnn")(inputs))
    match = to_keras.match(network, {"rnn.bias_ih_l0": (12,), "rnn.weight_ih_l0": (3, 12)})
    assert [pair.key for pair in match.missing] == ["rnn.weight_hh_l0", "rnn.bias_hh_l0"]
    assert [(pair.key, needed) for pair, needed, _ in match.wrong] == [("rnn.weight_ih_l0", (12, 3))]


def test_tensors_that_do_not_fit_are_listed():
    inputs = keras.Input((4, 4, 2))
    network = keras.Model(inputs, layers.Conv2D(5, 3, name="a_0")(inputs))
    match = to_keras.match(network, {"a.0.weight": (5, 3, 3, 3), "a.1.weight": (5,)})
    assert not match.fits and not match.pairs
    assert [pair.key for pair in match.missing] == ["a_0.bias"]
    assert [(pair.key, needed, actual) for pair, needed, actual in match.wrong] == [
        ("a.0.weight", (5, 2, 3, 3), (5, 3, 3, 3))
    ]
    assert match.extra == ["a.1.weight"]
