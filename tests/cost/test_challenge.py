"""Parameters, bytes and MACs as the challenge counts them."""

import keras
import pytest

from asc_tf.cost import challenge
from asc_tf.models import cp_mobile
from asc_tf.models._mamba import ParallelMamba

JKU_2023 = {"width": 32, "growth": 2.3, "expansion": 3.0, "grn": True}
JKU_STRIDES = [[1, 1], [2, 2], [1, 1], [2, 1], [1, 1], [1, 1]]
BASELINE = {"width": 32, "growth": 1.8, "expansion": 2.1, "grn": False}
BASELINE_STRIDES = [[1, 1], [1, 1], [1, 2], [2, 1], [1, 1], [1, 1]]
RESPONSE_NORMS = [f"b{number}_grn" for number in range(1, 7)]


@pytest.mark.parametrize("foldable", [False, True])
def test_the_baseline_has_a_byte_a_parameter(foldable):
    network = cp_mobile.build((256, 65, 1), 10, strides=BASELINE_STRIDES, foldable=foldable, **BASELINE)
    assert challenge.count(network) == (61_148, 61_148, 29_419_156)


def test_six_response_norms_in_float_are_twelve_parameters_of_four_bytes():
    network = cp_mobile.build((256, 64, 1), 10, strides=JKU_STRIDES, **JKU_2023)
    assert challenge.float_parameters(network, RESPONSE_NORMS) == 12
    assert challenge.count(network, RESPONSE_NORMS) == (126_952, 126_952 + 3 * 12, 28_893_268)


def test_of_a_network_inside_another_and_called_twice_each_parameter_counts_once():
    inputs = keras.Input((4,))
    norm = keras.layers.BatchNormalization(name="norm")  # 8 parameters, 8 statistics
    inner = keras.Model(inputs, norm(norm(inputs)))
    outer = keras.Model(inputs, keras.layers.Dense(2, name="dense")(inner(inputs)))
    assert challenge.float_parameters(outer, ["norm", "no layer of it", "norm_sizes"]) == 8


@pytest.mark.parametrize(
    ("parts", "parameters"),
    [(["scan"], 24 * (1 + 6 + 1)), (["norm"], 2 * 12), (["norm", "norm_again"], 2 * 12 + 1), ([], 0)],
)
def test_parts_of_mamba_in_float(parts, parameters):
    inputs = keras.Input((5, 3, 12))
    mamba = ParallelMamba(branches=3, share=False, states=6, taps=3, expand=2, init="mamba", chunk=4, name="mixer")
    network = keras.Model(inputs, mamba(inputs))
    # Of the scan: a bias, 6 states and a shortcut for each of the 3 x 8 inner channels.
    assert challenge.float_parameters(network, [f"mixer_{part}" for part in parts]) == parameters


def test_the_limits_themselves_are_no_excess():
    assert challenge.over_limits(128_000, 30_000_000) == []
    assert challenge.over_limits(128_001, 30_000_001) == [
        "128,001 bytes of parameters are more than 128,000",
        "30,000,001 MACs are more than 30,000,000",
    ]
