import pytest

from asc_tf.cost import measure
from asc_tf.errors import UserError
from asc_tf.models import residual_inception

DROPOUT = [0.10, 0.15, 0.20, 0.25, 0.30]


def test_has_the_parameters_of_the_design():
    # No published figure exists; this is the count of the design in its docstring, by hand for the first block:
    # BN 12, shortcut 3 x 32 + 32, kernels of 8 channels on 3 and then on 32 channels, two BN of 128.
    network = residual_inception.build((128, 128, 3), 10, width=32, embedding=64, dropout=DROPOUT)
    first = sum(layer.count_params() for layer in network.layers if layer.name.startswith("b1_"))
    kernels = [(channels * taps + 1) * 8 for channels in (3, 32) for taps in (1, 9, 4, 1)]
    assert first == 12 + 128 + sum(kernels) + 2 * 128
    assert (network.count_params(), measure.measure(network).parameters) == (554_430, 552_056)


def test_an_inception_concatenates_its_paths_in_order():
    network = residual_inception.build((16, 8, 1), 3, width=8, embedding=4, dropout=DROPOUT)
    concatenation = network.get_layer("b2_inception1")
    paths = _inputs(network, concatenation)
    kernels = {name.split("inception1_")[1]: network.get_layer(name).kernel.shape[:3] for name in paths}
    assert kernels == {"1x1": (1, 1, 8), "3x3": (3, 3, 8), "1x4": (1, 4, 8), "max_1x1": (1, 1, 8)}
    assert concatenation.output.shape == (None, 8, 4, 16)


def test_a_width_without_quarters_is_refused():
    with pytest.raises(UserError, match="width = 6; it must be a multiple of 4"):
        residual_inception.build((128, 128, 3), 10, width=6, embedding=64, dropout=DROPOUT)


def _inputs(network, layer):
    """Names of the layers whose outputs a layer reads, in order."""
    names = {id(other.output): other.name for other in network.layers}
    return [names[id(tensor)] for tensor in layer.input]
