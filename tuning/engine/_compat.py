"""Private parts of KerasTuner's oracles. Tested with 1.4.8; a test names a part that is gone.

Its own files do not hold all that an oracle's next choice depends on (the order of a grid, the random state of the
Bayesian search) and are not replaced as a whole, so that a kill may leave half of one. Oracles are rebuilt here from
the records of a search for every choice instead.
"""

import numpy as np
from keras_tuner import Oracle
from keras_tuner.engine.trial import Trial

NEEDED = {
    "Oracle": ("_record_values", "_seed_state"),
    "GridSearchOracle": ("_ordered_ids", "_populate_next"),
    "BayesianOptimizationOracle": ("_random_state", "_vectorize_trials"),
}
MOST_SEED = 2**31


def seed(oracle: Oracle, number: int) -> None:
    """Has the next random choice follow from a number.

    Args:
        oracle: The oracle.
        number: Any whole number from 0 on.
    """
    oracle._seed_state = number % MOST_SEED
    if hasattr(oracle, "_random_state"):
        oracle._random_state = np.random.RandomState(number % MOST_SEED)


def record(oracle: Oracle, trial: Trial) -> None:
    """Has an oracle know the values of a trial as tried.

    Args:
        oracle: The oracle.
        trial: The trial.
    """
    oracle._record_values(trial)


def go_on_after(grid: Oracle, trial: Trial) -> None:
    """Has a grid search go on with the combination after that of a trial.

    Args:
        grid: A GridSearchOracle.
        trial: The trial that was drawn last.
    """
    grid.start_order.append(trial.trial_id)
    grid._ordered_ids.insert(trial.trial_id)
    grid._populate_next.append(trial.trial_id)


def fit(bayesian: Oracle) -> None:
    """Fits the Gaussian process of a Bayesian search to its completed trials, with which others are estimated.

    Args:
        bayesian: A BayesianOptimizationOracle without ongoing trials.
    """
    bayesian.gpr.fit(*map(np.nan_to_num, bayesian._vectorize_trials()))
