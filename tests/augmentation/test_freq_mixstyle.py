import numpy as np
import pytest
import tensorflow as tf

from asc_tf.augmentation import _draws, freq_mixstyle


@pytest.mark.parametrize("case", ["small", "logmel"])
def test_equals_the_original(shared, case):
    golden = np.load(shared / "golden/math_freqmixstyle.npz")
    x, y = (np.moveaxis(golden[f"{case}/{name}"], 1, -1) for name in "xy")  # channels last
    share = np.reshape(golden[f"{case}/lambda"], (-1, 1, 1, 1))
    ours = freq_mixstyle.mix(tf.constant(x, tf.float64), tf.constant(golden[f"{case}/perm"]), tf.constant(share))
    np.testing.assert_allclose(ours, y, atol=1e-5 if case == "logmel" else 1e-12)


def test_a_share_of_1_changes_nothing():
    mel = tf.random.stateless_normal((4, 8, 5, 1), (0, 1))
    np.testing.assert_allclose(freq_mixstyle.mix(mel, tf.range(4)[::-1], tf.ones((4, 1, 1, 1))), mel, atol=1e-5)


def test_batches_are_mixed_in_a_share_of_p():
    mel = tf.random.stateless_normal((4, 8, 5, 1), (0, 1))
    seeds = [tf.constant([5, step]) for step in range(300)]
    changed = [
        np.abs(freq_mixstyle.apply({"mel": mel}, seed, p=0.4, alpha=0.4)["mel"] - mel).max() > 1e-3 for seed in seeds
    ]
    assert np.mean(changed) == pytest.approx(0.4, abs=0.08)


@pytest.mark.parametrize("alpha", [0.3, 2.0])
def test_shares_are_beta_distributed(alpha):
    draws = _draws.beta([20000], tf.constant([1, 2]), alpha).numpy()
    assert np.isfinite(draws).all() and draws.min() >= 0 and draws.max() <= 1
    assert draws.mean() == pytest.approx(0.5, abs=0.01)
    assert draws.var() == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.05)  # variance of Beta(alpha, alpha)
