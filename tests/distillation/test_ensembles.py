import numpy as np
import pytest
import tensorflow as tf

from asc_tf.distillation import ensembles
from asc_tf.errors import UserError
from asc_tf.recipe import resolve as recipe
from asc_tf.runs import folder as run_folder


def drawn(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def bea(members):
    """The jku2024 authors' code as it is described: a list of K (batch, classes) logits."""
    mu = sum(members) / len(members)
    kappa = sum(((z - z.mean(0)) ** 2).sum(0) / (len(z) - 1) for z in members) / len(members)
    return mu + kappa / len(members)


def apart(logits):
    """The list of K (batch, classes) of (batch, K, classes)."""
    return list(np.moveaxis(logits, 1, 0))


def test_by_hand():
    # two clips, two members, one class: the first says 0 and 2 (variance 2), the second 1 twice (variance 0)
    logits = np.array([[[0.0], [1.0]], [[2.0], [1.0]]])
    np.testing.assert_allclose(ensembles.mean(logits), [[0.5], [1.5]], atol=1e-12)
    np.testing.assert_allclose(ensembles.bayesian(logits), [[0.5 + 1 / 2], [1.5 + 1 / 2]], atol=1e-12)
    np.testing.assert_allclose(ensembles.von_mises(logits), [[0.5], [1.5]], atol=1e-12)
    np.testing.assert_allclose(ensembles.weighted(logits, [2, -1], [10]), [[9.0], [13.0]], atol=1e-12)


def test_bayesian_is_the_public_code():
    logits = drawn(7, 3, 10)
    np.testing.assert_allclose(ensembles.bayesian(logits), bea(apart(logits)), atol=1e-12)
    in_graph = tf.function(ensembles.bayesian)(tf.constant(logits, tf.float32))
    np.testing.assert_allclose(in_graph, bea(apart(logits)), atol=1e-6)


def test_von_mises_is_the_mean_even_of_a_member_that_says_nothing():
    logits = drawn(7, 4, 10)
    logits[2, 1] = 0
    np.testing.assert_allclose(ensembles.von_mises(logits), logits.mean(1), atol=1e-12)


def test_voices_of_mixed_clips_merge_as_the_clips_they_come_from():
    """Each voice holds every clip of the batch once, in another order."""
    logits, pairs = drawn(6, 3, 4), np.array([3, 0, 5, 1, 2, 4])
    one = np.asarray(ensembles.bayesian(logits))
    voices = ensembles.bayesian(np.stack([logits, logits[pairs]], axis=1))
    np.testing.assert_allclose(voices, np.stack([one, one[pairs]], axis=1), atol=1e-12)


def test_the_variance_of_one_clip_is_refused():
    with pytest.raises(UserError, match="at least 2 clips"):
        ensembles.bayesian(drawn(1, 3, 10))


def test_jku2024_s2_is_the_mean_of_two_terms_not_of_four():
    """S2: the mean of [the Bayesian ensemble of three CP-ResNets, PaSST]."""
    logits = drawn(8, 4, 10)
    resnets, passt = apart(logits)[:3], logits[:, 3]
    found = ensembles.combine(logits, (("bayesian", 3), ("apart", 1)), "mean")
    np.testing.assert_allclose(found, (bea(resnets) + passt) / 2, atol=1e-12)


def test_runs_left_apart_are_members_of_their_own():
    logits = drawn(8, 4, 10)
    groups = (("apart", 3), ("mean", 1))
    np.testing.assert_allclose(ensembles.combine(logits, groups, "mean"), logits.mean(1), atol=1e-12)
    fit = {"alpha": [0.1, 0.2, 0.3, 0.4], "beta": np.arange(10.0)}
    expected = sum(a * z for a, z in zip(fit["alpha"], apart(logits), strict=True)) + fit["beta"]
    np.testing.assert_allclose(ensembles.combine(logits, groups, "weighted", fit), expected, atol=1e-12)


ALPHA, BETA = np.array([1.5, 0.0, -0.5]), np.array([1.0, -0.5, 0.0, -0.5])


def clips_of_known_weights(seed):
    """Logits of three members and labels drawn from the softmax of ALPHA, BETA over them."""
    logits = drawn(40_000, 3, 4, seed=seed)
    sums = np.einsum("k,nkc->nc", ALPHA, logits) + BETA
    gumbel = np.random.default_rng([seed, 1]).gumbel(size=sums.shape)
    return logits, (sums + gumbel).argmax(1)


def log_loss(logits, labels):
    return np.mean(np.logaddexp.reduce(logits, axis=1) - logits[np.arange(len(labels)), labels])


def test_the_fit_finds_the_weights_that_made_the_labels_and_helps_on_other_clips():
    logits, labels = clips_of_known_weights(1)
    fit = ensembles.fit_weights(logits.astype(np.float16), labels)
    # Standard errors of such a regression on n clips are about 2 / sqrt(n) = 0.01.
    np.testing.assert_allclose(fit["alpha"], ALPHA, atol=0.04)
    np.testing.assert_allclose(fit["beta"], BETA, atol=0.04)
    assert sum(fit["beta"]) == pytest.approx(0, abs=1e-9)
    others, truth = clips_of_known_weights(2)
    after = log_loss(np.asarray(ensembles.weighted(others, fit["alpha"], fit["beta"])), truth)
    assert after < log_loss(others.mean(1), truth) - 0.1
    assert fit["log_loss"]["mean"] == pytest.approx(log_loss(logits.mean(1), labels), abs=1e-3)
    assert fit["log_loss"]["weighted"] == pytest.approx(after, abs=0.02)


def test_members_that_are_always_right_get_finite_weights():
    labels = np.arange(30) % 3
    fit = ensembles.fit_weights(np.eye(3)[labels][:, None] * 5, labels)
    assert np.isfinite(fit["alpha"] + fit["beta"]).all() and fit["log_loss"]["weighted"] < 1e-3


TEACHERS = 'teacher=[{recipe="one",runs=2},{recipe="other",runs=3,ensemble="%s"}]'


def test_members_are_named_and_whether_they_need_the_batch_is_known(tmp_path):
    folded = recipe.load("quickstart", [TEACHERS % "von_mises"])
    assert ensembles.names(folded) == ["one 1", "one 2", "other"]
    assert ensembles.groups(folded) == (("apart", 2), ("von_mises", 3))
    assert not ensembles.depends_on_batch(folded)
    run = run_folder.RunFolder(tmp_path, recipe.load("quickstart", [TEACHERS % "bayesian"]))
    assert ensembles.depends_on_batch(run.recipe)
    logits = drawn(6, 5, 4)
    one = ensembles.merge_in_batch(run)({"teacher": logits, "label": 1})
    expected = sum([logits[:, 0], logits[:, 1], bea(apart(logits)[2:])]) / 3
    np.testing.assert_allclose(one["teacher"], expected, atol=1e-12)
    plain = {"teacher": logits}
    assert ensembles.merge_in_batch(run_folder.RunFolder(tmp_path, folded))(plain) is plain
