"""The private parts of Keras that training on several replicas changes."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest

from asc_tf.training import _compat


def test_keras_has_the_private_part():
    assert hasattr(keras.Model, "_maybe_symbolic_build"), "keras.Model._maybe_symbolic_build is gone"


def test_its_absence_is_named():
    with pytest.raises(AttributeError, match="no _maybe_symbolic_build"):
        _compat.adapt_to_replicas(SimpleNamespace(), replicas=2, processes=1)


def test_every_replica_counts_for_its_share_and_results_have_an_axis():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile(optimizer="sgd", loss="mse")
    x, y = np.ones((4, 3), "float32"), np.zeros((4, 1), "float32")
    whole = float(model.compute_loss(x, y, model(x)))
    _compat.adapt_to_replicas(model, replicas=2, processes=2)
    assert float(model.compute_loss(x, y, model(x))) == pytest.approx(whole / 2)
    assert all(value.shape == (1,) for value in model.train_step((x, y)).values())


def test_an_optimizer_has_variable_indices():
    optimizer, variables = keras.optimizers.Adam(), [keras.Variable(1.0), keras.Variable(2.0)]
    assert hasattr(optimizer, "_get_variable_index"), "keras.Optimizer has no _get_variable_index any more"
    optimizer.build(variables)
    assert [_compat.variable_index(optimizer, variable.value) for variable in variables] == [0, 1]
