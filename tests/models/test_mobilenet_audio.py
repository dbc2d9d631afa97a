import keras
import numpy as np
import pytest
from models import from_torch

from asc_tf.cost import measure
from asc_tf.errors import UserError
from asc_tf.models import mobilenet_audio


# sheets/mn_dymn.md: counted on the originals.
@pytest.mark.slow
@pytest.mark.parametrize(
    ("width", "classes", "parameters"),
    [(0.5, 10, 1_099_842), (1.0, 10, 4_214_554), (1.0, 527, 4_876_831), (2.0, 10, 16_585_250)],
)
def test_has_as_many_parameters_as_the_originals(width, classes, parameters):
    assert measure.measure(mobilenet_audio.build((128, 100, 1), classes, width=width)).parameters == parameters


def test_equals_mn04(shared):
    golden = np.load(shared / "golden/model_mn04.npz")
    network = mobilenet_audio.build((128, 100, 1), 10, width=0.4)
    from_torch.load(network, golden)
    logits = golden["logits"]
    blocks = [key for key in golden.files if key.startswith("inter/")]
    ends = [_end_of(network, key.removeprefix("inter/").replace(".", "_")) for key in blocks]
    inner = keras.Model(network.input, [network.output, network.get_layer("classifier_0").output, *ends])
    outputs = inner(from_torch.channels_last(golden["x"]))
    np.testing.assert_allclose(outputs[0], logits, atol=1e-4 * np.ptp(logits))
    np.testing.assert_allclose(outputs[1], golden["embedding"], atol=1e-4 * np.ptp(golden["embedding"]))
    assert len(blocks) == 17
    for key, output in zip(blocks, outputs[2:], strict=True):
        expected = from_torch.channels_last(golden[key])
        np.testing.assert_allclose(output[:1], expected, atol=1e-4 * np.ptp(expected), err_msg=key)


def _end_of(network, module):
    """The output of the last layer of a module: those of its parts have longer names."""
    return [layer for layer in network.layers if f"{layer.name}_".startswith(f"{module}_")][-1].output


def test_halves_both_axes_five_times_whatever_their_size():
    network = mobilenet_audio.build((33, 1, 2), 3, width=0.1)
    assert network.get_layer("features_16_2").output.shape == (None, 2, 1, 96)  # 33, 17, 9, 5, 3, 2
    assert network(np.ones((2, 33, 1, 2), "float32")).shape == (2, 3)


def test_initial_kernels_have_torchs_distribution():
    keras.utils.set_random_seed(0)
    network = mobilenet_audio.build((32, 20, 1), 10, width=1.0)
    # kaiming_normal_(fan_out): 2 / (160 outputs) for a 1 x 1, 2 / (25 x 960 channels) for a depthwise kernel.
    for name, expected in (
        ("features_15_block_3_0", (2 / 160) ** 0.5),
        ("features_15_block_1_0", (2 / (25 * 960)) ** 0.5),
        ("features_15_block_2_conc_se_layers_0_fc1", 0.01),
        ("classifier_5", 0.01),
    ):
        kernel = network.get_layer(name).get_weights()[0]
        assert kernel.std() == pytest.approx(expected, rel=0.05)
        assert np.abs(kernel).max() > 2.2 * expected  # a normal distribution that is not truncated


def test_the_strides_of_blocks_are_settings():
    strides = [1, 2, 1, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]  # EfficientAT's (2, 2, 1, 1)
    network = mobilenet_audio.build((128, 100, 1), 10, width=0.1, strides=strides, head="fully_convolutional")
    assert network.get_layer("features_16_2").output.shape == (None, 16, 13, 96)


def test_the_fully_convolutional_head_is_a_convolution_and_a_batch_norm_before_the_mean():
    network = mobilenet_audio.build((128, 100, 1), 527, width=1.0, head="fully_convolutional")
    # Two dense layers, of 961 x 1280 and 1281 x 527, are replaced.
    assert measure.measure(network).parameters == 4_876_831 - (961 * 1280 + 1281 * 527) + 960 * 527 + 2 * 527
    assert [layer.name for layer in network.layers[-3:]] == ["classifier_0", "classifier_1", "classifier_2"]


def test_the_start_of_a_network_is_a_smaller_one():
    whole = mobilenet_audio.build((128, 100, 1), 10, width=0.4)
    start = mobilenet_audio.build((128, 100, 1), 10, width=0.4, blocks=11, head="linear")
    # 77,632 weights up to block 11, of which statistics of batch norms are no parameters; 48 -> 288 -> 10 after it.
    assert measure.measure(start).parameters == 91_578
    assert start.get_layer("classifier_0").output.shape == (None, 288)
    for layer in start.layers:
        if layer.weights and not layer.name.startswith(("features_16", "classifier")):
            whole.get_layer(layer.name).set_weights(layer.get_weights())
    x = np.random.default_rng(0).normal(size=(2, 128, 100, 1)).astype("float32")
    ends = [keras.Model(one.input, one.get_layer("features_11_block_3_1").output) for one in (whole, start)]
    np.testing.assert_array_equal(*(end(x) for end in ends))


@pytest.mark.parametrize("blocks", [0, 16])
def test_a_number_of_blocks_out_of_range_is_refused(blocks):
    with pytest.raises(UserError, match=f"blocks = {blocks}; it must be 1 to 15"):
        mobilenet_audio.build((128, 100, 1), 10, width=0.1, blocks=blocks)


@pytest.mark.parametrize("strides", [[1] * 14, [1] * 14 + [3]])
def test_strides_out_of_range_are_refused(strides):
    with pytest.raises(UserError, match="it must be 15 numbers 1 or 2"):
        mobilenet_audio.build((128, 100, 1), 10, width=0.1, strides=strides)


def test_a_width_of_0_is_refused():
    with pytest.raises(UserError, match="width = 0.0; it must be above 0"):
        mobilenet_audio.build((128, 100, 1), 10, width=0.0)
