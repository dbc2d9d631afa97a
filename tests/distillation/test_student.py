import keras
import numpy as np
import pytest

from asc_tf.distillation import soft_targets
from asc_tf.distillation.student import Student


def network():
    keras.utils.set_random_seed(0)
    inputs = keras.Input((8, 5, 1))
    return keras.Model(inputs, keras.layers.Dense(3)(keras.layers.Flatten()(inputs)))


def data(teacher=True):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 64)
    x = (rng.standard_normal((64, 8, 5, 1)) + labels[:, None, None, None]).astype("float32")
    y = {"label": np.eye(3, dtype="float32")[labels]}
    return x, y | ({"teacher": rng.standard_normal((64, 3)).astype("float32")} if teacher else {})


def fitted(student, x, y, epochs=1):
    student.compile(optimizer=keras.optimizers.Adam(0.0 if epochs == 1 else 0.03))
    return student.fit(x, y, batch_size=64, epochs=epochs, verbose=0).history


def test_the_logged_terms_are_the_hand_sum():
    x, y = data()
    student = Student(network(), temperature=2.0, label_weight=0.25)
    logits = student(x)
    history = fitted(student, x, y)
    label = float(np.mean(soft_targets.label_loss(logits, y["label"])))
    teacher = float(np.mean(soft_targets.loss(logits, y["teacher"], 2.0)))
    assert history["label_loss"][0] == pytest.approx(label, rel=1e-5)
    assert history["teacher_loss"][0] == pytest.approx(teacher, rel=1e-5)
    assert history["loss"][0] == pytest.approx(0.25 * label + 0.75 * teacher, rel=1e-5)


def test_without_a_teacher_it_learns_from_labels_alone():
    history = fitted(Student(network()), *data(teacher=False), epochs=20)
    assert history["loss"][0] == pytest.approx(history["label_loss"][0])
    assert history["accuracy"][-1] > 0.9 > history["accuracy"][0]
    assert "teacher_loss" not in history or not any(history["teacher_loss"])


def test_it_learns_the_teacher_when_labels_do_not_count():
    x, y = data()
    y["teacher"] = np.roll(y["label"], 1, axis=1) * 10  # a teacher that is always wrong
    student = Student(network(), temperature=1.0, label_weight=0.0)
    fitted(student, x, y, epochs=100)
    assert np.mean(np.argmax(student(x), 1) == np.argmax(y["teacher"], 1)) > 0.9


def test_clips_with_several_classes_are_learnt_class_by_class():
    x, y = data(teacher=False)
    y["label"] = np.maximum(y["label"], np.roll(y["label"], 1, axis=1))  # two of three
    history = fitted(Student(network(), multi_label=True), x, y, epochs=40)
    assert history["loss"][-1] < history["loss"][0] / 2 and "accuracy" not in history
