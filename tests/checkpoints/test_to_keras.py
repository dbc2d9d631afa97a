import keras
import numpy as np
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
    _assign(network, state)
    # By torch's definition: output channel m of the depthwise layer filters input channel m // 2.
    x = rng.normal(size=(3, 3, 2)).astype("float32")
    filtered = [(x[..., m // 2] * state["block.0.weight"][m, 0]).sum() for m in range(4)] + state["block.0.bias"]
    mixed = state["block.1.weight"][..., 0, 0] @ filtered + state["block.1.bias"]
    np.testing.assert_allclose(network(x[None])[0], state["head.weight"] @ mixed + state["head.bias"], rtol=1e-4)


def test_a_gru_computes_what_torch_defines():
    inputs = keras.Input((2, 3))
    network = keras.Model(inputs, layers.GRU(4, return_sequences=True, name="rnn")(inputs))
    rng = np.random.default_rng(0)
    shapes = {"weight_ih_l0": (12, 3), "weight_hh_l0": (12, 4), "bias_ih_l0": (12,), "bias_hh_l0": (12,)}
    state = {f"rnn.{key}": rng.normal(size=shape) for key, shape in shapes.items()}
    _assign(network, state)
    x, h = rng.normal(size=(2, 3)).astype("float32"), np.zeros(4)
    outputs = network(x[None])[0]
    for step in range(2):  # torch.nn.GRU: the gates r, z, n
        of_input = (state["rnn.weight_ih_l0"] @ x[step] + state["rnn.bias_ih_l0"]).reshape(3, 4)
        of_state = (state["rnn.weight_hh_l0"] @ h + state["rnn.bias_hh_l0"]).reshape(3, 4)
        r, z = 1 / (1 + np.exp(-(of_input[:2] + of_state[:2])))
        h = (1 - z) * np.tanh(of_input[2] + r * of_state[2]) + z * h
        np.testing.assert_allclose(outputs[step], h, rtol=1e-4)


def test_a_dense_layer_takes_the_weights_of_a_convolution_over_all_steps():
    inputs = keras.Input((3,))
    network = keras.Model(inputs, layers.Dense(2, name="head")(inputs))
    state = {"head.weight": np.arange(6.0).reshape(2, 1, 3), "head.bias": np.zeros(2)}
    _assign(network, state)
    np.testing.assert_allclose(network(np.array([[1.0, 10, 100]]))[0], [210, 543])


def test_tensors_that_do_not_fit_are_listed():
    inputs = keras.Input((4, 4, 2))
    network = keras.Model(inputs, layers.Conv2D(5, 3, name="a_0")(inputs))
    match = to_keras.match(network, {"a.0.weight": (5, 3, 3, 3), "a.1.weight": (5,)})
    assert not match.fits and not match.keys
    assert [target.key for target in match.missing] == ["a_0.bias"]
    assert [(key, target.shape, shape) for target, key, shape in match.wrong] == [
        ("a.0.weight", (5, 2, 3, 3), (5, 3, 3, 3))
    ]


def test_every_prefix_has_a_match_the_fullest_first():
    inputs = keras.Input((4,))
    network = keras.Model(inputs, layers.Dense(3, name="head")(inputs))
    shapes = {"old.head.weight": (3, 4), "a.b.head.weight": (3, 4), "a.b.head.bias": (3,), "a.b.other.bias": (3,)}
    matches = to_keras.matches(network, shapes)
    assert [(match.prefix, match.fits) for match in matches] == [("a.b.", True), ("old.", False)]
    assert matches[0].used == {"a.b.head.weight", "a.b.head.bias"}


def _assign(network, state):
    match = to_keras.match(network, {key: value.shape for key, value in state.items()})
    assert match.fits and match.used == set(state)
    for target, keys in match.keys:
        target.weight.assign(target.convert([state[key] for key in keys]))
