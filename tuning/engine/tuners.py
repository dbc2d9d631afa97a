"""Choice of the next settings by the oracles of KerasTuner.

An oracle is built anew from the records of the search for every choice, so that what a killed process or another
machine has done is known to it, and the same records give the same choice. A trial that failed counts as the worst so
far, and for the Bayesian search a candidate beyond the limits too; KerasTuner leaves both out and would choose near
them again.

Source: KerasTuner 1.4, oracles RandomSearch, Hyperband, BayesianOptimization and GridSearch.
"""

import contextlib
import copy
import hashlib
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import keras_tuner
from keras_tuner.engine.trial import Trial

from asc_tf.errors import UserError
from asc_tf.tuning.engine import _compat
from asc_tf.tuning.engine.space import Space

TUNERS = ("random", "hyperband", "bayesian", "grid")
IDLE = "idle"  # the choice depends on trials that are still trained
OF_HYPERBAND = ("brackets", "current_bracket", "current_iteration")  # of its state
PREFIX = "tuner/"  # of the values that Hyperband adds
ATTEMPTS = 100  # of the random choice of new settings; each attempt is some twenty draws
KNOWN_REFUSED = 100  # candidates beyond the limits that the Gaussian process takes, the last ones


@dataclass(frozen=True)
class Draw:
    """Settings that an oracle has chosen.

    Args:
        drawn: Values by key of the space, see Space.settings.
        extra: What Hyperband adds: "epochs", "bracket", "round" and others.
        state: State of the oracle that the next choice needs.
    """

    drawn: dict[str, Any]
    extra: dict[str, Any] = field(default_factory=dict)
    state: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Known:
    """A candidate that was drawn before.

    Args:
        order: Its number among all that were drawn.
        drawn, extra: As of Draw.
        status: "running", "finished", "failed" or "refused".
        score: Its score where it is finished.
    """

    order: int
    drawn: Mapping[str, Any]
    extra: Mapping[str, Any]
    status: str
    score: float | None = None


@dataclass(frozen=True)
class Choice:
    """How settings are chosen.

    Args:
        tuner: "random", "hyperband", "bayesian" or "grid".
        space: The space.
        direction: "max" or "min" of the score.
        trials: Number of trials of the search.
        epochs: Epochs of the recipe, the most of Hyperband.
        seed: Seed of the choice.
    """

    tuner: str
    space: Space
    direction: str
    trials: int
    epochs: int
    seed: int

    def draw(self, known: Mapping[str, Known], state: Mapping[str, Any]) -> Draw | str | None:
        """The next settings.

        Args:
            known: All that was drawn before, by the id of the trial; refused candidates have other ids.
            state: State after the last draw that became a trial.

        Returns:
            The settings, IDLE, or None where the tuner has no others.
        """
        number = sum(1 for one in known.values() if one.status != "refused")
        orders = [one.order for one in known.values()]
        for attempt in range(ATTEMPTS):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # scikit-learn's, of every fit that ends at a bound
                oracle = self._oracle(known, state)
                _compat.seed(oracle, _number(self.seed, max(orders, default=-1) + 1, attempt))
                chosen = self._populate(oracle, f"{number:04d}", repeated=attempt > 0)
            if chosen["status"] == keras_tuner.engine.trial.TrialStatus.IDLE:
                return IDLE
            if chosen.get("values") and not self._tried(chosen["values"], known):
                return _draw(chosen["values"], oracle)
        return None

    def _populate(self, oracle, trial_id, *, repeated):
        if self.tuner == "bayesian" and repeated:  # the best by the Gaussian process was tried before
            return keras_tuner.oracles.RandomSearchOracle.populate_space(oracle, trial_id)
        return oracle.populate_space(trial_id)

    def _tried(self, values, known):
        """Whether a choice is one of before; of Hyperband those of later rounds are."""
        if values.get(f"{PREFIX}round"):
            return False
        drawn = {name: value for name, value in values.items() if not name.startswith(PREFIX)}
        return any(drawn == dict(one.drawn) for one in known.values())

    def _oracle(self, known, state):
        hyperparameters = _hyperparameters(self.space)
        common = {
            "objective": keras_tuner.Objective("score", self.direction),
            "hyperparameters": hyperparameters,
            "seed": self.seed + 1,  # of 0 KerasTuner makes a random one
        }
        if self.tuner == "hyperband":
            oracle = keras_tuner.oracles.HyperbandOracle(max_epochs=self.epochs, **common)
        else:
            points = {"num_initial_points": self._initial_points()} if self.tuner == "bayesian" else {}
            oracle = ORACLES[self.tuner](max_trials=None, **points, **common)
        oracle.verbose = 0
        if state:
            oracle.set_state(oracle.get_state() | copy.deepcopy(dict(state)))
        self._fill(oracle, known, hyperparameters)
        return oracle

    def _fill(self, oracle, known, hyperparameters):
        """Gives an oracle the trials of before."""
        in_order = sorted(known.items(), key=lambda item: item[1].order)
        refused = [name for name, one in in_order if one.status == "refused"][:-KNOWN_REFUSED]
        scores = [one.score for one in known.values() if one.status == "finished"]
        worst = (min if self.direction == "max" else max)(scores, default=0.0)
        trials = {name: _trial(name, one, hyperparameters, worst) for name, one in in_order}
        running = {name: trials[name] for name, one in in_order if one.status == "running"}
        for trial in trials.values():
            _compat.record(oracle, trial)
        if self.tuner == "grid" and trials:
            _compat.go_on_after(oracle, list(trials.values())[-1])
        as_trials = {name: trial for name, trial in trials.items() if self._counts(known[name], name in refused)}
        completed = {name: trial for name, trial in as_trials.items() if name not in running}
        oracle.trials = completed
        if self.tuner == "bayesian" and len(completed) >= oracle.num_initial_points:
            _compat.fit(oracle)
        oracle.trials, oracle.ongoing_trials = as_trials, running

    def _counts(self, one, too_old):
        return one.status != "refused" or (self.tuner == "bayesian" and not too_old) or self.tuner == "grid"

    def _initial_points(self):
        """Random trials before the first of the Gaussian process: KerasTuner's three a key, at most a third of all."""
        return max(3, min(3 * len(self.space.keys), self.trials // 3))


ORACLES = {
    "random": keras_tuner.oracles.RandomSearchOracle,
    "bayesian": keras_tuner.oracles.BayesianOptimizationOracle,
    "grid": keras_tuner.oracles.GridSearchOracle,
}


def check(choice: Choice) -> None:
    """Checks that the tuner can search the space.

    Args:
        choice: The choice.

    Raises:
        UserError: It cannot.
    """
    if choice.tuner == "hyperband" and "train.epochs" in choice.space.keys:
        raise UserError(
            f"{choice.space.file}: train.epochs: Hyperband sets the epochs; leave out, or take another tuner."
        )
    try:
        choice.draw({}, {})
    except ImportError as error:
        raise UserError(f"--tuner {choice.tuner} needs scikit-learn: pip install 'asc_tf[tuning]'.") from error


def _hyperparameters(space):
    """The space as KerasTuner's."""
    hyperparameters = keras_tuner.HyperParameters()
    for key in space.keys.values():
        with _scopes(hyperparameters, space, key):
            if key.kind == "choice":
                hyperparameters.Choice(key.name, list(range(len(key.choices))), ordered=False)
            elif key.kind == "boolean":
                hyperparameters.Boolean(key.name)
            elif key.kind == "int":
                hyperparameters.Int(key.name, key.least, key.most, step=key.step or 1)
            else:
                sampling = "log" if key.kind == "log" else "linear"
                hyperparameters.Float(key.name, key.least, key.most, step=key.step, sampling=sampling)
    return hyperparameters


def _scopes(hyperparameters, space, key):
    """Context of the conditions of a key."""
    stack = contextlib.ExitStack()
    for other, values in key.when.items():
        parent = space.keys[other]
        drawn = [parent.choices.index(value) for value in values] if parent.kind == "choice" else list(values)
        stack.enter_context(hyperparameters.conditional_scope(other, drawn))
    return stack


def _trial(name, one, hyperparameters, worst):
    own = hyperparameters.copy()
    own.values = dict(one.drawn) | {f"{PREFIX}{key}": value for key, value in one.extra.items()}
    trial = Trial(own, name, "RUNNING" if one.status == "running" else "COMPLETED")
    trial.score = {"running": None, "finished": one.score}.get(one.status, worst)
    return trial


def _draw(values, oracle):
    drawn = {name: value for name, value in values.items() if not name.startswith(PREFIX)}
    extra = {name.removeprefix(PREFIX): value for name, value in values.items() if name.startswith(PREFIX)}
    state = oracle.get_state()
    return Draw(drawn, extra, {key: state[key] for key in OF_HYPERBAND if key in state})


def _number(*parts: int) -> int:
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:4])
