"""Settings inferred from the shapes of a checkpoint's tensors."""

import functools
import re

import numpy as np
import pytest

from asc_tf.checkpoints import to_keras
from asc_tf.models import _blocks, convnext, cp_mobile, cp_resnet, dymn, efficientnet_psla, mobilenet_audio

PAIRS = [[1, 1]] * 7
SHORT = {"width": 32, "strides": PAIRS[:6]}
# (model, settings, settings that the guess must have; {}: those that were built).
CASES = [
    (cp_mobile, {**SHORT, "growth": 1.8, "expansion": 2.1, "grn": False}, {}),
    (cp_mobile, {**SHORT, "growth": 1.8, "expansion": 1.9, "grn": True}, {}),
    (cp_mobile, {**SHORT, "growth": 2.3, "expansion": 3.0, "grn": True}, {}),
    (cp_mobile, {**SHORT, "width": 24, "growth": 1.55, "expansion": 4.0, "grn": False}, {"growth": 1.5}),
    (cp_mobile, {**SHORT, "growth": 2.0, "expansion": 2.0, "grn": True, "strides": PAIRS, "blocks": [2, 3, 2]}, {}),
    (
        cp_mobile,
        {**SHORT, "growth": 1.8, "expansion": 2.1, "grn": True, "strides": PAIRS, "blocks": [7]},
        {"growth": 2.0, "expansion": 2.0},
    ),
    (cp_mobile, {**SHORT, "growth": 1.8, "expansion": 2.1, "grn": False, "blocks": [1, 1, 2, 2]}, {}),
    (cp_resnet, {"width": 32, "rho": 8, "size": "small", "left_out": 36}, {}),
    (cp_resnet, {"width": 48, "rho": 7, "size": "small", "left_out": 0}, {"rho": 5}),
    (cp_resnet, {"width": 16, "rho": 1, "size": "small", "left_out": 4}, {}),
    (cp_resnet, {"width": 16, "rho": 7, "size": "large", "left_out": 0}, {}),
    (mobilenet_audio, {"width": 0.4, "head": "mlp"}, {}),
    (mobilenet_audio, {"width": 0.35, "head": "fully_convolutional"}, {}),
    (mobilenet_audio, {"width": 1.0, "head": "mlp"}, {}),
    (convnext, {"depths": [3, 1, 2], "dims": [8, 12, 20], "drop_path": 0.0, "bn0": False}, {}),
    (convnext, {"depths": [1, 2], "dims": [8, 4], "drop_path": 0.1, "bn0": True}, convnext.AUDIOSET),
    (dymn, {"width": 0.4, "temperature": 1.0, "head": "mlp", "dynamic": "all"}, {}),
    (dymn, {"width": 0.25, "temperature": 30.0, "head": "mlp", "dynamic": "replace_se"}, {"temperature": 1.0}),
    (efficientnet_psla, {"size": "b0", "heads": 4, "cla": "linear", "drop_connect": 0.0}, {"cla": "sigmoid"}),
    (efficientnet_psla, {"size": "b1", "heads": 1, "cla": "sigmoid", "drop_connect": 0.2}, {}),
    (efficientnet_psla, {"size": "b2", "heads": 0, "cla": "sigmoid", "drop_connect": 0.2}, {}),
]


@pytest.mark.slow
@pytest.mark.parametrize(("model", "settings", "other"), CASES)
def test_a_network_of_the_guess_has_the_same_shapes(model, settings, other):
    shapes = shapes_of(model, settings, 7)
    assert model.SIGNATURE in shapes
    classes, guessed = model.guess(shapes)
    assert classes == 7
    seen = {key: value for key, value in (settings | other).items() if key not in model.ASSUMED}
    assert {key: guessed[key] for key in seen | other} == seen | other
    assert shapes_of(model, guessed, classes) == shapes


def shapes_of(model, settings, classes):
    """Shape of every tensor of a network's state dict."""
    network = model.build((64, 40, 1), classes, **settings)
    name = functools.partial(model.torch_name, **settings) if hasattr(model, "torch_name") else dotted
    pairs = to_keras.match(network, {}, name).missing
    return {pair.key: to_keras.torch_shape(pair.layer, pair.weight) for pair in pairs}


def dotted(layer):
    """The module of a layer: a "_" beside a number or before the name of a part is a dot."""
    return re.sub(r"(?<=\d)_|(?<=effnet)_|_(?=\d|residuals|coef_net|joint_|conv_[ft]$|att(?:_|$)|cla)", ".", layer)


def test_the_guess_for_the_winners_checkpoint_is_their_network(shared):
    golden = np.load(shared / "golden/real_cpmobile23_state_logits.npz")
    shapes = {key.removeprefix("sd/"): golden[key].shape for key in golden.files if key.startswith("sd/")}
    strides = [[1, 1], [2, 2], [1, 1], [2, 1], [1, 1], [1, 1]]
    settings = {"width": 32, "growth": 2.3, "expansion": 3.0, "grn": True, "blocks": [3, 2, 1], "strides": strides}
    assert cp_mobile.guess(shapes) == (10, settings)


@pytest.mark.parametrize(
    ("file", "model", "settings"),
    [
        ("model_cpmobile24", cp_mobile, {"width": 32, "growth": 1.8, "expansion": 2.1, "grn": False}),
        ("model_cpresnet", cp_resnet, {"width": 32, "rho": 8, "size": "small", "left_out": 36}),
        ("model_mn04", mobilenet_audio, {"width": 0.4, "head": "mlp"}),
        ("model_dymn04", dymn, {"width": 0.4, "temperature": 1.0, "head": "mlp", "dynamic": "all"}),
    ],
)
def test_the_guess_for_the_originals_is_their_network(shared, file, model, settings):
    golden = np.load(shared / f"golden/{file}.npz")
    shapes = {key.removeprefix("sd/"): golden[key].shape for key in golden.files if key.startswith("sd/")}
    assert model.SIGNATURE in shapes
    classes, guessed = model.guess(shapes)
    assert classes == 10 and settings.items() <= guessed.items()


@pytest.mark.parametrize("model", [convnext, cp_mobile, cp_resnet, dymn, efficientnet_psla, mobilenet_audio])
def test_a_checkpoint_of_something_else_raises(model):
    with pytest.raises((LookupError, ValueError)):
        model.guess({"fc.weight": (10, 3)})


def test_the_plainest_factor_has_the_fewest_decimals_and_is_near_a_published_one():
    def channels(factor):
        return [_blocks.make_divisible(100 * factor)]

    assert _blocks.plainest_factor(channels, [104], [2.0]) == 1.0  # 1.00 to 1.07
    assert _blocks.plainest_factor(channels, [152], [1.9]) == 1.5  # 1.48 to 1.55
    assert _blocks.plainest_factor(channels, [168], [1.65]) == 1.7  # 1.64 to 1.71
    with pytest.raises(ValueError, match="no factor"):
        _blocks.plainest_factor(channels, [150], [1.5])
