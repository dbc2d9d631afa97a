import numpy as np
import pytest
from sklearn.calibration import calibration_curve

from asc_tf.metrics import calibration, softmax


def test_bins_and_expected_error_by_hand():
    probabilities = np.array([[0.95, 0.05], [0.91, 0.09], [0.6, 0.4], [0.3, 0.7]])
    bins = calibration.reliability(np.array([0, 1, 0, 1]), probabilities, bins=10)
    assert [one.count for one in bins] == [0, 0, 0, 0, 0, 1, 1, 0, 0, 2]  # 0.6 belongs to (0.5, 0.6]
    assert bins[9].confidence == pytest.approx(0.93) and bins[9].accuracy == 0.5
    assert calibration.expected_error(bins) == pytest.approx((0.4 + 0.3 + 2 * 0.43) / 4)


def test_equals_the_calibration_curve_of_scikit_learn():
    rng = np.random.default_rng(0)
    probabilities = softmax(2 * rng.standard_normal((500, 4)))
    labels = rng.integers(4, size=500)
    right = probabilities.argmax(1) == labels
    accuracy, confidence = calibration_curve(right, probabilities.max(1), n_bins=15)
    filled = [one for one in calibration.reliability(labels, probabilities) if one.count]
    np.testing.assert_allclose([one.accuracy for one in filled], accuracy)
    np.testing.assert_allclose([one.confidence for one in filled], confidence)


@pytest.mark.parametrize("true", [0.5, 1.0, 3.0])
def test_the_temperature_of_sampled_labels_is_found(true):
    rng = np.random.default_rng(0)
    logits = 3 * rng.standard_normal((20_000, 5))
    labels = (softmax(logits / true).cumsum(1) > rng.random((20_000, 1))).argmax(1)
    assert calibration.temperature(labels, softmax(logits)) == pytest.approx(true, rel=0.03)
