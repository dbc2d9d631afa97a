import keras
import numpy as np
import pytest
from models import from_torch

from asc_tf.cost import measure
from asc_tf.errors import UserError
from asc_tf.models import htsat

PUBLISHED = {
    "spec_size": 256, "width": 96, "depths": [2, 2, 6, 2], "heads": [4, 8, 16, 32], "window": 8, "patch": 4,
    "stride": 4, "drop_path": 0.1,
}  # fmt: skip
SMALL = PUBLISHED | {"spec_size": 32, "width": 4, "depths": [1, 2], "heads": [1, 2], "window": 2}
UNUSED = ("head.",)
# Layer: module of the original, whose maps are flat.
INNER = {
    "patch_embed_norm": "patch_embed",
    "layers_0_blocks_0": "layers.0.blocks.0",
    "layers_0_blocks_1": "layers.0.blocks.1",
    "layers_0_downsample_reduction": "layers.0.downsample",
    "layers_1_downsample_reduction": "layers.1",
    "layers_2_downsample_reduction": "layers.2",
    "layers_3_blocks_1": "layers.3",
    "norm": "norm",
}


@pytest.fixture
def golden(shared):
    return np.load(shared / "golden/model_htsat_small.npz")


def test_equals_the_original(golden):
    network = _of(golden, tile=False)
    layers = [network.get_layer(name).output for name in ("embedding", "bn0", "fold", "tscam_conv", *INNER)]
    outputs = keras.Model(network.input, [network.output, *layers])(_log_mel(golden))
    logits, embedding, normalised, folded, semantic, *inner = map(np.array, outputs)
    expected = golden["out/clipwise_output"][:1]
    _assert_near(logits, expected)
    _assert_near(embedding.mean(axis=(1, 2)), golden["out/latent_output"][:1])
    _assert_near(normalised, golden["inter/bn0"])
    _assert_near(folded, from_torch.channels_last(golden["image"][:1]))
    _assert_near(semantic, from_torch.channels_last(golden["inter/tscam_conv"]))
    for output, module in zip(inner, INNER.values(), strict=True):
        flat = golden[f"inter/{module}"]
        _assert_near(output.reshape(flat.shape), flat, module)


def test_equals_the_original_in_its_mode_of_inference(golden):
    network = _of(golden, tile=True)
    layers = [network.get_layer(name).output for name in ("fold", "embedding")]
    logits, folded, embedding = keras.Model(network.input, [network.output, *layers])(_log_mel(golden))
    _assert_near(logits, golden["out_infer_mode/clipwise_output"][:1])
    _assert_near(folded, from_torch.channels_last(golden["image_infer_mode_ex0"]))
    _assert_near(np.mean(embedding, axis=(1, 2)), golden["out_infer_mode/latent_output"][:1])


# sheets/swin_htsat.md, with the original's head, which nothing reads: classes * (classes + 1).
@pytest.mark.slow
@pytest.mark.parametrize(("classes", "parameters"), [(10, 27_580_688), (527, 30_241_687)])
def test_has_the_published_parameters(classes, parameters):
    network = htsat.build((64, 100, 1), classes, **PUBLISHED)
    assert measure.measure(network).parameters == parameters - classes * (classes + 1)


def test_bicubic_weights_are_torchs():
    # torch 2.13.0: interpolate(mode="bicubic", align_corners=True) of [0, 0, 1, 0, 0] to 9 points.
    expected = [0, 0.0, 0, -0.09375, 0, 0.59375, 1, 0.59375, 0, -0.09375, 0, 0, 0]
    matrix = htsat.bicubic_matrix(7, 13)
    np.testing.assert_allclose(matrix[:, 3], expected)
    np.testing.assert_allclose(matrix.sum(axis=1), np.ones(13), rtol=1e-6)
    np.testing.assert_array_equal(htsat.bicubic_matrix(5, 5), np.eye(5))
    # The ends are repeated: half way between the first two points.
    np.testing.assert_allclose(htsat.bicubic_matrix(4, 7)[1], [0.59375 - 0.09375, 0.59375, -0.09375, 0])


def test_tiling_repeats_the_clip_before_the_stretching():
    x = np.random.default_rng(0).normal(size=(2, 3, 9, 1)).astype("float32")
    tiled, plain = (htsat.BicubicResize(5, 32, tile=tile) for tile in (True, False))
    np.testing.assert_allclose(tiled(x), plain(np.concatenate([x] * 3, axis=2)), atol=1e-6)
    whole = htsat.BicubicResize(3, 18, tile=True)
    np.testing.assert_allclose(whole(x), np.concatenate([x, x], axis=2), atol=1e-6)


def test_chunks_lie_one_above_the_other_and_side_by_side_again_in_the_head():
    network = htsat.build((8, 128, 1), 3, **SMALL)  # 4 chunks of 32 frames
    fold = keras.Model(network.get_layer("resize").output, network.get_layer("fold").output)
    x = np.arange(8 * 128.0, dtype="float32").reshape(1, 8, 128, 1)
    expected = np.concatenate([x[0, :, 32 * chunk : 32 * chunk + 32] for chunk in range(4)])
    np.testing.assert_array_equal(fold(x)[0], expected)
    unfold = keras.Model(network.get_layer("norm").output, network.get_layer("embedding").output)
    folded = np.arange(4 * 4 * 8, dtype="float32").reshape(1, 4, 4, 8)
    np.testing.assert_array_equal(unfold(folded)[0, 0], np.concatenate(folded[0]))


def test_patches_may_overlap_and_a_small_map_is_one_window():
    network = htsat.build((16, 64, 1), 3, **(SMALL | {"patch": 6, "window": 8}))
    assert network.get_layer("patch_embed_proj").output.shape == (None, 8, 8, 4)
    tables = [network.get_layer(f"layers_{stage}_blocks_0_attn").weights[0].shape for stage in (0, 1)]
    assert tables == [(225, 1), (49, 2)]
    assert network.get_layer("layers_1_blocks_1_attn").shift == (0, 0)


def test_initial_weights_have_the_originals_distributions():
    keras.utils.set_random_seed(0)
    network = htsat.build((64, 100, 1), 10, **(PUBLISHED | {"depths": [1, 1], "heads": [4, 8]}))
    for layer in ("layers_0_blocks_0_attn_qkv", "layers_1_blocks_0_attn", "layers_0_downsample_reduction"):
        assert np.std(network.get_layer(layer).weights[0]) == pytest.approx(0.02, rel=0.05)
    kernel, bias = network.get_layer("patch_embed_proj").get_weights()  # torch: uniform within 1 / sqrt(16)
    assert np.abs(kernel).max() == pytest.approx(0.25, rel=0.01) and kernel.std() == pytest.approx(
        0.25 / 3**0.5, rel=0.05
    )
    assert 0.2 < np.abs(bias).max() <= 0.25


def test_settings_are_inferred():
    guessed = htsat.guess(_shapes(PUBLISHED, bands=64, classes=527))
    assert guessed.classes == 527 and guessed.settings == PUBLISHED | {"tile": True}
    base = PUBLISHED | {"width": 128, "depths": [2, 2, 12, 2]}
    assert htsat.guess(_shapes(base, bands=64, classes=527)).settings == base | {"tile": True}
    # The last map, 4 x 4, is smaller than the window.
    small = PUBLISHED | {"spec_size": 128, "width": 32}
    assert htsat.guess(_shapes(small, bands=64, classes=3)).settings == small | {"tile": True}


def test_shapes_of_another_family_are_refused():
    shapes = _shapes(PUBLISHED, bands=64, classes=10)
    with pytest.raises(LookupError):
        htsat.guess({key: shape for key, shape in shapes.items() if key != "bn0.weight"})
    with pytest.raises(ValueError, match="no spec_size"):
        htsat.guess(shapes | {"tscam_conv.weight": (10, 768, 7, 3)})
    with pytest.raises(ValueError, match="hidden layers"):
        htsat.guess(shapes | {"layers.0.blocks.0.mlp.fc1.weight": (192, 96)})


def test_float16_stays_near_float32(golden):
    keras.config.set_dtype_policy("mixed_float16")
    try:
        logits = _of(golden, tile=False)(_log_mel(golden))
    finally:
        keras.config.set_dtype_policy("float32")
    expected = golden["out/clipwise_output"][:1]
    np.testing.assert_allclose(logits, expected, atol=0.02 * expected.std())


@pytest.mark.parametrize(
    ("shape", "changed", "message"),
    [
        ((33, 8, 1), {}, "33 bands"),
        ((10, 8, 1), {}, "spec_size // bands = 3 must divide"),
        ((8, 129, 1), {}, "129 frames; there must be at most 128"),
        ((8, 32, 1), {"patch": 3}, "patch = 3, stride = 4"),
        ((8, 32, 1), {"patch": 5}, "patch = 5, stride = 4"),
        ((8, 32, 1), {"window": 3}, "must be whole windows of 3"),
        ((32, 32, 1), {"depths": [1] * 5, "heads": [1] * 5, "window": 1}, "must be whole windows of 1"),
        ((4, 32, 1), {}, "a multiple of the 8 chunks"),
        ((8, 32, 1), {"heads": [1]}, "one number above 0 for each stage"),
        ((8, 32, 1), {"heads": [3, 2]}, "heads = \\[3, 2\\]"),
        ((8, 32, 1), {"window": 0}, "window = 0"),
        ((8, 32, 1), {"drop_path": -0.1}, "drop_path = -0.1"),
    ],
)
def test_settings_out_of_range_are_refused(shape, changed, message):
    with pytest.raises(UserError, match=message):
        htsat.build(shape, 3, **(SMALL | changed))


def _of(golden, tile):
    classes, settings = from_torch.guess(htsat, golden)
    network = htsat.build((64, 101, 1), classes, **(settings | {"tile": tile}))
    from_torch.load(network, golden, unused=UNUSED)
    return network


def _log_mel(golden):
    return golden["inter/logmel_extractor"].transpose(0, 3, 2, 1)


def _assert_near(actual, expected, message=""):
    """Within 1e-4 of the range of what is expected."""
    np.testing.assert_allclose(actual, expected, atol=1e-4 * np.ptp(expected), err_msg=message)


def _shapes(settings, bands, classes):
    """Shapes of a state dict as far as they show the settings."""
    width, window, rows = settings["width"], settings["window"], settings["spec_size"] // settings["stride"]
    last, chunks = rows // 2 ** (len(settings["depths"]) - 1), settings["spec_size"] // bands
    shapes = {
        "bn0.weight": (bands,),
        "patch_embed.proj.weight": (width, 1, settings["patch"], settings["patch"]),
        "layers.0.blocks.0.mlp.fc1.weight": (4 * width, width),
        "tscam_conv.weight": (classes, 8 * width, last // chunks, 3),
    }
    for stage, (depth, heads) in enumerate(zip(settings["depths"], settings["heads"], strict=True)):
        size = 2 * min(window, rows // 2**stage) - 1
        for block in range(depth):
            shapes[f"layers.{stage}.blocks.{block}.norm1.weight"] = (width * 2**stage,)
            shapes[f"layers.{stage}.blocks.{block}.attn.relative_position_bias_table"] = (size**2, heads)
    return shapes
