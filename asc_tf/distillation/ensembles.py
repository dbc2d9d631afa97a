"""Ensembles of teachers: several logits merged to one.

Logits are (batch, members, classes), or (batch, components, members, classes) of mixed clips; the merged ones lack the
axis of the members.

Source: "mean": the systems of 2023 and later. "bayesian": the public code of an author of jku2024, named there after
        the averaging of face embeddings of a CVPR 2023 paper; "von_mises": the rule of that paper, derived from a
        summary, for its text was not at hand. "weighted": the fusion of twelve teachers by a weight each and an
        offset a class, published without the way they were chosen; here they are fitted.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import scipy.optimize
from keras import ops

from asc_tf.errors import UserError
from asc_tf.recipe.schema import Recipe
from asc_tf.runs import layout
from asc_tf.runs.folder import RunFolder


def mean(logits: keras.KerasTensor) -> keras.KerasTensor:
    """Arithmetic mean of the members' logits."""
    return ops.mean(logits, axis=-2)


def bayesian(logits: keras.KerasTensor) -> keras.KerasTensor:
    """Bayesian ensemble averaging: mean_k z_k + kappa / K.

    kappa = mean_k of the unbiased variance of z_k over the batch, one value a class. This is how the public code
    computes it; nothing is drawn. A class in which the members' logits vary over the batch is raised by an offset that
    depends on the other clips of the batch. The batch is that of the process: of several workers each takes the
    variance of its own part.

    Raises:
        UserError: A batch of one clip has no variance.
    """
    if logits.shape[0] == 1:
        raise UserError('ensemble = "bayesian" takes the variance over the batch; train on at least 2 clips a worker.')
    clips = ops.cast(ops.shape(logits)[0], logits.dtype)
    variance = ops.var(logits, axis=0) * clips / (clips - 1)
    return mean(logits) + mean(variance) / logits.shape[-2]


def von_mises(logits: keras.KerasTensor) -> keras.KerasTensor:
    """Natural parameter of the von Mises-Fisher density to which those of the members merge.

    Member k has the direction z_k / |z_k| and the concentration |z_k|; the merged one is the mean of the directions
    weighted by the concentrations. On logits the two cancel: it is the mean, up to rounding.
    """
    concentration = ops.norm(logits, axis=-1, keepdims=True)
    direction = logits / ops.maximum(concentration, np.finfo(np.float32).tiny)
    return mean(concentration * direction)


def weighted(logits: keras.KerasTensor, alpha: Sequence[float], beta: Sequence[float]) -> keras.KerasTensor:
    """Weighted sum of the members' logits and an offset: sum_k alpha_k z_k + beta.

    Args:
        logits: (batch, members, classes).
        alpha: (members,).
        beta: (classes,).
    """
    alpha, beta = (ops.convert_to_tensor(values, logits.dtype) for values in (alpha, beta))
    return ops.sum(alpha[:, None] * logits, axis=-2) + beta


METHODS = {"mean": mean, "bayesian": bayesian, "von_mises": von_mises}


def members(logits: keras.KerasTensor, groups: Sequence[tuple[str, int]]) -> keras.KerasTensor:
    """Logits (batch, members, classes) of the members: the runs of an entry merged, or left as they are if "apart".

    Args:
        logits: (batch, runs, classes) of all runs.
        groups: (method, number of runs) of every [[teacher]] entry, in the order of the runs.
    """
    merged, first = [], 0
    for method, runs in groups:
        of_entry = logits[..., first : first + runs, :]
        merged.append(of_entry if method == "apart" else METHODS[method](of_entry)[..., None, :])
        first += runs
    return ops.concatenate(merged, axis=-2)


def combine(
    logits: keras.KerasTensor, groups: Sequence[tuple[str, int]], method: str, fit: Mapping[str, Any] | None = None
) -> keras.KerasTensor:
    """Logits (batch, classes) of one teacher: the runs of every entry merged, then all members.

    Works in tf.data, in a training step and on arrays.

    Args:
        logits: (batch, runs, classes) of all runs.
        groups: As for `members`.
        method: distill.ensemble.
        fit: {"alpha", "beta"} of method "weighted".
    """
    of_members = members(logits, groups)
    return weighted(of_members, fit["alpha"], fit["beta"]) if method == "weighted" else METHODS[method](of_members)


def fit_weights(logits: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    """Fits the weights and offsets of `weighted` to the least cross entropy.

    Multinomial logistic regression by L-BFGS from the mean, alpha = 1 / members and beta = 0; the sum of beta,
    which changes nothing, stays 0. Where the members are right on every clip alpha is bounded by the tolerance only.

    Args:
        logits: (clips, members, classes) of clips that no member was trained on.
        labels: (clips,) class indices.

    Returns:
        {"alpha", "beta", "log_loss": {"mean", "weighted"}}, plain numbers; log_loss before and after.
    """
    logits, count = np.asarray(logits, np.float64), logits.shape[1]
    truth = np.eye(logits.shape[2])[labels]

    def cross_entropy(values):
        sums = np.einsum("k,nkc->nc", values[:count], logits) + values[count:]
        log_p = sums - np.logaddexp.reduce(sums, axis=1, keepdims=True)
        slope = (np.exp(log_p) - truth) / len(labels)
        return -(truth * log_p).sum() / len(labels), np.r_[np.einsum("nc,nkc->k", slope, logits), slope.sum(0)]

    start = np.r_[np.full(count, 1 / count), np.zeros(logits.shape[2])]
    result = scipy.optimize.minimize(cross_entropy, start, jac=True, method="L-BFGS-B")
    return {
        "alpha": result.x[:count].tolist(),
        "beta": result.x[count:].tolist(),
        "log_loss": {"mean": float(cross_entropy(start)[0]), "weighted": float(result.fun)},
    }


def groups(recipe: Recipe) -> tuple[tuple[str, int], ...]:
    """(method, number of runs) of the recipe's [[teacher]] entries."""
    return tuple((entry.ensemble, entry.runs) for entry in recipe.teacher)


def names(recipe: Recipe) -> list[str]:
    """Names of the recipe's members: a teacher's run, or its recipe and, of runs left apart, their seed."""
    entries = [
        (t.recipe or t.run, range(1, t.runs + 1) if t.recipe and t.ensemble == "apart" else [None])
        for t in recipe.teacher
    ]
    return [f"{name} {seed}" if seed else name for name, seeds in entries for seed in seeds]


def combiner(run: RunFolder) -> Callable[[keras.KerasTensor], keras.KerasTensor]:
    """A function (batch, runs, classes) -> (batch, classes) that merges the teachers of a run to one."""
    method = run.recipe.distill.ensemble
    fit = run.read(layout.ENSEMBLE) if method == "weighted" else None
    return functools.partial(combine, groups=groups(run.recipe), method=method, fit=fit)


def depends_on_batch(recipe: Recipe) -> bool:
    """Whether the merged logits of a clip depend on the other clips of its batch, so that they cannot be stored."""
    return "bayesian" in (recipe.distill.ensemble, *(entry.ensemble for entry in recipe.teacher))


def merge_in_batch(run: RunFolder) -> Callable[[dict], dict]:
    """A function batch -> batch that merges the runs in "teacher" where they could not be merged before storing."""
    recipe = run.recipe
    if not recipe.teacher or recipe.distill.online or not depends_on_batch(recipe):
        return lambda batch: batch
    merge = combiner(run)
    return lambda batch: batch | {"teacher": merge(batch["teacher"])} if "teacher" in batch else batch
