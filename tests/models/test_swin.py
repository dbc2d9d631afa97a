import keras
import numpy as np
import pytest

from asc_tf.cost import measure
from asc_tf.errors import UserError
from asc_tf.models import _swin, swin

TINY = {
    "width": 96, "depths": [2, 2, 6, 2], "heads": [3, 6, 12, 24], "window": 7, "patch": 4, "drop_path": 0.2,
}  # fmt: skip
SMALL = TINY | {"width": 8, "depths": [2, 2], "heads": [2, 4], "window": 3}


# sheets/swin_htsat.md: Swin-T; torchvision's documentation: 28,288,354 for 3 channels and 1000 classes.
@pytest.mark.slow
@pytest.mark.parametrize(
    ("shape", "classes", "parameters"), [((128, 100, 1), 10, 27_523_972), ((224, 224, 3), 1000, 28_288_354)]
)
def test_swin_t_has_the_published_parameters(shape, classes, parameters):
    assert measure.measure(swin.build(shape, classes, **TINY)).parameters == parameters


def test_a_window_attends_to_itself_only():
    """An input of a window changes the outputs of that window, of no other, whether windows are shifted or not."""
    for shift, rows, columns in (((0, 0), (0, 3), (3, 6)), ((1, 1), (1, 4), (4, 7)), ((0, 1), (0, 3), (4, 7))):
        layer, x = _attention((6, 9), 3, shift)
        changed = x.copy()
        changed[:, rows[0] + 1, columns[0] + 1] += 1
        is_other = np.any(np.abs(layer(x) - layer(changed))[0] > 1e-6, axis=-1)
        expected = np.zeros((6, 9), bool)
        expected[slice(*rows), slice(*columns)] = True
        np.testing.assert_array_equal(is_other, expected)


def test_what_the_shift_brings_round_from_the_other_end_is_masked():
    layer, x = _attention((6, 9), 3, (1, 1))
    changed = x.copy()
    changed[:, 0, 0] += 1  # rolled to the end, alone in its window but for what belongs to other ends
    is_other = np.any(np.abs(layer(x) - layer(changed))[0] > 1e-6, axis=-1)
    assert is_other[0, 0] and is_other.sum() == 1


def test_attention_in_a_window_is_softmax_of_products_and_the_bias_of_their_distance():
    layer, x = _attention((3, 3), 3, (0, 0))
    query, key, value = (part.reshape(9, 2, 2) for part in np.split(x, 3, axis=-1))
    table = np.random.default_rng(1).normal(size=(25, 2)).astype("float32")
    layer.relative_position_bias_table.assign(table)
    places = [(row, column) for row in range(3) for column in range(3)]
    logits = np.einsum("qhd,khd->hqk", query, key) / 2**0.5
    for one, (row, column) in enumerate(places):
        for other, (other_row, other_column) in enumerate(places):
            logits[:, one, other] += table[(row - other_row + 2) * 5 + column - other_column + 2]
    shares = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    expected = np.einsum("hqk,khd->qhd", shares, value).reshape(1, 3, 3, 4)
    np.testing.assert_allclose(layer(x), expected, atol=1e-5)


def test_maps_that_windows_do_not_divide_are_padded():
    """11 x 10 tokens -> 12 x 12 in windows of 3; merged to 6 x 5 -> 6 x 6."""
    network = swin.build((46, 40, 1), 3, **SMALL)
    shapes = {layer.name: layer.output.shape[1:] for layer in network.layers}
    assert shapes["layers_0_blocks_0_attn_pad"] == (12, 12, 8) and shapes["layers_0_blocks_0"] == (11, 10, 8)
    assert shapes["layers_0_downsample_pad"] == (12, 10, 8)
    assert shapes["layers_1_blocks_0_attn_pad"] == (6, 6, 16) and shapes["norm"] == (6, 5, 16)
    shifts = [network.get_layer(f"layers_1_blocks_{number}_attn").shift for number in (0, 1)]
    assert shifts == [(0, 0), (1, 1)]


def test_an_axis_of_one_window_is_not_shifted():
    network = swin.build((12, 40, 1), 3, **SMALL)
    assert network.get_layer("layers_0_blocks_1_attn").shift == (0, 1)


def test_merging_puts_rows_before_columns():
    network = swin.build((24, 24, 1), 3, **SMALL)
    merge = keras.Model(
        network.get_layer("layers_0_blocks_1").output, network.get_layer("layers_0_downsample_concatenate").output
    )
    x = np.arange(36.0).reshape(1, 6, 6, 1) + np.zeros(8)
    np.testing.assert_array_equal(merge(x)[0, 0, 0, ::8], [0, 6, 1, 7])


def test_stochastic_depth_is_linear_over_the_blocks_and_drops_whole_clips():
    network = swin.build((24, 24, 1), 3, **(SMALL | {"drop_path": 0.6}))
    rates = {layer.name: layer.rate for layer in network.layers if isinstance(layer, keras.layers.Dropout)}
    blocks = [(0, 1, 0.2), (1, 0, 0.4), (1, 1, 0.6)]
    names = {
        f"layers_{stage}_blocks_{block}_drop_path{half}": share for stage, block, share in blocks for half in (1, 2)
    }
    assert rates == pytest.approx(names)
    ones = np.ones((400, 3, 3, 2), "float32")
    layer = network.get_layer("layers_1_blocks_1_drop_path2")
    factors = np.array(layer(ones, training=True)).reshape(400, -1)
    assert np.ptp(factors, axis=1).max() == 0 and np.unique(factors) == pytest.approx([0, 2.5])
    assert np.mean(factors == 0) == pytest.approx(0.6, abs=0.1)
    np.testing.assert_array_equal(layer(ones), ones)


@pytest.mark.parametrize(
    ("size", "depths", "heads", "window"),
    [
        (96, [2, 2, 6, 2], [3, 6, 12, 24], 7),
        (128, [2, 2, 18, 2], [4, 8, 16, 32], 12),
        (192, [2, 2, 18, 2], [6, 12, 24, 48], 7),
    ],
)
def test_settings_are_inferred(size, depths, heads, window):
    shapes = {
        "patch_embed.proj.weight": (size, 1, 4, 4),
        "layers.0.blocks.0.mlp.fc1.weight": (4 * size, size),
        "head.weight": (10, 8 * size),
    }
    for stage, (depth, number) in enumerate(zip(depths, heads, strict=True)):
        for block in range(depth):
            shapes[f"layers.{stage}.blocks.{block}.norm1.weight"] = (size * 2**stage,)
            table = f"layers.{stage}.blocks.{block}.attn.relative_position_bias_table"
            shapes[table] = ((2 * window - 1) ** 2, number)
    expected = TINY | {"width": size, "depths": depths, "heads": heads, "window": window}
    assert swin.guess(shapes) == (10, expected)
    with pytest.raises(ValueError, match="HTS-AT"):
        swin.guess(shapes | {"tscam_conv.weight": (10, 768, 2, 3)})


def test_shapes_of_another_family_are_refused():
    with pytest.raises(LookupError):
        swin.guess({"blocks.0.norm1.weight": (96,)})


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"patch": 0}, "patch = \\[0, 0\\]"),
        ({"patch": 25}, "at least one patch"),
        ({"depths": [2, 0]}, "depths = \\[2, 0\\]"),
        ({"depths": []}, "depths = \\[\\]"),
        ({"heads": [2, 3]}, "must be a multiple"),
        ({"window": 0}, "window = 0"),
        ({"drop_path": 1.0}, "drop_path = 1.0"),
    ],
)
def test_settings_out_of_range_are_refused(changed, message):
    with pytest.raises(UserError, match=message):
        swin.build((24, 24, 1), 3, **(SMALL | changed))


def _attention(size, window, shift):
    """A layer of 2 heads of size 2, and queries, keys and values for it."""
    keras.utils.set_random_seed(0)
    layer = _swin.WindowAttention(2, window, shift)
    layer.build((None, *size, 12))
    return layer, np.random.default_rng(0).normal(size=(1, *size, 12)).astype("float32")
