import keras
import numpy as np
import pytest
from models import from_torch

from asc_tf.cost import measure
from asc_tf.errors import UserError
from asc_tf.models import tf_sepnet

PUBLISHED = {"width": 64, "depth": 17, "kernel": 3, "norm_factor": 0.1, "dropout": 0.1}
OTHER = PUBLISHED | {"width": 40, "depth": 16, "kernel": 5}


# sheets/tf_sepnet.md: the submission's complexity.json, and the original's other sizes.
@pytest.mark.slow
@pytest.mark.parametrize(
    ("shape", "width", "rule", "parameters", "macs"),
    [
        ((512, 64, 1), 64, "T", 126_858, 29_419_648),
        ((512, 64, 1), 64, "F", 124_138, 30_573_856),
        ((512, 65, 1), 64, "T", 126_858, 30_740_608),
        ((256, 64, 1), 64, "T", 126_858, 14_782_944),
        ((512, 64, 1), 40, "T", 52_290, 12_898_720),
        ((256, 64, 1), 40, "T", 52_290, 6_478_560),
        ((512, 64, 1), 48, "T", 73_546, 17_673_872),
        ((512, 64, 1), 80, "T", 194_570, 44_092_720),
    ],
)
def test_costs_what_the_original_costs(shape, width, rule, parameters, macs):
    network = tf_sepnet.build(shape, 10, **PUBLISHED | {"width": width})
    assert measure.measure(network, rule) == (parameters, macs)


def test_costs_what_another_size_of_the_original_costs():
    assert measure.measure(tf_sepnet.build((100, 54, 1), 7, **OTHER)) == (53_307, 2_456_626)


@pytest.mark.parametrize(
    ("file", "shape", "classes", "settings", "inner"),
    [
        ("real_tf_sepnet25", (512, 64, 1), 10, PUBLISHED, 10),
        ("model_tf_sepnet_othersize", (100, 54, 1), 7, OTHER, 8),
    ],
)
def test_equals_the_original(shared, file, shape, classes, settings, inner):
    golden = np.load(shared / f"golden/{file}.npz")
    network = tf_sepnet.build(shape, classes, **settings)
    from_torch.load(network, golden)
    x, keys = from_torch.channels_last(golden["x"]), [key for key in golden.files if key.startswith("inter/")]
    np.testing.assert_allclose(network(x), golden["logits"], rtol=0, atol=1e-4 * golden["logits"].std())
    assert len(keys) == inner
    outputs = keras.Model(network.input, [network.get_layer(_layer(key)).output for key in keys])(x[:1])
    for key, output in zip(keys, outputs, strict=True):
        expected = from_torch.channels_last(golden[key])
        output = output[..., : expected.shape[-1]]  # some have the first 16 channels only
        np.testing.assert_allclose(output, expected, rtol=0, atol=1e-4 * expected.std(), err_msg=key)


def _layer(key):
    """The layer that ends an original's module."""
    name = key.split("/")[1].replace(".", "_")
    return f"{name}__relu" if name.startswith("conv_layers") else name


@pytest.mark.parametrize(
    ("file", "classes", "settings"),
    [("real_tf_sepnet25", 10, PUBLISHED), ("model_tf_sepnet_othersize", 7, OTHER)],
)
def test_settings_are_guessed_from_the_shapes(shared, file, classes, settings):
    golden = np.load(shared / f"golden/{file}.npz")
    shapes = {key.removeprefix("sd/"): golden[key].shape for key in golden.files if key.startswith("sd/")}
    assert tf_sepnet.SIGNATURE in shapes
    assert tf_sepnet.guess(shapes) == (classes, settings | {"norm": "resnorm"})
    adaptive = tf_sepnet.guess(shapes | {"middle_layers.0._rho": (1, 128, 1, 1)}).settings
    assert (adaptive["norm"], adaptive["norm_factor"]) == ("adaresnorm", 0.5)
    del shapes["classifier.conv.weight"]
    with pytest.raises(LookupError):
        tf_sepnet.guess(shapes)


def test_adaptive_norms_have_three_weights_a_channel():
    plain = tf_sepnet.build((29, 29, 1), 3, **PUBLISHED | {"width": 8})
    adaptive = tf_sepnet.build((29, 29, 1), 3, **PUBLISHED | {"width": 8, "norm": "adaresnorm", "norm_factor": 0.5})
    more = measure.measure(adaptive).parameters - measure.measure(plain).parameters
    assert more == 3 * (16 + 8 + 12 + 16 + 20)
    rho, gamma, beta = adaptive.get_layer("middle_layers_0").get_weights()
    assert (rho.shape, set(rho.flat), set(gamma.flat), set(beta.flat)) == ((1, 16, 1, 1), {0.5}, {1}, {0})


def test_starts_as_pytorch_does():
    keras.utils.set_random_seed(0)
    network = tf_sepnet.build((29, 29, 1), 3, **PUBLISHED)
    bounds = {"conv_layers_0__conv": 9, "conv_layers_1__conv": 9, "middle_layers_1_freq_dw_conv__conv": 3}
    bounds |= {"middle_layers_5_trans_conv__conv": 64, "classifier_conv": 160}
    for name, inputs in bounds.items():
        largest = np.abs(network.get_layer(name).get_weights()[0]).max()
        assert 0.9 < largest * inputs**0.5 < 1.0, name


@pytest.mark.parametrize(
    ("shape", "settings", "message"),
    [
        ((512, 64, 1), {"width": 50}, "width = 50; it must be a multiple of 4"),
        ((512, 64, 1), {"depth": 18}, "depth = 18; it must be 16 or 17"),
        ((512, 64, 1), {"kernel": 4}, "kernel = 4; it must be odd"),
        ((512, 64, 1), {"dropout": 1.0}, "dropout from 0 to below 1"),
        ((512, 64, 1), {"norm_factor": -0.1}, "norm_factor must be at least 0"),
        ((28, 64, 1), {}, "28 bands x 64 frames; both must be at least 29"),
        ((64, 12, 1), {"depth": 16}, "64 bands x 12 frames; both must be at least 13"),
    ],
)
def test_settings_out_of_range_are_refused(shape, settings, message):
    with pytest.raises(UserError, match=message):
        tf_sepnet.build(shape, 10, **PUBLISHED | settings)


@pytest.mark.parametrize(("size", "depth"), [(29, 17), (13, 16)])
def test_the_smallest_inputs_are_enough(size, depth):
    network = tf_sepnet.build((size, size, 1), 3, **PUBLISHED | {"width": 8, "depth": depth})
    assert network.get_layer(f"middle_layers_{depth - 1}").output.shape[1:3] == (1, 1)
