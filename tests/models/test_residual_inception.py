import pytest

from asc_tf.cost import measure as complexity
from asc_tf.errors import UserError
from asc_tf.models import residual_inception

DROPOUT = [0.10, 0.15, 0.20, 0.25, 0.30]


def test_the_teacher_is_the_one_we_designed():
    # No published figure exists; this is the count of the design in its docstring, by hand for the first block:
    # BN 12, shortcut 3 x 32 + 32, windows of 8 channels on 3 and then on 32 channels, two BN of 128.
    network = residual_inception.build((128, 128, 3), 10, width=32, embedding=64, dropout=DROPOUT)
    first = sum(layer.count_params() for layer in network.layers if layer.name.startswith("b1_"))
    windows = [(channels * taps + 1) * 8 for channels in (3, 32) for taps in (1, 9, 4, 1)]
    assert first == 12 + 128 + sum(windows) + 2 * 128
    assert (network.count_params(), complexity.measure(network).parameters) == (554_430, 552_056)


def test_an_inception_joins_its_windows_in_order():
    network = residual_inception.build((16, 8, 1), 3, width=8, embedding=4, dropout=DROPOUT)
    joined = network.get_layer("b2_inception1")
    kernels = {name.split("inception1_")[1]: network.get_layer(name).kernel.shape[:3] for name in _inputs(joined)}
    assert kernels == {"1x1": (1, 1, 8), "3x3": (3, 3, 8), "1x4": (1, 4, 8), "max_1x1": (1, 1, 8)}
    assert joined.output.shape == (None, 8, 4, 16)


def test_a_width_without_quarters_is_refused():
    with pytest.raises(UserError, match="width = 6; it must be a multiple of 4"):
        residual_inception.build((128, 128, 3), 10, width=6, embedding=64, dropout=DROPOUT)


def _inputs(layer):
    return [tensor._keras_history.operation.name for tensor in layer.input]
