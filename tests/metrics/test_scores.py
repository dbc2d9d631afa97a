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
    of_devices = [golden["device"] == name for name in golden["device_names"]]
    found = [metrics.summary(labels[clips], probabilities[clips])["accuracy"] for clips in of_devices]
    np.testing.assert_allclose(found, golden["device_accuracy"], atol=1e-12)


def test_hand_sums():
    labels = np.array([0, 0, 0, 1])
    probabilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.4, 0.6], [0.25, 0.75]])
    assert metrics.summary(labels, probabilities) == {
        "clips": 4,
        "accuracy": 0.75,
        "macro_accuracy": pytest.approx((2 / 3 + 1) / 2),
        "log_loss": pytest.approx(-np.log([0.9, 0.8, 0.4, 0.75]).mean()),
    }


def test_products_and_means_of_probabilities_by_hand():
    first, second = np.array([[0.5, 0.3, 0.2], [1.0, 0.0, 0.0]]), np.array([[0.2, 0.4, 0.4], [0.0, 1.0, 0.0]])
    products = np.array([0.10, 0.12, 0.08])
    fused = metrics.fuse([first, second], "prod")
    np.testing.assert_allclose(fused[0], products / products.sum(), atol=1e-12)
    np.testing.assert_allclose(fused[1], [0.5, 0.5, 0.0], atol=1e-12)  # certain of different classes: neither decides
    np.testing.assert_allclose(metrics.fuse([first, second], "mean"), [[0.35, 0.35, 0.3], [0.5, 0.5, 0]], atol=1e-12)


def test_products_of_many_small_probabilities_do_not_vanish():
    fused = metrics.fuse(np.full((200, 1, 2), [[0.3e-10, 0.7e-10]]), "prod")
    np.testing.assert_allclose(fused, [[1 / (1 + (7 / 3) ** 200), 1 / (1 + (3 / 7) ** 200)]], rtol=1e-9)


def test_a_class_without_clips_does_not_count():
    assert metrics.macro_accuracy(np.array([0, 0]), np.array([[0.9, 0.1], [0.2, 0.8]])) == 0.5


def test_a_wrong_certainty_costs_a_finite_loss():
    assert metrics.log_loss(np.array([1]), np.array([[1.0, 0.0]])) == pytest.approx(-np.log(1e-15))


def test_mean_by_file_keeps_the_order_of_files():
    first, means = metrics.mean_by_file(np.array(["b", "b", "a"]), np.array([[1.0, 0.0], [0.0, 1.0], [0.3, 0.7]]))
    np.testing.assert_array_equal(first, [0, 2])
    np.testing.assert_allclose(means, [[0.5, 0.5], [0.3, 0.7]])


SEVERAL = np.array([[1, 0, 1], [0, 0, 1], [1, 0, 0], [0, 1, 0]], bool)


def test_average_precision_is_the_hand_sum():
    # Ranked: yes, no, yes, no: thresholds give 1/1 and 2/3 at half of the recall each.
    of_first = metrics.average_precision(SEVERAL[:, :1], np.array([[0.9], [0.8], [0.7], [0.1]]))
    assert of_first == pytest.approx([(1 + 2 / 3) / 2])
    # The worst order puts both last: 1/3 and 2/4.
    assert metrics.average_precision(SEVERAL[:, :1], np.array([[0.1], [0.8], [0.2], [0.9]])) == pytest.approx(
        [(1 / 3 + 2 / 4) / 2]
    )


@pytest.mark.parametrize("order", [[0, 1, 2, 3], [3, 2, 1, 0], [1, 3, 0, 2]])
def test_clips_of_equal_probability_count_at_once_in_any_order(order):
    # One threshold holds all four clips, two of them right; then two thresholds: {yes, no} 1/2, {yes, no} 2/4.
    found = [
        metrics.average_precision(SEVERAL[order][:, :1], np.array(column)[order, None])
        for column in ([0.5] * 4, [0.6, 0.6, 0.4, 0.4])
    ]
    assert found == [pytest.approx([0.5]), pytest.approx([0.5 * 0.5 + 0.5 * 0.5])]


def test_figures_of_clips_with_several_classes():
    probabilities = np.array([[0.9, 0.2, 0.8], [0.2, 0.1, 0.3], [0.6, 0.2, 0.5], [0.3, 0.1, 0.1]])
    right = np.where(SEVERAL, probabilities, 1 - probabilities)
    assert metrics.summary(SEVERAL, probabilities) == {
        "clips": 4,
        # The second class: two clips before, then the threshold with the right one: 1/4.  The third: 1/1, then 2/3.
        "mean_average_precision": pytest.approx((1 + 1 / 4 + (1 + 2 / 3) / 2) / 3),
        "log_loss": pytest.approx(-np.log(right).mean()),
    }
    assert metrics.monitor(metrics.summary(SEVERAL, probabilities)) == "mean_average_precision"


def test_a_class_without_clips_has_no_average_precision():
    labels = np.array([[1, 0], [0, 0]], bool)
    probabilities = np.array([[0.9, 0.9], [0.1, 0.1]])
    assert np.isnan(metrics.by_class(labels, probabilities)[1])
    assert metrics.summary(labels, probabilities)["mean_average_precision"] == 1


def test_average_precision_equals_scikit_learn():
    rng = np.random.default_rng(0)
    labels, probabilities = rng.random((200, 5)) < 0.2, rng.random((200, 5)).round(1)  # many are equal
    # average_precision_score(labels, probabilities, average=None), scikit-learn 1.9.1.
    expected = [0.16429776675939706, 0.188867421594548, 0.2626142357443093, 0.19017308456633653, 0.21844686765992072]
    np.testing.assert_allclose(metrics.average_precision(labels, probabilities), expected, atol=1e-12)


def test_several_classes_get_a_sigmoid_each_at_any_size():
    found = metrics.probabilities(np.array([[0.0, np.log(3), -800, 800]], np.float32), multi_label=True)
    np.testing.assert_allclose(found, [[0.5, 0.75, 0, 1]], atol=1e-7)
    assert metrics.probabilities(np.zeros((1, 4)), multi_label=False).tolist() == [[0.25] * 4]
