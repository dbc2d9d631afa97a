import keras
import numpy as np
import pytest

from asc_tf.cost import measure
from asc_tf.errors import UserError
from asc_tf.models import convnext

TINY = {"depths": [3, 3, 9, 3], "dims": [96, 192, 384, 768], "drop_path": 0.1}
SMALL = {"depths": [2, 1], "dims": [8, 16], "drop_path": 0.0}


# sheets/convnext.md: counted on the originals.
@pytest.mark.slow
@pytest.mark.parametrize(
    ("shape", "classes", "changed", "parameters"),
    [
        ((224, 224, 3), 1000, {}, 28_589_128),
        ((128, 100, 1), 527, {}, 28_222_319),
        ((128, 100, 1), 10, {}, 27_824_746),
        ((128, 100, 1), 10, {"depths": [3, 3, 27, 3]}, 49_459_306),
        ((128, 100, 1), 10, {"depths": [3, 3, 27, 3], "dims": [128, 256, 512, 1024]}, 87_572_618),
        ((224, 1001, 1), 527, {"bn0": True, **convnext.AUDIOSET}, 28_222_767),
    ],
)
def test_has_as_many_parameters_as_the_originals(shape, classes, changed, parameters):
    network = convnext.build(shape, classes, **(TINY | changed))
    assert sum(np.prod(weight.shape, dtype=int) for weight in network.trainable_weights) == parameters
    assert measure.measure(network).parameters == parameters


@pytest.mark.parametrize(
    ("shape", "changed", "shapes"),
    [
        ((128, 100, 1), {}, [(32, 25, 1), (16, 12, 2), (8, 6, 3), (4, 3, 4)]),
        # 252 x 56, as the published code names its stem for AudioSet.
        ((224, 1001, 1), convnext.AUDIOSET, [(252, 56, 1), (126, 28, 2), (63, 14, 3), (31, 7, 4)]),
    ],
)
def test_the_stages_have_the_published_shapes(shape, changed, shapes):
    network = convnext.build(shape, 3, depths=[1] * 4, dims=[1, 2, 3, 4], drop_path=0.0, **changed)
    assert [network.get_layer(f"stages_{stage}_0").output.shape[1:] for stage in range(4)] == shapes


def test_time_first_is_the_same_network_on_the_transposed_spectrogram():
    plain = convnext.build((20, 24, 1), 3, **SMALL)
    turned = convnext.build((24, 20, 1), 3, **SMALL, time_first=True)
    turned.set_weights(plain.get_weights())
    x = np.random.default_rng(0).normal(size=(2, 20, 24, 1)).astype("float32")
    np.testing.assert_array_equal(turned(x.swapaxes(1, 2)), plain(x))


def test_max_mean_is_the_maximum_plus_the_mean_over_the_frames_of_the_mean_over_the_bands():
    network = convnext.build((16, 24, 1), 3, **SMALL, pooling="max_mean", time_first=True)
    inner = keras.Model(network.input, [network.get_layer(name).output for name in ("stages_1_0_add", "max_mean")])
    x = np.random.default_rng(0).normal(size=(2, 16, 24, 1)).astype("float32")
    features, pooled = (output.numpy() for output in inner(x))
    means = features.mean(axis=2)  # (batch, frames, channels): the frames come first
    assert features.shape == (2, 3, 2, 16)
    np.testing.assert_allclose(pooled, means.max(axis=1) + means.mean(axis=1), atol=1e-6)


def test_bn0_normalises_every_band():
    network = convnext.build((8, 12, 1), 3, **SMALL, bn0=True)
    means = np.arange(8, dtype="float32")
    network.get_layer("bn0").set_weights([np.ones(8), np.zeros(8), means, np.full(8, 4.0)])
    x = np.random.default_rng(0).normal(size=(2, 8, 12, 1)).astype("float32")
    y = network.get_layer("bn0")(x)
    np.testing.assert_allclose(y, (x - means[:, None, None]) / np.sqrt(4 + 1e-5), atol=1e-6)
    assert network.layers[-1].name == "head_audioset"


def test_drop_path_leaves_out_whole_clips_more_often_from_block_to_block():
    network = convnext.build((32, 32, 1), 3, depths=[2, 2], dims=[4, 4], drop_path=0.3)
    names = [f"stages_{stage}_{number}_drop_path" for stage in (0, 1) for number in (0, 1)][1:]
    assert [network.get_layer(name).rate for name in names] == pytest.approx([0.1, 0.2, 0.3])
    dropped = np.array(network.get_layer(names[-1])(np.ones((1000, 2, 2, 4), "float32"), training=True))
    assert np.all(dropped == dropped[:, :1, :1, :1])
    assert set(np.unique(dropped[:, 0, 0, 0])) == {0.0, np.float32(1 / 0.7)}
    assert np.mean(dropped == 0) == pytest.approx(0.3, abs=0.05)


def test_every_block_starts_near_its_shortcut():
    network = convnext.build((8, 8, 1), 3, **SMALL)
    gamma = network.get_layer("stages_0_1").gamma
    assert gamma.name == "gamma"
    np.testing.assert_array_equal(gamma, np.full(8, 1e-6, "float32"))


def test_the_names_of_timm_are_refused():
    with pytest.raises(ValueError, match="timm"):
        convnext.guess({"stem.0.weight": (96, 3, 4, 4), "head.fc.weight": (1000, 768)})


@pytest.mark.parametrize(
    ("shape", "changed", "message"),
    [
        ((31, 100, 1), {}, "31 bands x 100 frames; it must be at least 32 bands x 32 frames"),
        ((224, 20, 1), {"stem_padding": 4}, "at least 32 bands x 24 frames"),
        ((128, 100, 1), {"dims": [96, 192, 384]}, "they must be as many numbers above 0"),
        ((128, 100, 1), {"drop_path": 1.0}, "drop_path = 1.0"),
        ((128, 100, 1), {"stem_padding": -1}, "stem_padding = -1"),
    ],
)
def test_settings_out_of_range_are_refused(shape, changed, message):
    with pytest.raises(UserError, match=message):
        convnext.build(shape, 10, **(TINY | changed))
