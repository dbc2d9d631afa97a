import numpy as np
import pytest

from asc_tf import schedules
from asc_tf.recipe.schema import Ramp


def test_warms_up_linearly_and_falls_as_half_a_cosine():
    rate = schedules.warmup_cosine(learning_rate=0.01, warmup_steps=100, steps=1100)
    assert float(rate(50)) == pytest.approx(0.005)
    assert float(rate(100)) == pytest.approx(0.01)
    assert float(rate(600)) == pytest.approx(0.005)
    assert float(rate(350)) == pytest.approx(0.01 * 0.5 * (1 + np.cos(np.pi / 4)))
    assert float(rate(1100)) == pytest.approx(0.0, abs=1e-9)


def test_without_warm_up_starts_at_the_peak():
    assert float(schedules.warmup_cosine(learning_rate=0.01, warmup_steps=0, steps=100)(0)) == pytest.approx(0.01)


def test_a_warm_up_longer_than_the_training_is_cut_to_half():
    rate = schedules.warmup_cosine(learning_rate=0.01, warmup_steps=2000, steps=100)
    assert float(rate(50)) == pytest.approx(0.01)


def test_the_kernel_temperature_falls_by_one_an_epoch_to_one():
    # The originals' max(30 - e, 1 + 0.02 x 29 - 0.02 e, 1) in epochs 0, 1, 28, 29, 60.
    expected = [max(30 - epoch, 1.58 - 0.02 * epoch, 1) for epoch in (0, 1, 28, 29, 60)]
    assert [schedules.kernel_temperature(epoch, start=30.0) for epoch in (0, 1, 28, 29, 60)] == pytest.approx(expected)
    assert expected == [30, 29, 2, 1, 1]
    assert schedules.kernel_temperature(0, start=1.0) == 1


def test_a_ramp_is_a_line_between_two_epochs():
    ramp = Ramp(start=1.0, end=0.2, first_epoch=2, last_epoch=6)
    at = {epoch: float(schedules.weight(epoch, ramp)) for epoch in (0, 2, 2.5, 4, 6, 99)}
    assert at == pytest.approx({0: 1.0, 2: 1.0, 2.5: 0.9, 4: 0.6, 6: 0.2, 99: 0.2})
    assert schedules.weight(3, 0.7) == 0.7
