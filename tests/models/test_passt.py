import keras
import numpy as np
import pytest
import tensorflow as tf
from models import from_torch

from asc_tf.cost import measure
from asc_tf.errors import UserError
from asc_tf.models import passt

PUBLISHED = {"width": 768, "depth": 12, "heads": 12, "patch": [16, 16]}
SMALL = {"width": 8, "depth": 2, "heads": 2, "patch": [4, 4], "stride": [2, 2]}
HEAD_DIST = ("head_dist",)
# Layer: module of the original.
INNER = {
    "tokens": "pos_drop",
    "blocks_0_norm1": "blocks.0.norm1",
    "blocks_0_attn_proj": "blocks.0.attn",
    "blocks_0_mlp_fc2": "blocks.0.mlp",
    "blocks_0": "blocks.0",
    "blocks_1": "blocks.1",
    "norm": "norm",
}


@pytest.fixture
def golden(shared):
    return np.load(shared / "golden/model_passt_small.npz")


def test_equals_the_original(golden):
    network = _of(golden, frames=100)
    x, spread = from_torch.channels_last(golden["x"]), golden["logits"].std()
    layers = [network.get_layer(name).output for name in ("embedding", "patch_embed_proj", *INNER)]
    logits, embedding, patches, *inner = keras.Model(network.input, [network.output, *layers])(x)
    np.testing.assert_allclose(logits, golden["logits"], atol=1e-4 * spread)
    np.testing.assert_allclose(embedding, golden["features"], atol=1e-4 * spread)
    np.testing.assert_allclose(patches[:1], from_torch.channels_last(golden["inter/patch_embed"]), atol=1e-4 * spread)
    for output, module in zip(inner, INNER.values(), strict=True):
        np.testing.assert_allclose(output[:1], golden[f"inter/{module}"], atol=1e-4 * spread, err_msg=module)


def test_equals_the_original_on_longer_clips(golden):
    x = from_torch.channels_last(golden["x"])
    longer = np.concatenate([x, x[:, :, ::-1][:, :, :51]], axis=2)
    expected = golden["logits_151frames"]
    np.testing.assert_allclose(_of(golden, frames=151)(longer), expected, atol=1e-4 * expected.std())


def test_clips_longer_than_the_grid_are_cut(golden):
    x = from_torch.channels_last(golden["x"])
    longer = np.concatenate([x] * 11, axis=2)
    # Column 98, the last, ends at frame 996.
    np.testing.assert_allclose(_of(golden, frames=1100)(longer), _of(golden, frames=996)(longer[:, :, :996]), atol=1e-6)


# sheets/passt.md, with the original's head_dist, which nothing reads: classes * (width + 1).
@pytest.mark.slow
@pytest.mark.parametrize(
    ("classes", "stride", "frames", "grid", "parameters"),
    [
        (527, 10, 100, [12, 99], 86_153_758),
        (10, 10, 998, None, 85_358_612),
        (527, 16, 998, None, 86_122_270),
    ],
)
def test_has_the_published_parameters(classes, stride, frames, grid, parameters):
    network = passt.build((128, frames, 1), classes, **PUBLISHED, stride=[stride, stride], grid=grid)
    assert measure.measure(network) == (parameters - classes * (768 + 1), _macs(network, classes))


def _macs(network, classes):
    """Rule T: the convolution at every position, everything else but positions and tokens once."""
    rows, columns = network.get_layer("patch_embed_proj").output.shape[1:3]
    block = 4 * 768 + 768 * 2304 + 2304 + 768 * 769 + 2 * 768 * 3072 + 3072 + 768
    return rows * columns * 768 * 257 + 12 * block + 2 * 768 + 2 * 768 + classes * 769


def test_training_leaves_patches_out(monkeypatch):
    network = passt.build(
        (20, 20, 1), 3, **SMALL, patchout_rows=2, patchout_columns=3, patchout_tokens=4
    )  # 9 x 9 patches
    lengths = []
    monkeypatch.setattr(
        type(network.get_layer("blocks_0_attn")), "call", _recorder(type(network.get_layer("blocks_0_attn")), lengths)
    )
    x = np.zeros((2, 20, 20, 1), "float32")
    network(x, training=True)
    network(x)
    assert lengths == [2 + 7 * 6 - 4] * 2 + [2 + 81] * 2


def _recorder(kind, lengths):
    call = kind.call

    def recording(layer, qkv):
        lengths.append(qkv.shape[1])
        return call(layer, qkv)

    return recording


def test_training_follows_the_seed_and_every_weight_has_a_gradient():
    results = []
    for _ in range(2):
        keras.utils.set_random_seed(1)
        network = passt.build((20, 20, 1), 3, **SMALL, grid=[9, 12], patchout_rows=2, drop_path=0.5)
        x = np.random.default_rng(0).normal(size=(8, 20, 20, 1)).astype("float32")
        with tf.GradientTape() as tape:
            first, second = (network(x, training=True) for _ in range(2))
            loss = keras.ops.sum(first[:, 0] + second[:, 0])
        gradients = tape.gradient(loss, [weight.value for weight in network.trainable_weights])
        assert all(np.any(np.array(gradient)) for gradient in gradients)
        assert np.abs(first - second).max() > 1e-3
        results.append([np.array(value) for value in (first, second, *gradients)])
    for one, other in zip(*results, strict=True):
        np.testing.assert_array_equal(one, other)


def test_pooling_of_the_patches():
    network = passt.build((20, 20, 1), 3, **SMALL, pooling="mean")
    inner = keras.Model(network.input, [network.get_layer(name).output for name in ("norm", "embedding")])
    tokens, embedding = inner(np.random.default_rng(0).normal(size=(2, 20, 20, 1)))
    np.testing.assert_allclose(embedding, np.mean(tokens[:, 2:], axis=1), atol=1e-6)


def test_layer_scale_is_a_factor_of_each_branch():
    network = passt.build((20, 20, 1), 3, **SMALL, layer_scale=0.25)
    scale = network.get_layer("blocks_1_ls2")
    np.testing.assert_array_equal(scale.gamma, np.full(8, 0.25))
    for name in ("blocks_1_ls1", "blocks_1_ls2"):
        network.get_layer(name).gamma.assign(np.zeros(8))
    inner = keras.Model(network.input, [network.get_layer(name).output for name in ("blocks_0", "blocks_1")])
    before, after = inner(np.random.default_rng(0).normal(size=(2, 20, 20, 1)))
    np.testing.assert_array_equal(before, after)


# Public checkpoints: stride, grid, blocks.
@pytest.mark.parametrize(
    ("stride", "grid", "depth"),
    [
        (10, [12, 99], 12),
        (12, [10, 82], 12),
        (14, [9, 71], 12),
        (16, [8, 62], 12),
        (20, [6, 50], 12),
        (10, [12, 299], 7),
    ],
)
def test_settings_of_the_published_checkpoints_are_inferred(stride, grid, depth):
    shapes = {
        "patch_embed.proj.weight": (768, 1, 16, 16),
        "freq_new_pos_embed": (1, 768, grid[0], 1),
        "time_new_pos_embed": (1, 768, 1, grid[1]),
        "blocks.0.mlp.fc1.weight": (3072, 768),
        "head.1.weight": (527, 768),
        "head_dist.weight": (527, 768),
    } | {f"blocks.{number}.norm1.weight": (768,) for number in range(depth)}
    guessed = passt.guess(shapes)
    expected = PUBLISHED | {"depth": depth, "stride": [stride, stride], "grid": grid, "pooling": "tokens"}
    assert guessed.classes == 527 and guessed.settings == expected | {
        "patchout_rows": 0, "patchout_columns": 0, "patchout_tokens": 0, "drop_path": 0.0, "layer_scale": 0.0,
    }  # fmt: skip
    assert passt.guess(shapes | {"blocks.0.ls1.gamma": (768,)}).settings["layer_scale"] > 0


def test_shapes_of_another_family_are_refused():
    with pytest.raises(LookupError):
        passt.guess({"blocks.0.norm1.weight": (768,)})


def test_float16_stays_near_float32(golden):
    x, expected = from_torch.channels_last(golden["x"]), golden["logits"]
    keras.config.set_dtype_policy("mixed_float16")
    try:
        logits = _of(golden, frames=100)(x)
    finally:
        keras.config.set_dtype_policy("float32")
    assert logits.dtype == "float16"
    np.testing.assert_allclose(logits, expected, atol=0.02 * expected.std())


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"heads": 3}, "multiple of the heads"),
        ({"depth": 0}, "depth = 0"),
        ({"patch": [4]}, "patch = \\[4\\]"),
        ({"stride": [0, 2]}, "stride = \\[0, 2\\]"),
        ({"patch": [21, 4]}, "the input is 20 x 20; it must be at least one patch, 21 x 4"),
        ({"grid": [8, 99]}, "must be those of the input's patches, 9"),
        ({"grid": [9, 0]}, "whole numbers above 0"),
        ({"patchout_rows": 9}, "patchout_rows = 9"),
        ({"patchout_columns": -1}, "patchout_columns = -1"),
        ({"patchout_rows": 8, "patchout_tokens": 9}, "patchout_tokens = 9; it must be at least 0 and below 9"),
        ({"grid": [9, 4], "patchout_columns": 4}, "below 4, all columns"),
        ({"drop_path": 1.0}, "drop_path = 1.0"),
        ({"layer_scale": -1.0}, "layer_scale = -1.0"),
    ],
)
def test_settings_out_of_range_are_refused(changed, message):
    with pytest.raises(UserError, match=message):
        passt.build((20, 20, 1), 3, **(SMALL | changed))


def _of(golden, frames):
    classes, settings = from_torch.guess(passt, golden)
    network = passt.build((128, frames, 1), classes, **settings)
    from_torch.load(network, golden, passt.torch_name, HEAD_DIST)
    return network
