import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from asc_tf.distillation import soft_targets, terms

FORMS = {"textbook": "textbook", "cpjku2023": "cpjku"}  # ours: the golden's


@pytest.fixture(scope="module")
def golden(shared):
    return np.load(shared / "golden/math_kd.npz")


def logits(golden):
    return [tf.constant(golden[f"{who}_logits"]) for who in ("student", "teacher")]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("temperature", [1.0, 2.0, 4.0])
def test_equals_the_originals_and_so_do_the_gradients(golden, temperature, form):
    student, teacher = logits(golden)
    labels = tf.one_hot(golden["labels"], 10, dtype=tf.float64)
    distance = ops.mean(soft_targets.loss(student, teacher, temperature=temperature, form=form))
    assert float(distance) == pytest.approx(float(golden[f"T{temperature:g}/kd_{FORMS[form]}"]), abs=1e-12)
    assert float(ops.mean(soft_targets.label_loss(student, labels))) == pytest.approx(float(golden["ce"]), abs=1e-12)
    for label_weight in (0.02, 0.5):
        weights = {"label": label_weight, "teacher": 1 - label_weight}
        with tf.GradientTape() as tape:
            tape.watch(student)
            targets = {"label": labels, "teacher": teacher}
            found = terms.total({"logits": student}, targets, weights, temperature=temperature, form=form)
            total = ops.mean(found["loss"])
        key = f"T{temperature:g}_lam{label_weight:g}/{FORMS[form]}"
        assert float(total) == pytest.approx(float(golden[f"{key}/total"]), abs=1e-12)
        np.testing.assert_allclose(tape.gradient(total, student), golden[f"{key}/grad_student_logits"], atol=1e-12)


def test_x50_is_fifty_times_the_mean_over_all_elements(golden):
    student, teacher = logits(golden)
    distance = float(ops.mean(soft_targets.loss(student, teacher, temperature=4.0, form="mean_kl_x50")))
    assert distance == pytest.approx(50 / 4**2 * float(golden["T4/kd_cpjku"]), abs=1e-12)
    softened = [np.exp(z / 3) / np.exp(z / 3).sum(1, keepdims=True) for z in (student.numpy(), teacher.numpy())]
    expected = 50 * np.mean(softened[1] * (np.log(softened[1]) - np.log(softened[0])))
    assert float(ops.mean(soft_targets.loss(student, teacher, temperature=3.0, form="mean_kl_x50"))) == pytest.approx(
        expected, abs=1e-12
    )


def test_binary_is_the_cross_entropy_of_every_class_by_itself():
    student, teacher = np.array([[1.0, -2.0, 0.5]]), np.array([[3.0, -1.0, 0.0]])
    p, q = (1 / (1 + np.exp(-z / 2)) for z in (student, teacher))
    expected = -np.mean(q * np.log(p) + (1 - q) * np.log(1 - p))
    distance = soft_targets.loss(*map(ops.convert_to_tensor, (student, teacher)), temperature=2.0, form="binary")
    assert distance.shape == (1,) and float(distance[0]) == pytest.approx(expected, abs=1e-6)


def test_the_weights_of_cpjku_in_terms_of_the_textbook():
    # sheet: "With lambda = .02, tau = 2: weights .02 on CE and .98 * 4 / 10 = .392 on batch-mean KL"
    assert 0.98 * soft_targets.factor("cpjku2023", 2.0, 10) == pytest.approx(0.392)


def test_equal_logits_cost_nothing():
    logits = ops.convert_to_tensor([[1.0, -2.0, 3.0]])
    assert float(soft_targets.loss(logits, logits + 5.0, temperature=2.0)[0]) == pytest.approx(0.0, abs=1e-6)


def test_by_hand():
    # uniform teacher, student 3:1 at temperature 1: ln(1/2) - (ln(3/4) + ln(1/4)) / 2
    student, teacher = ops.log(ops.convert_to_tensor([[3.0, 1.0]])), ops.zeros((1, 2))
    expected = np.log(0.5) - (np.log(0.75) + np.log(0.25)) / 2
    assert float(soft_targets.loss(student, teacher, temperature=1.0)[0]) == pytest.approx(expected, abs=1e-6)


def test_several_classes_cost_the_mean_of_their_binary_cross_entropies():
    logits, labels = np.array([[0.0, np.log(3), -100, 100]]), np.array([[0.5, 1, 0, 0]])
    expected = (np.log(2) - np.log(0.75) + 0 + 100) / 4
    assert float(soft_targets.multi_label_loss(logits, labels)[0]) == pytest.approx(expected, abs=1e-6)
