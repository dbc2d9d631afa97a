import keras
import numpy as np
import pytest
import tensorflow as tf
from models import from_torch

from asc_tf.cost import measure
from asc_tf.errors import UserError
from asc_tf.models import dymn

# The first block is not expanded: the original has an identity there.
IDENTITY = "inter/layers.0.exp_conv"


# sheets/mn_dymn.md: counted on the originals, trainable.
@pytest.mark.slow
@pytest.mark.parametrize(
    ("width", "classes", "parameters"),
    [(1.0, 10, 9_886_202), (1.0, 527, 10_548_479), (2.0, 10, 38_642_106)],
)
def test_has_as_many_parameters_as_the_originals(width, classes, parameters):
    network = dymn.build((128, 64, 1), classes, width=width, temperature=1.0)
    assert sum(np.prod(weight.shape, dtype=int) for weight in network.trainable_weights) == parameters
    assert measure.measure(network).parameters == parameters


@pytest.mark.slow
def test_equals_dymn04(shared):
    golden = np.load(shared / "golden/model_dymn04.npz")
    network = dymn.build((128, 100, 1), 10, width=0.4, temperature=30.0)
    from_torch.load(network, golden)
    x, logits = from_torch.channels_last(golden["x"]), golden["logits_temperature30"]
    np.testing.assert_allclose(network(x), logits, atol=1e-4 * np.ptp(logits))

    _begin_epoch(network, 29)  # the temperature is 1 then
    blocks = [key for key in golden.files if key.startswith("inter/") and key != IDENTITY]
    ends = [_end_of(network, key.removeprefix("inter/").replace(".", "_")) for key in blocks]
    inner = keras.Model(network.input, [network.output, network.get_layer("classifier_0").output, *ends])
    outputs = inner(x)
    np.testing.assert_allclose(outputs[0], golden["logits"], atol=1e-4 * np.ptp(golden["logits"]))
    np.testing.assert_allclose(outputs[1], golden["embedding"], atol=1e-4 * np.ptp(golden["embedding"]))
    assert len(blocks) == 36
    for key, output in zip(blocks, outputs[2:], strict=True):
        expected = golden[key] if key.endswith("context_gen") else from_torch.channels_last(golden[key])
        expected = expected.reshape(output[:1].shape)
        np.testing.assert_allclose(output[:1], expected, atol=1e-4 * np.ptp(expected), err_msg=key)


def test_the_blocks_without_squeeze_and_excitation_may_be_those_of_mn():
    network = dymn.build((64, 40, 1), 3, width=0.4, temperature=1.0, dynamic="replace_se")
    names = [layer.name for layer in network.layers]
    dynamic = [number for number in range(15) if f"layers_{number}_depth_act" in names]
    assert dynamic == [3, 4, 5, 10, 11, 12, 13, 14]
    assert all(f"layers_{number}_block_0_0" in names for number in (0, 1, 2, 6, 7, 8, 9))


def test_contexts_are_as_wide_as_the_originals():
    network = dymn.build((1, 1, 1), 3, width=1.0, temperature=1.0)
    sizes = [network.get_layer(f"layers_{number}_context_gen").output.shape[-1] for number in range(15)]
    assert sizes == [32] * 6 + [64, 48, 48, 48, 120, 128, 128, 128, 128]


@pytest.mark.slow
def test_every_trainable_weight_has_a_gradient():
    keras.utils.set_random_seed(0)
    network = dymn.build((9, 7, 1), 3, width=0.1, temperature=30.0)
    with tf.GradientTape() as tape:
        loss = keras.ops.sum(network(np.random.default_rng(0).normal(size=(4, 9, 7, 1)), training=True)[:, 0])
    gradients = tape.gradient(loss, [weight.value for weight in network.trainable_weights])
    without = [w.path for w, g in zip(network.trainable_weights, gradients, strict=True) if g is None or not np.any(g)]
    assert without == []


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"width": -1.0, "temperature": 30.0}, "width = -1.0"), ({"width": 1.0, "temperature": 0.5}, "at least 1")],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(UserError, match=message):
        dymn.build((128, 100, 1), 10, **settings)


def _begin_epoch(network, epoch):
    for layer in network.layers:
        if hasattr(layer, "begin_epoch"):
            layer.begin_epoch(epoch)


def _end_of(network, module):
    """The output of a layer, or of the last layer of a module whose parts have longer names."""
    names = [layer.name for layer in network.layers]
    last = [name for name in names if name.startswith(f"{module}_") and "context_gen" not in name][-1:]
    return network.get_layer(module if module in names else last[0]).output
