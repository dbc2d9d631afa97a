import keras
import numpy as np
import pytest
import tensorflow as tf
from models import from_torch

from asc_tf.cost import measure
from asc_tf.errors import UserError
from asc_tf.models import tan_cnn_gru

PUBLISHED = {"width": 24, "multiplier": 1.5, "expansion": 2, "divisor": 5.0}
PUBLISHED |= {"channel_dropout": 0.3, "step_dropout": 0.5}
OTHER = PUBLISHED | {"width": 20, "expansion": 3, "divisor": 9.0}
SMALL = PUBLISHED | {"width": 4}
SHAPE = (246, 6, 1)


# sheets/tan_cnn_gru.md: the submission's complexity.json and the original's other size.
@pytest.mark.parametrize(
    ("shape", "settings", "rule", "parameters", "macs"),
    [
        ((256, 33, 1), PUBLISHED, "T", 58_171, 10_902_300),
        ((256, 33, 1), PUBLISHED, "F", 57_500, 12_003_294),
        ((250, 41, 1), OTHER, "T", 87_955, 14_120_014),
    ],
)
@pytest.mark.parametrize("foldable", [False, True])
def test_costs_what_the_original_costs(shape, settings, rule, parameters, macs, foldable):
    network = tan_cnn_gru.build(shape, 10, foldable, **settings)
    assert measure.measure(network, rule) == (parameters, macs)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "shape", "settings"),
    [("real_tan_cnn_gru25", (256, 33, 1), PUBLISHED), ("model_tan_othersize", (250, 41, 1), OTHER)],
)
def test_equals_the_original(shared, file, shape, settings):
    golden = np.load(shared / f"golden/{file}.npz")
    network = tan_cnn_gru.build(shape, 10, **settings)
    from_torch.load(network, golden, tan_cnn_gru.torch_name)
    x, logits = from_torch.channels_last(golden["x"]), golden["logits"]
    np.testing.assert_allclose(network(x), logits, rtol=0, atol=1e-4 * logits.std())
    keys = [key for key in golden.files if key.startswith("inter/")]
    assert len(keys) == 10
    outputs = keras.Model(network.input, [network.get_layer(_layer(key)).output for key in keys])(x[:1])
    for key, output in zip(keys, outputs, strict=True):
        expected = from_torch.channels_last(golden[key]) if golden[key].ndim == 4 else golden[key]
        np.testing.assert_allclose(output, expected, rtol=0, atol=1e-4 * expected.std(), err_msg=key)
    foldable = tan_cnn_gru.build(shape, 10, True, **settings)
    foldable.set_weights(network.get_weights())
    np.testing.assert_allclose(foldable(x), logits, rtol=0, atol=1e-4 * logits.std())


def _layer(key):
    """The layer that ends an original's module: the batch norm, of those that end in one."""
    name = key.removeprefix("inter/")
    return f"{name}_1" if name.startswith("co") else name


@pytest.mark.parametrize(("file", "settings"), [("real_tan_cnn_gru25", PUBLISHED), ("model_tan_othersize", OTHER)])
def test_settings_are_guessed_from_the_shapes(shared, file, settings):
    golden = np.load(shared / f"golden/{file}.npz")
    shapes = {key.removeprefix("sd/"): golden[key].shape for key in golden.files if key.startswith("sd/")}
    assert tan_cnn_gru.SIGNATURE in shapes
    assert tan_cnn_gru.guess(shapes) == (10, settings | {"deshuffle": True, "head_silu": True})
    with pytest.raises(LookupError, match="no multiplier and divisor"):
        tan_cnn_gru.guess(shapes | {"codw2d_3_1.0.weight": (999, 1, 5, 1)})
    del shapes["conv1d_5_2.weight"]
    with pytest.raises(LookupError):
        tan_cnn_gru.guess(shapes)


@pytest.mark.parametrize(
    ("width", "multiplier", "expansion", "divisor"),
    [(8, 1.25, 2, 3.0), (12, 2.0, 1, 7.0), (32, 1.75, 4, 12.5), (24, 1.0, 2, 3.3)],
)
def test_guessed_settings_give_the_same_channels(width, multiplier, expansion, divisor):
    settings = {"width": width, "multiplier": multiplier, "expansion": expansion, "divisor": divisor}
    first, second, third, steps = tan_cnn_gru._widths(**settings)
    channels = {"codw2d_1L1": width, "conv2d_2_1": first, "conv2d_3_1": second, "codw2d_3_1": third}
    shapes = {f"{name}.0.weight": (size, 1, 1, 1) for name, size in (channels | {"conv2d_4_1": steps}).items()}
    guess = tan_cnn_gru.guess(shapes | {"conv1d_5_2.weight": (4, 1, steps)})
    guessed = {key: guess.settings[key] for key in settings}
    assert guess.classes == 4 and tan_cnn_gru._widths(**guessed) == (first, second, third, steps)


def test_the_second_submission_has_the_same_weights_and_other_outputs():
    keras.utils.set_random_seed(0)
    first, second = (tan_cnn_gru.build(SHAPE, 3, **SMALL, deshuffle=on, head_silu=on) for on in (True, False))
    assert [weight.shape for weight in first.weights] == [weight.shape for weight in second.weights]
    assert not any(layer.name.startswith("cs_") for layer in second.layers)
    assert (first.get_layer("embedding").activation, second.get_layer("embedding").activation) == (
        keras.activations.silu,
        keras.activations.linear,
    )


def test_whole_steps_of_the_gru_and_whole_channels_are_dropped():
    network = tan_cnn_gru.build((246, 6, 1), 3, **PUBLISHED | {"step_dropout": 0.5, "channel_dropout": 0.5})
    rows = np.array(network.get_layer("bgru2d_4_1_dropout")(tf.ones((8, 28, 64)), training=True))
    assert set(rows.flat) == {0.0, 2.0} and np.ptp(rows, axis=2).max() == 0 < np.ptp(rows, axis=1).min()
    maps = np.array(network.get_layer("codw2d_3_1_dropout")(tf.ones((8, 16, 2, 144)), training=True))
    assert set(maps.flat) == {0.0, 2.0} and np.ptp(maps, axis=(1, 2)).max() == 0 < np.ptp(maps, axis=3).min()


def test_starts_as_pytorch_does():
    keras.utils.set_random_seed(0)
    network = tan_cnn_gru.build(SHAPE, 10, **PUBLISHED)
    bounds = {"codw2d_1R1_0": 6, "codw2d_2_1L_0": 5, "conv2d_4_1_0": 720, "se_2_1_fc1": 72, "conv1d_5_2": 28}
    bounds |= {"bgru2d_4_1": 64}
    for name, inputs in bounds.items():
        weights = network.get_layer(name).get_weights()
        largest = [np.abs(weight).max() * inputs**0.5 for weight in weights]
        assert max(largest) < 1 and largest[0] > 0.9 and min(largest) > 0.5, name
    shares = [float(weight) for layer in ("mixing", "head_mixing") for weight in network.get_layer(layer).weights]
    assert shares == [0.5] * 4


@pytest.mark.parametrize(
    ("shape", "settings", "message"),
    [
        ((128, 33, 1), {}, "128 bands; it must have 246 to 261"),
        ((262, 33, 1), {}, "262 bands; it must have 246 to 261"),
        ((256, 5, 1), {}, "5 frames; it must have at least 6"),
        (SHAPE, {"width": 10}, "width = 10; it must be a multiple of 4"),
        (SHAPE, {"multiplier": 1.33}, "give 31, 63 and 127 channels; each must be a multiple"),
        (SHAPE, {"multiplier": 0.0}, "all must be above 0"),
        (SHAPE, {"divisor": 145.0}, "divisor leaves no channels for the GRU; it must be at most 144"),
        (SHAPE, {"step_dropout": 1.0}, "both must be from 0 to below 1"),
    ],
)
def test_settings_out_of_range_are_refused(shape, settings, message):
    with pytest.raises(UserError, match=message):
        tan_cnn_gru.build(shape, 10, **PUBLISHED | settings)


@pytest.mark.parametrize("bands", [246, 261])
def test_the_gru_reads_sixteen_rows(bands):
    network = tan_cnn_gru.build((bands, 6, 1), 3, **SMALL)
    assert network.get_layer("bgru2d_4_1_input").output.shape[1:] == (4, 16)
