import numpy as np
import pytest

from asc_tf.training import fit


def test_warms_up_linearly_and_falls_as_half_a_cosine():
    rate = fit.warmup_cosine(learning_rate=0.01, warmup_steps=100, steps=1100)
    assert float(rate(50)) == pytest.approx(0.005)
    assert float(rate(100)) == pytest.approx(0.01)
    assert float(rate(600)) == pytest.approx(0.005)
    assert float(rate(350)) == pytest.approx(0.01 * 0.5 * (1 + np.cos(np.pi / 4)))
    assert float(rate(1100)) == pytest.approx(0.0, abs=1e-9)


def test_without_warm_up_starts_at_the_peak():
    assert float(fit.warmup_cosine(learning_rate=0.01, warmup_steps=0, steps=100)(0)) == pytest.approx(0.01)


def test_a_warm_up_longer_than_the_training_is_cut_to_half():
    rate = fit.warmup_cosine(learning_rate=0.01, warmup_steps=2000, steps=100)
    assert float(rate(50)) == pytest.approx(0.01)
