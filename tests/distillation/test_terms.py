import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from asc_tf.distillation import hierarchy, soft_targets, terms
from asc_tf.recipe.schema import Distill, Hierarchy, Ramp

GROUPS = {"a": ["x", "z"], "b": ["y"]}
SIZES = (4, 6)
MEMBER = hierarchy.membership(GROUPS, ("x", "y", "z"))


@pytest.fixture
def everything():
    """float64 outputs and targets of five clips with two components each, with all terms there are."""
    rng = np.random.default_rng(0)
    outputs = {"logits": (5, 3), "group": (5, 2), "embedding": (5, sum(SIZES))}
    targets = {"teacher": (5, 2, 3), "embedding": (5, 2, sum(SIZES))}
    outputs, targets = ({key: tf.constant(rng.standard_normal(s)) for key, s in t.items()} for t in (outputs, targets))
    shares = {"label": rng.dirichlet([1, 1, 1], 5), "share": rng.dirichlet([1, 1], 5)}
    return outputs, targets | {key: tf.constant(value) for key, value in shares.items()}


SETTINGS = {"temperature": 2.0, "form": "cpjku2023", "membership": MEMBER, "embedding_sizes": SIZES}
WEIGHTS = {"label": 0.3, "group": 0.5, "teacher": 1.1, "embedding": 2.0}


def test_the_loss_is_the_weighted_sum_and_components_are_weighted_by_their_shares(everything):
    outputs, targets = everything
    found = terms.total(outputs, targets, WEIGHTS, **SETTINGS)
    label = soft_targets.label_loss(outputs["logits"], targets["label"])
    group = hierarchy.loss(ops.log_softmax(outputs["group"]), targets["label"], MEMBER)
    teacher = distance = 0
    for component in (0, 1):
        share = targets["share"][:, component]
        logits, embeddings = targets["teacher"][:, component], targets["embedding"][:, component]
        teacher += share * soft_targets.loss(outputs["logits"], logits, temperature=2.0, form="cpjku2023")
        for part in (slice(0, 4), slice(4, 10)):
            error = tf.reduce_mean((outputs["embedding"][:, part] - embeddings[:, part]) ** 2, axis=-1)
            distance += share * error / 2
    for name, expected in {"label": label, "group": group, "teacher": teacher, "embedding": distance}.items():
        np.testing.assert_allclose(found[name], expected, rtol=1e-12)
    expected = 0.3 * (label + 0.5 * group) + 1.1 * teacher + 2.0 * distance
    np.testing.assert_allclose(found["loss"], expected, rtol=1e-12)


@pytest.mark.parametrize("branches", ["one", "two"])
def test_gradients_are_the_slopes(everything, branches):
    outputs, targets = everything
    outputs = outputs if branches == "two" else {key: x for key, x in outputs.items() if key != "group"}
    loss = lambda outputs: tf.reduce_sum(terms.total(outputs, targets, WEIGHTS, **SETTINGS)["loss"])  # noqa: E731
    with tf.GradientTape() as tape:
        tape.watch(outputs)
        gradients = tape.gradient(loss(outputs), outputs)
    for key, x in outputs.items():
        step = np.zeros(x.shape)
        for place in ((0, 0), (4, 1)):
            step[:] = 0
            step[place] = 1e-6
            slope = (loss(outputs | {key: x + step}) - loss(outputs | {key: x - step})) / 2e-6
            assert float(gradients[key][place]) == pytest.approx(float(slope), abs=1e-8)


def test_a_clip_mixed_with_silence_of_the_other_is_itself(everything):
    outputs, targets = everything
    alone = {key: x[:, 0] if x.shape.rank == 3 else x for key, x in targets.items() if key != "share"}
    mixed = targets | {"share": tf.constant([[1.0, 0.0]] * 5, tf.float64)}
    for key, value in terms.total(outputs, alone, WEIGHTS, **SETTINGS).items():
        np.testing.assert_allclose(terms.total(outputs, mixed, WEIGHTS, **SETTINGS)[key], value, rtol=1e-12)


def test_only_terms_that_exist_are_made(everything):
    outputs, targets = everything
    alone = {"logits": outputs["logits"]}, {"label": targets["label"]}
    assert terms.total(*alone, terms.weights(0.0)).keys() == {"label", "loss"}


def test_weights_follow_the_epoch():
    ramp = Ramp(start=1.0, end=0.2, first_epoch=2, last_epoch=6)
    distill = Distill(temperature=1.0, label_weight=ramp, embedding_weight=3.0)
    found = terms.weights(4.0, distill, Hierarchy(groups="tau", branches="one", weight=ramp))
    expected = {"label": 0.6, "group": 0.6, "teacher": 0.4, "embedding": 3.0}
    assert {key: float(value) for key, value in found.items()} == pytest.approx(expected)
    assert terms.weights(4.0, Distill(temperature=1.0, label_weight=1.0, teacher_weight=1.0))["teacher"] == 1.0
    assert "teacher" not in terms.weights(4.0, Distill(temperature=1.0, label_weight=0.5, teacher_weight=0.0))


def test_a_ramp_is_a_line_between_two_epochs():
    ramp = Ramp(start=1.0, end=0.2, first_epoch=2, last_epoch=6)
    at = {epoch: float(terms.weight(epoch, ramp)) for epoch in (0, 2, 2.5, 4, 6, 99)}
    assert at == pytest.approx({0: 1.0, 2: 1.0, 2.5: 0.9, 4: 0.6, 6: 0.2, 99: 0.2})
    assert terms.weight(3, 0.7) == 0.7


def test_class_weights_multiply_the_parts_of_the_classes():
    logits = tf.math.log(tf.constant([[0.5, 0.25, 0.25], [0.5, 0.25, 0.25]]))
    labels = tf.constant([[0.0, 1.0, 0.0], [0.5, 0.5, 0.0]])
    targets = {"label": labels, "class_weights": tf.constant([[0.5, 2.0, 1.0]] * 2), "teacher": logits}
    values = terms.total({"logits": logits}, targets, {"label": 0.25, "teacher": 0.75})
    expected = [2 * np.log(4), 0.25 * np.log(2) + np.log(4)]
    np.testing.assert_allclose(values["label"], expected, rtol=1e-6)
    np.testing.assert_allclose(values["loss"], np.multiply(0.25, expected), rtol=1e-6)  # the teacher agrees: 0
