import math

import keras
import numpy as np
import pytest
from models import from_torch

from asc_tf.cost import measure
from asc_tf.errors import UserError
from asc_tf.models import cp_resnet


def test_equals_the_128k_network(shared):
    golden = np.load(shared / "golden/model_cpresnet.npz")
    network = cp_resnet.build((256, 43, 1), 10, width=32, rho=8)
    from_torch.load(network, golden, from_torch.cp_resnet_name)
    x = from_torch.channels_last(golden["x"])
    np.testing.assert_allclose(network(x), golden["logits"], atol=1e-4)

    names = {"b2_pool": "stage1.maxpool2_2", "b3_relu": "stage2.block1", "b4_relu": "stage3.block1"}
    inner = keras.Model(network.input, [network.get_layer(name).output for name in names])
    for output, name in zip(inner(x[:1]), names.values(), strict=True):
        np.testing.assert_allclose(output, from_torch.channels_last(golden[f"inter/{name}"]), atol=1e-4)


def test_layers_are_named_after_the_originals_modules():
    assert cp_resnet.torch_name("b3_shortcut_bn", width=32, rho=8) == "stage2.block1.shortcut.bn"
    assert cp_resnet.torch_name("b12_conv2", width=128, rho=7, size="large") == "stage3.block4.conv2"


# sheets/cp_resnet.md: (k1, k2) of stages 2 and 3 for the published receptive fields.
@pytest.mark.parametrize(
    ("rho", "kernels"), [(4, (3, 1, 1, 1)), (5, (3, 3, 1, 1)), (7, (3, 3, 1, 1)), (8, (3, 3, 3, 1))]
)
def test_rho_decides_the_kernels(rho, kernels):
    network = cp_resnet.build((64, 43, 1), 10, width=32, rho=rho)
    names = ("b3_conv1", "b3_conv2", "b4_conv1", "b4_conv2")
    assert tuple(network.get_layer(name).kernel_size[0] for name in names) == kernels


# Table 2 of the report of 2023: S1, S2 and S3, S4, counted after fusion: weights and one bias a channel.
# S2's MACs are printed as 21.4M, which no reading of its text gives; S4's text narrows the wrong convolution.
@pytest.mark.parametrize(
    ("rho", "cost"), [(8, (127_046, 29_056_324)), (5, (79_942, 21_990_724)), (4, (63_558, 19_533_124))]
)
def test_has_the_cost_of_the_students_of_2023(rho, cost):
    network = cp_resnet.build((256, 44, 1), 10, width=32, rho=rho)
    convolutions = [layer for layer in network.layers if isinstance(layer, keras.layers.Conv2D)]
    parameters = [math.prod(layer.kernel.shape) + layer.filters for layer in convolutions]
    positions = [math.prod(layer.output.shape[1:3]) for layer in convolutions]
    assert (sum(parameters), sum(map(math.prod, zip(parameters, positions, strict=True)))) == cost


def test_the_last_stage_may_be_narrower_or_not():
    networks = [cp_resnet.build((64, 43, 1), 10, width=32, rho=8, left_out=left_out) for left_out in (None, 36, 0, 60)]
    assert [network.get_layer("b4_relu").output.shape[-1] for network in networks] == [92, 92, 128, 68]


def test_has_the_cost_and_kernels_of_the_large_network():
    network = cp_resnet.build((256, 44, 1), 10, width=128, rho=7, size="large")
    # Counted on the code of the paper on device impulse responses: 3,956,628 and 5.44 G.
    assert measure.measure(network) == (3_956_628, 5_437_772_948)
    kernels = [tuple(network.get_layer(f"b{n}_conv{c}").kernel_size[0] for c in (1, 2)) for n in range(1, 13)]
    assert kernels == [(3, 1)] + [(3, 3)] * 3 + [(3, 1)] + [(1, 1)] * 7
    assert network.get_layer("b2_relu").output.shape == (None, 63, 21, 128)


@pytest.mark.slow
def test_starts_with_logits_of_zero_and_learns():
    keras.utils.set_random_seed(0)
    network = cp_resnet.build((32, 16, 1), 4, width=10, rho=8)
    x, y = np.random.default_rng(0).normal(size=(16, 32, 16, 1)).astype("float32"), np.arange(16) % 4
    assert np.all(network.predict(x, verbose=0) == 0)
    network.compile(
        optimizer=keras.optimizers.Adam(1e-2), loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    )
    losses = network.fit(x, y, epochs=12, batch_size=16, verbose=0).history["loss"]
    assert losses[0] == pytest.approx(np.log(4), abs=1e-5)
    assert losses[-1] < 0.5 * losses[0]


def test_initial_kernels_have_the_stds_of_fixup():
    keras.utils.set_random_seed(0)
    network = cp_resnet.build((64, 43, 1), 10, width=32, rho=8)
    # 4 blocks: sqrt(2 / (9 x 92)) / sqrt(4); the shortcut's is sqrt(2 / 92); the stem's fan_in is 25.
    for name, expected in (
        ("b4_conv1", (2 / (9 * 92)) ** 0.5 / 2),
        ("b4_shortcut", (2 / 92) ** 0.5),
        ("stem", (2 / 25) ** 0.5),
    ):
        assert network.get_layer(name).get_weights()[0].std() == pytest.approx(expected, rel=0.06)
    assert not np.any(network.get_layer("b4_conv2").get_weights()[0])


@pytest.mark.parametrize(
    ("shape", "settings", "message"),
    [
        ((16, 43, 1), {}, "need 17 bands x 5 frames"),
        ((64, 4, 1), {}, "need 17 bands x 5 frames"),
        ((64, 2, 1), {"size": "large"}, "need 5 bands x 3 frames"),
        ((64, 43, 1), {"width": 8}, "width = 8; it must be even and from 10"),
        ((64, 43, 1), {"width": 33}, "width = 33"),
        ((64, 43, 1), {"left_out": -1}, "left_out = -1"),
        ((64, 43, 1), {"left_out": 128}, "width = 32; it must be even and from 33"),
        ((64, 43, 1), {"rho": 0}, "rho = 0; it must be 1 to 9"),
        ((64, 43, 1), {"rho": 23, "size": "large"}, "rho = 23; it must be 1 to 22"),
    ],
)
def test_settings_out_of_range_are_refused(shape, settings, message):
    with pytest.raises(UserError, match=message):
        cp_resnet.build(shape, 10, **({"width": 32, "rho": 8} | settings))


@pytest.mark.parametrize(("shape", "size"), [((17, 5, 1), "small"), ((5, 3, 1), "large")])
def test_the_smallest_input_is_built(shape, size):
    assert cp_resnet.build(shape, 3, width=10, rho=4, size=size).output_shape == (None, 3)
