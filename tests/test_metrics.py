import numpy as np
import pytest

from asc_tf import metrics


def test_equals_scikit_learn(shared):
    golden = np.load(shared / "golden/math_metrics.npz")
    labels, probabilities = golden["y_true"], golden["probabilities"]
    assert metrics.macro_accuracy(labels, probabilities) == pytest.approx(float(golden["macro_accuracy"]), abs=1e-12)
    assert metrics.log_loss(labels, probabilities) == pytest.approx(float(golden["log_loss"]), abs=1e-12)
    np.testing.assert_allclose(metrics.class_accuracy(labels, probabilities), golden["class_accuracy"], atol=1e-12)
    np.testing.assert_array_equal(metrics.confusion(labels, probabilities), golden["confusion_matrix_rows_true"])
    np.testing.assert_allclose(metrics.softmax(golden["logits"]), probabilities, atol=1e-12)
    devices = metrics.by_group(labels, probabilities, golden["device"])
    found = [devices[str(name)]["accuracy"] for name in golden["device_names"]]
    np.testing.assert_allclose(found, golden["device_accuracy"], atol=1e-12)


def test_hand_sums():
    labels = np.array([0, 0, 0, 1])
    probabilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.4, 0.6], [0.25, 0.75]])
    assert metrics.scores(labels, probabilities) == {
        "clips": 4,
        "accuracy": 0.75,
        "macro_accuracy": pytest.approx((2 / 3 + 1) / 2),
        "log_loss": pytest.approx(-np.log([0.9, 0.8, 0.4, 0.75]).mean()),
    }


def test_products_and_means_of_probabilities_by_hand():
    first, second = np.array([[0.5, 0.3, 0.2], [1.0, 0.0, 0.0]]), np.array([[0.2, 0.4, 0.4], [0.0, 1.0, 0.0]])
    products = np.array([0.10, 0.12, 0.08])
    fused = metrics.fused([first, second], "prod")
    np.testing.assert_allclose(fused[0], products / products.sum(), atol=1e-12)
    np.testing.assert_allclose(fused[1], [0.5, 0.5, 0.0], atol=1e-12)  # certain of different classes: neither decides
    np.testing.assert_allclose(metrics.fused([first, second], "mean"), [[0.35, 0.35, 0.3], [0.5, 0.5, 0]], atol=1e-12)


def test_products_of_many_small_probabilities_do_not_vanish():
    fused = metrics.fused(np.full((200, 1, 2), [[0.3e-10, 0.7e-10]]), "prod")
    np.testing.assert_allclose(fused, [[1 / (1 + (7 / 3) ** 200), 1 / (1 + (3 / 7) ** 200)]], rtol=1e-9)


def test_a_class_without_clips_does_not_count():
    assert metrics.macro_accuracy(np.array([0, 0]), np.array([[0.9, 0.1], [0.2, 0.8]])) == 0.5


def test_a_wrong_certainty_costs_a_finite_loss():
    assert metrics.log_loss(np.array([1]), np.array([[1.0, 0.0]])) == pytest.approx(-np.log(1e-15))


def test_mean_by_file_keeps_the_order_of_files():
    first, means = metrics.mean_by_file(np.array(["b", "b", "a"]), np.array([[1.0, 0.0], [0.0, 1.0], [0.3, 0.7]]))
    np.testing.assert_array_equal(first, [0, 2])
    np.testing.assert_allclose(means, [[0.5, 0.5], [0.3, 0.7]])
