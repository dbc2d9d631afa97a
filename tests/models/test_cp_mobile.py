import keras
import numpy as np
import pytest
from models import from_torch

from asc_tf.cost import measure
from asc_tf.errors import UserError
from asc_tf.models import cp_mobile

BASELINE = {
    "width": 32,
    "growth": 1.8,
    "expansion": 2.1,
    "strides": [[1, 1], [1, 1], [1, 2], [2, 1], [1, 1], [1, 1]],
    "grn": False,
}
JKU2023 = {
    "width": 32,
    "growth": 2.3,
    "expansion": 3.0,
    "strides": [[1, 1], [2, 2], [1, 1], [2, 1], [1, 1], [1, 1]],
    "grn": True,
}


@pytest.mark.parametrize("foldable", [False, True])
def test_equals_the_2024_baseline(shared, foldable):
    golden = np.load(shared / "golden/model_cpmobile24.npz")
    network = cp_mobile.build((256, 65, 1), 10, **BASELINE, foldable=foldable)
    from_torch.load(network, golden, from_torch.cp_mobile_name)
    x = from_torch.channels_last(golden["x"])
    np.testing.assert_allclose(network(x), golden["logits"], atol=1e-4)

    names = {"stem2_relu": "in_c.1", "b3_relu": "stages.s1.b3", "b6_relu": "stages.s3.b6"}
    inner = keras.Model(network.input, [network.get_layer(name).output for name in names])
    for output, name in zip(inner(x[:1]), names.values(), strict=True):
        np.testing.assert_allclose(output, from_torch.channels_last(golden[f"inter/{name}"]), atol=1e-4)


def test_equals_the_2024_baseline_on_shorter_clips(shared):
    golden = np.load(shared / "golden/model_cpmobile24.npz")
    network = cp_mobile.build((256, 44, 1), 10, **BASELINE)
    from_torch.load(network, golden, from_torch.cp_mobile_name)
    x = from_torch.channels_last(golden["x"])[:, :, :44]
    np.testing.assert_allclose(network(x), golden["logits_first44frames"], atol=1e-4)


def test_equals_cp_mobile_of_2023_with_random_weights(shared):
    golden = np.load(shared / "golden/model_cpmobile23_random.npz")
    network = cp_mobile.build((256, 64, 1), 10, **JKU2023)
    from_torch.load(network, golden, from_torch.cp_mobile_name)
    np.testing.assert_allclose(network(from_torch.channels_last(golden["x"])), golden["logits"], atol=1e-4)


def test_the_published_checkpoint_classifies_real_recordings_as_published(shared):
    golden = np.load(shared / "golden/real_cpmobile23_state_logits.npz")
    network = cp_mobile.build((256, 64, 1), 10, **JKU2023)
    from_torch.load(network, golden, from_torch.cp_mobile_name)
    x = from_torch.channels_last(np.load(shared / "golden/real_cpmobile23_logmel.npz")["x"])
    logits = network(x).numpy()
    np.testing.assert_allclose(logits, golden["logits"], atol=1e-4)
    assert np.sum(logits.argmax(axis=1) == golden["labels"]) == golden["correct_per_recording"].sum() == 35


def test_both_forms_of_unequal_strides_compute_the_same():
    plain, foldable = (_small(foldable=form) for form in (False, True))
    assert [weight.path for weight in plain.weights] == [weight.path for weight in foldable.weights]
    rng = np.random.default_rng(0)
    foldable.set_weights([rng.uniform(0.1, 1, weight.shape) for weight in plain.weights])
    plain.set_weights(foldable.get_weights())
    x = rng.normal(size=(2, 31, 18, 1)).astype("float32")
    np.testing.assert_allclose(plain(x), foldable(x), rtol=1e-5)


def test_the_form_that_is_not_foldable_normalises_after_the_subsampling():
    names = [layer.name for layer in _small(foldable=False).layers]
    assert names.index("b3_depthwise_stride") < names.index("b3_depthwise_bn")
    names = [layer.name for layer in _small(foldable=True).layers]
    assert names.index("b3_depthwise_stride") > names.index("b3_depthwise_bn")


def test_has_the_parameters_of_the_network_pretrained_on_audioset():
    assert measure.measure(cp_mobile.build((256, 65, 1), 527, **BASELINE)).parameters == 115_950


# sheets/cp_mobile.md: 2024's channels and strides, then 2023's.
@pytest.mark.parametrize(
    ("settings", "frames", "shapes"),
    [
        (BASELINE, 65, [(64, 17, 32), (64, 17, 32), (64, 9, 32), (32, 9, 56), (32, 9, 56), (32, 9, 104)]),
        (JKU2023, 64, [(64, 16, 32), (32, 8, 32), (32, 8, 32), (16, 8, 72), (16, 8, 72), (16, 8, 168)]),
    ],
)
def test_the_blocks_have_the_published_shapes(settings, frames, shapes):
    network = cp_mobile.build((256, frames, 1), 10, **settings)
    assert [network.get_layer(f"b{number}_relu").output.shape[1:] for number in range(1, 7)] == shapes


@pytest.mark.slow
def test_learns():
    keras.utils.set_random_seed(0)
    network = _small(grn=True)
    x, y = np.random.default_rng(0).normal(size=(16, 31, 18, 1)).astype("float32"), np.arange(16) % 4
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    network.compile(optimizer=keras.optimizers.Adam(1e-2), loss=loss, run_eagerly=True)  # quicker for 6 steps
    losses = network.fit(x, y, epochs=6, batch_size=16, verbose=0).history["loss"]
    assert losses[-1] < 0.7 * losses[0]


def test_initial_kernels_have_torchs_distribution():
    keras.utils.set_random_seed(0)
    network = cp_mobile.build((64, 33, 1), 10, **JKU2023)
    # kaiming_normal_(fan_out): 2 / (168 outputs) for a 1 x 1, 2 / (9 x 216 channels) for a depthwise kernel.
    for name, expected in (("b6_project", (2 / 168) ** 0.5), ("b6_depthwise", (2 / (9 * 216)) ** 0.5)):
        kernel = network.get_layer(name).get_weights()[0]
        assert kernel.std() == pytest.approx(expected, rel=0.05)
        assert np.abs(kernel).max() > 2.2 * expected  # a normal distribution that is not truncated


def test_the_blocks_of_other_stages_have_the_originals_names():
    network = cp_mobile.build((64, 33, 1), 3, **(BASELINE | {"strides": [[1, 1]] * 7}), blocks=[2, 3, 2])
    widths = [network.get_layer(f"b{number}_relu").output.shape[-1] for number in range(1, 8)]
    assert widths == [32, 32, 56, 56, 56, 104, 104]
    names = [cp_mobile.torch_name(f"b{number}_expand", blocks=[2, 3, 2]) for number in (2, 3, 5, 6)]
    assert names == [f"stages.s{part}.block.0.0" for part in ("1.b2", "2.b3", "2.b5", "3.b6")]
    assert cp_mobile.torch_name("b12_grn", blocks=[12]) == "stages.s1.b12.after_block_norm"


def test_every_layer_is_named_and_logits_come_last():
    network = _small()
    assert all(layer.name.startswith(("spectrogram", "stem", "b", "head", "logits")) for layer in network.layers)
    assert network.layers[-1].name == "logits"
    assert network.output_shape == (None, 4)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"width": 30}, "width = 30"),
        ({"growth": 0.0}, "growth = 0.0"),
        ({"strides": [[1, 1]] * 5}, "6 pairs"),
        ({"strides": [[1, 1]] * 5 + [[1, 3]]}, "6 pairs"),
        ({"strides": [[1, 1]] * 5 + [[1]]}, "6 pairs"),
        ({"blocks": [2, 3, 2]}, "7 pairs"),
        ({"blocks": [3, 0]}, "blocks = [3, 0]"),
    ],
)
def test_settings_out_of_range_are_refused(changed, message):
    with pytest.raises(UserError, match=message.replace("[", "\\[")):
        cp_mobile.build((64, 33, 1), 10, **(BASELINE | changed))


@pytest.mark.parametrize(
    ("shape", "classes"), [((256, 65), 10), ((0, 65, 1), 10), ((256, None, 1), 10), ((9, 9, 1), 0)]
)
def test_impossible_inputs_are_refused(shape, classes):
    with pytest.raises(UserError, match="must be"):
        cp_mobile.build(shape, classes, **BASELINE)


def _small(grn=False, foldable=False):
    return cp_mobile.build((31, 18, 1), 4, **(BASELINE | {"width": 8, "grn": grn}), foldable=foldable)
