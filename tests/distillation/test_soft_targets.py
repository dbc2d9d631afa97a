import numpy as np
import pytest
from keras import ops

from asc_tf.distillation import soft_targets


@pytest.mark.parametrize("temperature", [1, 2, 4])
def test_equals_the_textbook_form(shared, temperature):
    golden = np.load(shared / "golden/math_kd.npz")
    student, teacher = (ops.convert_to_tensor(golden[f"{who}_logits"], "float64") for who in ("student", "teacher"))
    loss = soft_targets.loss(student, teacher, float(temperature))
    assert float(ops.mean(loss)) == pytest.approx(float(golden[f"T{temperature}/kd_textbook"]), abs=1e-12)
    labels = ops.one_hot(golden["labels"], 10, dtype="float64")
    assert float(ops.mean(soft_targets.label_loss(student, labels))) == pytest.approx(float(golden["ce"]), abs=1e-12)
    terms = soft_targets.total(
        student, {"label": labels, "teacher": teacher}, temperature=temperature, label_weight=0.02
    )
    total = float(golden[f"T{temperature}_lam0.02/textbook/total"])
    assert float(ops.mean(terms["loss"])) == pytest.approx(total, abs=1e-12)


def test_equal_logits_cost_nothing():
    logits = ops.convert_to_tensor([[1.0, -2.0, 3.0]])
    assert float(soft_targets.loss(logits, logits + 5.0, 2.0)[0]) == pytest.approx(0.0, abs=1e-6)


def test_by_hand():
    # uniform teacher, student 3:1 at temperature 1: ln(1/2) - (ln(3/4) + ln(1/4)) / 2
    student, teacher = ops.log(ops.convert_to_tensor([[3.0, 1.0]])), ops.zeros((1, 2))
    expected = np.log(0.5) - (np.log(0.75) + np.log(0.25)) / 2
    assert float(soft_targets.loss(student, teacher, 1.0)[0]) == pytest.approx(expected, abs=1e-6)


def test_voices_of_a_mixed_clip_count_by_their_shares():
    # uniform student: against a uniform teacher 0, against 3:1 ln 2 - entropy; a quarter of the clip is the latter
    student, teacher = ops.zeros((1, 2)), ops.log(ops.convert_to_tensor([[[1.0, 1.0], [3.0, 1.0]]]))
    targets = {"label": ops.ones((1, 2)) / 2, "teacher": teacher, "share": ops.convert_to_tensor([[0.75, 0.25]])}
    terms = soft_targets.total(student, targets, temperature=1.0, label_weight=0.5)
    expected = 0.25 * (np.log(2) + 0.75 * np.log(0.75) + 0.25 * np.log(0.25))
    assert float(terms["teacher"][0]) == pytest.approx(expected, abs=1e-6)
    assert float(terms["loss"][0]) == pytest.approx(0.5 * np.log(2) + 0.5 * expected, abs=1e-6)


def test_several_classes_cost_the_mean_of_their_binary_cross_entropies():
    logits, labels = np.array([[0.0, np.log(3), -100, 100]]), np.array([[0.5, 1, 0, 0]])
    expected = (np.log(2) - np.log(0.75) + 0 + 100) / 4
    assert float(soft_targets.multi_label_loss(logits, labels)[0]) == pytest.approx(expected, abs=1e-6)
