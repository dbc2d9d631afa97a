"""How do several teachers become one?

Logits are (batch, members, classes), or (batch, voices, members, classes) of mixed clips; the axis of the members goes.
Source: "mean": the systems of 2023 and later. "bayesian": the public code of an author of jku2024, named there after
        the averaging of face embeddings of a CVPR 2023 paper; "von_mises": the rule of that paper, derived from a
        summary, for its text was not at hand. "weighted": the fusion of twelve teachers by a weight each and an
        offset a class, printed without how they were found; here they are fitted.
Size:   one teacher costs the loss what one teacher costs; members left apart are merged in every step.
"""

import functools
import json

import numpy as np
import scipy.optimize
from keras import ops

from asc_tf.errors import UserError

FIT = "ensemble.json"


def mean(logits):
    """The arithmetic mean of the members' logits."""
    return ops.mean(logits, axis=-2)


def bayesian(logits):
    """mean_k z_k + kappa / K, kappa = mean_k of the unbiased variance of z_k over the batch, one value a class.

    So the public code computes it; nothing is drawn: classes over which members spread over the batch are lifted
    by an offset that depends on who else is in it. The batch is that of the process: of several workers each takes
    the variance of its own part. Raises UserError for a batch of one clip, which has no variance.
    """
    if logits.shape[0] == 1:
        raise UserError('ensemble = "bayesian" takes the variance over the batch; train on at least 2 clips a worker.')
    clips = ops.cast(ops.shape(logits)[0], logits.dtype)
    variance = ops.var(logits, axis=0) * clips / (clips - 1)
    return mean(logits) + mean(variance) / logits.shape[-2]


def von_mises(logits):
    """The natural parameter of the von Mises-Fisher density that the members' own merge into.

    Member k has the direction z_k / |z_k| and the concentration |z_k|; the merged one is the mean of the directions
    weighted by the concentrations. On logits the two cancel: it is the mean, up to rounding.
    """
    concentration = ops.norm(logits, axis=-1, keepdims=True)
    direction = logits / ops.maximum(concentration, np.finfo(np.float32).tiny)
    return mean(concentration * direction)


def weighted(logits, alpha, beta):
    """sum_k alpha_k z_k + beta: alpha (members,), beta (classes,)."""
    alpha, beta = (ops.convert_to_tensor(values, logits.dtype) for values in (alpha, beta))
    return ops.sum(alpha[:, None] * logits, axis=-2) + beta


METHODS = {"mean": mean, "bayesian": bayesian, "von_mises": von_mises}


def members(logits, groups):
    """(batch, members, classes) of the logits of all runs: each group made one, or left as it is where "apart".

    groups: (method, runs) of every [[teacher]] entry, in the order in which the runs lie.
    """
    found, first = [], 0
    for method, runs in groups:
        own = logits[..., first : first + runs, :]
        found.append(own if method == "apart" else METHODS[method](own)[..., None, :])
        first += runs
    return ops.concatenate(found, axis=-2)


def combine(logits, groups, method, fit=None):
    """(batch, classes) of the logits (batch, runs, classes) of all runs: entry by entry, then all of them.

    fit: {"alpha", "beta"} of method "weighted".  Works in tf.data, in a training step and on arrays.
    """
    apart = members(logits, groups)
    return weighted(apart, fit["alpha"], fit["beta"]) if method == "weighted" else METHODS[method](apart)


def fitted(logits, labels):
    """{"alpha", "beta", "log_loss"}: plain numbers with which `weighted` has the least cross entropy, and that before.

    logits: (clips, members, classes) of clips that no member was trained on.  labels: (clips,) class numbers.
    Multinomial logistic regression by L-BFGS from the mean, alpha = 1 / members and beta = 0; the sum of beta,
    which changes nothing, stays 0. Where members are right about every clip alpha has no bound but the tolerance.
    """
    logits, count = np.asarray(logits, np.float64), logits.shape[1]
    truth = np.eye(logits.shape[2])[labels]

    def cross_entropy(values):
        sums = np.einsum("k,nkc->nc", values[:count], logits) + values[count:]
        log_p = sums - np.logaddexp.reduce(sums, axis=1, keepdims=True)
        slope = (np.exp(log_p) - truth) / len(labels)
        return -(truth * log_p).sum() / len(labels), np.r_[np.einsum("nc,nkc->k", slope, logits), slope.sum(0)]

    start = np.r_[np.full(count, 1 / count), np.zeros(logits.shape[2])]
    found = scipy.optimize.minimize(cross_entropy, start, jac=True, method="L-BFGS-B")
    return {
        "alpha": found.x[:count].tolist(),
        "beta": found.x[count:].tolist(),
        "log_loss": {"mean": float(cross_entropy(start)[0]), "weighted": float(found.fun)},
    }


def groups(recipe):
    """(method, runs) of the recipe's [[teacher]] entries."""
    return tuple((entry.ensemble, entry.runs) for entry in recipe.teacher)


def names(recipe):
    """What the recipe's members are called: a teacher's recipe and, of runs left apart, their seed."""
    entries = [(t.recipe, range(1, t.runs + 1) if t.ensemble == "apart" else [None]) for t in recipe.teacher]
    return [f"{recipe} {seed}" if seed else recipe for recipe, seeds in entries for seed in seeds]


def of(run):
    """A function (batch, runs, classes) -> (batch, classes) that makes one teacher of the run's own."""
    method = run.recipe.distill.ensemble
    fit = json.loads(run.read_text(FIT)) if method == "weighted" else None
    return functools.partial(combine, groups=groups(run.recipe), method=method, fit=fit)


def needs_the_batch(recipe):
    """Whether the merged logits of a clip depend on the other clips of its batch, so that no store can hold them."""
    return "bayesian" in (recipe.distill.ensemble, *(entry.ensemble for entry in recipe.teacher))


def in_step(run):
    """A function batch -> batch with one teacher in "teacher" where the source had to leave the runs apart."""
    recipe = run.recipe
    if not recipe.teacher or recipe.distill.live or not needs_the_batch(recipe):
        return lambda batch: batch
    one = of(run)
    return lambda batch: batch | {"teacher": one(batch["teacher"])} if "teacher" in batch else batch
