import numpy as np
import pytest

from asc_tf.cost import measure
from asc_tf.errors import UserError
from asc_tf.models import _efficientnet, efficientnet_psla

B2 = {"size": "b2", "heads": 4, "cla": "linear", "drop_connect": 0.2}


# sheets/efficientnet_b2_psla.md: counted on the originals.  The last is the classifier of images.
@pytest.mark.slow
@pytest.mark.parametrize(
    ("channels", "classes", "heads", "parameters"),
    [
        (1, 527, 4, 13_640_766),
        (1, 10, 4, 7_813_142),
        (1, 10, 1, 7_728_598),
        (1, 10, 0, 7_714_508),
        (3, 1000, 0, 9_109_994),
    ],
)
def test_has_as_many_parameters_as_the_originals(channels, classes, heads, parameters):
    network = efficientnet_psla.build((128, 100, channels), classes, **(B2 | {"heads": heads}))
    assert measure.measure(network).parameters == parameters


def test_the_blocks_of_b2_are_the_published_ones():
    stem_padding, blocks = _efficientnet.blocks("b2")
    repeats, channels = [2, 3, 3, 4, 4, 5, 2], [16, 24, 48, 88, 120, 208, 352]
    assert [block.channels for block in blocks] == [c for c, n in zip(channels, repeats, strict=True) for _ in range(n)]
    assert {number: block.stride for number, block in enumerate(blocks) if block.stride > 1} == {
        2: 2,
        5: 2,
        8: 2,
        16: 2,
    }
    # Of a 260 x 260 image: 130, 65, 33, 17, 9.
    assert stem_padding == blocks[2].padding == (0, 1)
    assert [blocks[number].padding for number in (5, 8, 16)] == [(2, 2), (1, 1), (2, 2)]
    assert all(block.padding == (block.kernel // 2,) * 2 for block in blocks if block.stride == 1)


# An image of 5: 3 steps of stride 2 cover 2 x 2 + 3 = 7, one of 6 only 1 more.
@pytest.mark.parametrize(
    ("image", "kernel", "stride", "zeros"), [(5, 3, 2, (1, 1)), (6, 3, 2, (0, 1)), (6, 5, 2, (1, 2)), (7, 1, 1, (0, 0))]
)
def test_static_padding_is_that_of_the_image(image, kernel, stride, zeros):
    assert _efficientnet.static_padding(image, kernel, stride) == zeros


@pytest.mark.slow
def test_a_second_of_sound_has_the_published_number_of_steps():
    for frames, steps in ((98, 3), (100, 4), (1056, 33)):
        network = efficientnet_psla.build((128, frames, 1), 10, **B2)
        assert network.get_layer("avgpool").output.shape == (None, 1, steps, 1408)


def test_attention_pooling_is_the_sum_over_heads_of_means_weighted_by_attention():
    pooling = efficientnet_psla.AttentionPooling(2)
    # One class, two steps: the first head attends 1 : 3, the second only to the first step, but for the clipping.
    attentions = [np.array([[[[0.2], [0.6]]]]), np.array([[[[1.0], [0.0]]]])]
    scores = [np.array([[[[4.0], [8.0]]]]), np.array([[[[10.0], [-10.0]]]])]
    inputs = [array.astype("float32") for array in (*attentions, *scores)]
    np.testing.assert_allclose(pooling(inputs), [[(7.0 + 10.0) / 2]], atol=1e-5)
    pooling.head_weight.assign([1.0, -1.0])
    np.testing.assert_allclose(pooling(inputs), [[7.0 - 10.0]], atol=1e-5)

    single = efficientnet_psla.AttentionPooling(1)
    np.testing.assert_allclose(single([inputs[0], inputs[2]]), [[7.0]], atol=1e-5)
    assert not single.weights


def test_attention_to_nothing_is_the_mean():
    pooling = efficientnet_psla.AttentionPooling(1)
    nothing, scores = np.zeros((1, 1, 2, 1)), np.array([[[[4.0], [8.0]]]])
    np.testing.assert_allclose(pooling([nothing, scores]), [[6.0]])


def test_drop_connect_rises_and_is_where_the_shortcuts_are():
    network = efficientnet_psla.build((128, 100, 1), 3, **B2)
    rates = {layer.name: layer.rate for layer in network.layers if layer.name.endswith("_drop_connect")}
    shortcuts = {layer.name.removesuffix("_add") for layer in network.layers if layer.name.endswith("_add")}
    assert rates["effnet__blocks_22_drop_connect"] == pytest.approx(0.2 * 22 / 23)
    assert shortcuts == {name.removesuffix("_drop_connect") for name in rates}
    assert len(rates) == 23 - 7  # the first block of each stage changes the channels


def test_with_a_sigmoid_the_outputs_are_between_0_and_1():
    network = efficientnet_psla.build((32, 40, 1), 3, **(B2 | {"cla": "sigmoid"}))
    outputs = network(np.random.default_rng(0).normal(size=(4, 32, 40, 1)).astype("float32")).numpy()
    assert outputs.min() > 0 and outputs.max() < 1


def test_initial_kernels_have_torchs_distribution():
    network = efficientnet_psla.build((32, 32, 1), 3, **B2)
    for name, fan_in in (("effnet__blocks_22__depthwise_conv", 9), ("effnet__conv_head", 352)):
        kernel = network.get_layer(name).get_weights()[0]
        assert 0.98 * fan_in**-0.5 < np.abs(kernel).max() <= fan_in**-0.5
        assert kernel.std() == pytest.approx((3 * fan_in) ** -0.5, rel=0.05)


@pytest.mark.parametrize(
    ("shape", "changed", "message"),
    [
        ((128, 3, 1), {}, "128 bands x 3 frames; it must be at least 4 x 4"),
        ((31, 100, 1), {"size": "b0"}, "at least 32 x 32"),
        ((128, 100, 1), {"heads": -1}, "heads = -1"),
        ((128, 100, 1), {"drop_connect": 1.0}, "drop_connect = 1.0"),
    ],
)
def test_settings_out_of_range_are_refused(shape, changed, message):
    with pytest.raises(UserError, match=message):
        efficientnet_psla.build(shape, 10, **(B2 | changed))


@pytest.mark.slow
@pytest.mark.parametrize("size", ["b0", "b2"])
def test_the_smallest_input_leaves_one_step(size):
    least = _efficientnet.smallest_input(size)
    network = efficientnet_psla.build((least, least, 1), 3, **(B2 | {"size": size}))
    assert network.get_layer("avgpool").output.shape[1:3] == (1, 1)
