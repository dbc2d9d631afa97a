import keras
import numpy as np
import pytest
from models import from_torch

from asc_tf.cost import measure
from asc_tf.errors import UserError
from asc_tf.models import ast

PUBLISHED = {"width": 768, "depth": 12, "heads": 12, "patch": [16, 16], "stride": [10, 10]}
SMALL = {"width": 8, "depth": 2, "heads": 2, "patch": [4, 4], "stride": [2, 2]}
UNUSED = ("v.head.", "v.head_dist.")
# Layer: module of the original.
INNER = {
    "v_tokens": "v.pos_drop",
    "v_blocks_0_norm1": "v.blocks.0.norm1",
    "v_blocks_0_attn_proj": "v.blocks.0.attn",
    "v_blocks_0_mlp_fc2": "v.blocks.0.mlp",
    "v_blocks_0": "v.blocks.0",
    "v_blocks_1": "v.blocks.1",
    "v_norm": "v.norm",
}


def test_equals_the_original(shared):
    golden = np.load(shared / "golden/model_ast_small.npz")
    network = _of(golden)
    layers = [network.get_layer(name).output for name in ("v_patch_embed_proj", *INNER)]
    logits, patches, *inner = keras.Model(network.input, [network.output, *layers])(_bands_first(golden["x"]))
    spread = golden["logits"].std()
    np.testing.assert_allclose(logits, golden["logits"], atol=1e-4 * spread)
    expected = golden["inter/v.patch_embed"].reshape(1, 12, 9, 192)
    np.testing.assert_allclose(patches[:1], expected, atol=1e-4 * spread)
    for output, module in zip(inner, INNER.values(), strict=True):
        np.testing.assert_allclose(output[:1], golden[f"inter/{module}"], atol=1e-4 * spread, err_msg=module)


def test_positions_of_a_longer_grid_are_cut_to_the_central_columns(shared):
    golden = np.load(shared / "golden/model_ast_small.npz")
    network = ast.build((128, 100, 1), 10, **(from_torch.guess(ast, golden).settings | {"grid": [12, 101]}))
    arrays = {f"sd/{key}": array for key, array in from_torch.state(golden, UNUSED).items()}
    positions = arrays["sd/v.pos_embed"]
    longer = np.random.default_rng(0).normal(size=(12, 101, 192))
    longer[:, 46:55] = positions[0, 2:].reshape(12, 9, 192)
    arrays["sd/v.pos_embed"] = np.concatenate([positions[0, :2], longer.reshape(-1, 192)])[None]
    from_torch.load(network, _Golden(arrays), ast.torch_name)
    expected = golden["logits"]
    np.testing.assert_allclose(network(_bands_first(golden["x"])), expected, atol=1e-4 * expected.std())


# sheets/ast.md, counted on the original, without and with v.head and v.head_dist, which nothing reads.
@pytest.mark.slow
@pytest.mark.parametrize(
    ("classes", "frames", "used", "all_of_the_original"),
    [(527, 1024, 86_594_063, 88_132_063), (10, 1024, 86_196_490, 87_734_490), (10, 100, 85_348_618, 86_886_618)],
)
def test_has_the_published_parameters(classes, frames, used, all_of_the_original):
    parameters = measure.measure(ast.build((128, frames, 1), classes, **PUBLISHED)).parameters
    assert parameters == used
    assert parameters + 2 * 1000 * (768 + 1) == all_of_the_original


# Public checkpoints: stride, grid; the last for one second of speech commands and five of ESC-50.
@pytest.mark.parametrize(
    ("stride", "grid"),
    [(10, [12, 101]), (12, [10, 85]), (14, [9, 73]), (16, [8, 64]), (10, [12, 12]), (10, [12, 50])],
)
@pytest.mark.parametrize(("width", "heads"), [(768, 12), (384, 6), (192, 3)])
def test_settings_of_the_published_checkpoints_are_inferred(stride, grid, width, heads):
    shapes = {
        "v.pos_embed": (1, 2 + grid[0] * grid[1], width),
        "v.patch_embed.proj.weight": (width, 1, 16, 16),
        "v.blocks.0.mlp.fc1.weight": (4 * width, width),
        "v.head.weight": (1000, width),
        "mlp_head.1.weight": (527, width),
    } | {f"v.blocks.{number}.norm1.weight": (width,) for number in range(12)}
    guessed = ast.guess(shapes)
    size = {"width": width, "heads": heads, "stride": [stride, stride], "grid": grid}
    assert guessed.classes == 527 and guessed.settings == PUBLISHED | size | {
        "pooling": "tokens", "drop_path": 0.0, "layer_scale": 0.0,
    }  # fmt: skip


def test_shapes_of_another_family_are_refused():
    with pytest.raises(LookupError):
        ast.guess({"blocks.0.norm1.weight": (768,)})
    with pytest.raises(ValueError, match="17 patches"):
        ast.guess({"v.pos_embed": (1, 19, 768)})


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"width": 9}, "width = 9, heads = 2"),
        ({"grid": [9]}, "grid = \\[9\\]"),
        ({"stride": [2, 0]}, "stride = \\[2, 0\\]"),
        ({"patch": [4, 21]}, "at least one patch, 4 x 21"),
    ],
)
def test_settings_out_of_range_are_refused(changed, message):
    with pytest.raises(UserError, match=message):
        ast.build((20, 20, 1), 3, **(SMALL | changed))


class _Golden(dict):
    files = property(list)


def _of(golden):
    classes, settings = from_torch.guess(ast, golden)
    network = ast.build((128, 100, 1), classes, **settings)
    from_torch.load(network, golden, ast.torch_name, UNUSED)
    return network


def _bands_first(x):
    """(batch, frames, bands) -> (batch, bands, frames, 1)."""
    return x.transpose(0, 2, 1)[..., None]
