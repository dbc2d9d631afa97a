import numpy as np
import pytest
import tensorflow as tf

from asc_tf.augmentation import _mixing, mixup, wave_mixup
from asc_tf.distillation import embedding, soft_targets, terms
from asc_tf.errors import UserError

SEED = tf.constant([0, 1])


def test_equals_the_original(shared):
    golden = np.load(shared / "golden/math_mixup.npz")
    pairs, share = tf.constant(golden["perm"]), tf.constant(golden["lam"])
    np.testing.assert_allclose(_mixing.mixed(tf.constant(golden["x"]), pairs, share), golden["x_mixed"], atol=1e-12)
    label = tf.one_hot(golden["labels"], 10, dtype=tf.float64)
    label = _mixing.mixed_targets({"label": label}, pairs, share)["label"]
    np.testing.assert_allclose(label, golden["y_mixed"], atol=1e-12)
    loss = soft_targets.label_loss(golden["logits"], label.numpy())
    np.testing.assert_allclose(loss, golden["loss_per_sample"], atol=1e-12)


def test_shares_are_the_larger_part_of_a_beta_draw():
    pairs, share = mixup.draw_pairs(20000, SEED, alpha=0.3, p=0.75)
    assert sorted(pairs.numpy()) == list(range(20000))
    mixed = share.numpy()[share < 1]
    assert len(mixed) / 20000 == pytest.approx(0.75, abs=0.03)  # a draw of Beta(0.3, 0.3) can be 1 itself
    draws = np.random.default_rng(0).beta(0.3, 0.3, 400000)
    assert mixed.min() >= 0.5 and mixed.mean() == pytest.approx(np.maximum(draws, 1 - draws).mean(), abs=0.01)


@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_the_teachers_losses_are_the_mixture_of_the_losses_however_often_clips_are_mixed(temperature):
    rng = np.random.default_rng(0)
    teacher, student, teacher_embedding, student_embedding = rng.standard_normal((4, 4, 10)) * 3
    batch = {
        "label": tf.eye(4, 10, dtype=tf.float64),
        "teacher": tf.constant(teacher),
        "embedding": tf.constant(teacher_embedding),
    }
    swap, turn = np.array([1, 0, 3, 2]), np.array([1, 2, 3, 0])
    first, second = rng.uniform(0.5, 1, (2, 4))
    once = _mixing.mixed_targets(batch, swap, tf.constant(first))
    twice = _mixing.mixed_targets(once, turn, tf.constant(second))
    weights = {"label": 0.0, "teacher": 0.3, "embedding": 0.7}

    def loss(rows):
        distances = (
            soft_targets.loss(student, teacher[rows], temperature=temperature),
            embedding.loss(student_embedding, teacher_embedding[rows], (10,)),
        )
        return 0.3 * distances[0].numpy() + 0.7 * distances[1].numpy()

    def mixed_loss(targets):
        outputs = {"logits": student, "embedding": student_embedding}
        return terms.total(outputs, targets, weights, temperature=temperature, embedding_sizes=(10,))["loss"]

    expected = first * loss(range(4)) + (1 - first) * loss(swap)
    np.testing.assert_allclose(mixed_loss(once), expected, atol=1e-12)
    other = first[turn] * loss(turn) + (1 - first[turn]) * loss(swap[turn])
    np.testing.assert_allclose(mixed_loss(twice), second * expected + (1 - second) * other, atol=1e-12)


def test_spectrogram_label_and_teacher_share_one_draw():
    mel = tf.reshape(tf.eye(6), (6, 6, 1, 1))
    out = mixup.apply({"mel": mel, "label": tf.eye(6), "teacher": tf.eye(6)}, SEED, alpha=1.0)
    np.testing.assert_allclose(out["mel"][:, :, 0, 0], out["label"], atol=1e-7)
    mixed = tf.reduce_sum(out["share"][:, :, None] * out["teacher"], 1)
    np.testing.assert_allclose(mixed, out["label"], atol=1e-7)


def test_waves_are_mixed_without_their_means_and_others_stay():
    wave = tf.random.stateless_uniform((40, 9), SEED)
    out = wave_mixup.apply({"wave": wave, "label": tf.eye(40)}, SEED, 32000, p=0.5, alpha=2.0)
    pairs, share = (x.numpy() for x in mixup.draw_pairs(40, SEED, alpha=2.0, p=0.5))
    centred = wave.numpy() - wave.numpy().mean(1, keepdims=True)
    expected = share[:, None] * centred + (1 - share[:, None]) * centred[pairs]
    expected[share == 1] = wave.numpy()[share == 1]
    assert 10 < (share == 1).sum() < 30
    np.testing.assert_allclose(out["wave"], expected, atol=1e-6)
    np.testing.assert_allclose(np.diag(out["label"]), np.where(pairs == np.arange(40), 1, share), atol=1e-6)


def test_settings_out_of_range_are_refused():
    batch = {"mel": tf.ones((2, 4, 3, 1)), "wave": tf.ones((2, 8)), "label": tf.eye(2)}
    with pytest.raises(UserError, match="mixup: alpha = 0.0 must be above 0"):
        mixup.apply(batch, SEED, alpha=0.0)
    with pytest.raises(UserError, match="wave_mixup: p = 2.0 must be from 0 to 1"):
        wave_mixup.apply(batch, SEED, 32000, p=2.0, alpha=1.0)
