"""What a search is: recipe, space, limits, objective, seeds; and the recipe of every candidate."""

import dataclasses
import itertools
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from asc_tf.errors import UserError
from asc_tf.recipe import resolve
from asc_tf.recipe.schema import Quantise, Recipe
from asc_tf.tuning.engine.budget import Limits
from asc_tf.tuning.engine.objective import Objective
from asc_tf.tuning.engine.space import Space
from asc_tf.tuning.engine.tuners import Choice

TRIES = 50  # draws of the other keys with which a value of a key is tried


@dataclass(frozen=True)
class SearchPlan:
    """All that the trials of a search have in common.

    Args:
        recipe: The recipe whose keys are searched over.
        space: The keys.
        tuner: Name of the tuner.
        objective: The figure that is optimised.
        limits: Largest sizes.
        seeds: Seeds of the runs of a trial, whose mean is its figure.
        ptq: Whether int8 files are made by post-training quantisation, whatever [quantise] of the recipe is.
        trials: Number of trials.
    """

    recipe: Recipe
    space: Space
    tuner: str
    objective: Objective
    limits: Limits
    seeds: Sequence[int]
    ptq: bool
    trials: int

    @property
    def choice(self) -> Choice:
        """How settings are chosen."""
        epochs, seed = self.recipe.train.epochs, self.recipe.seed
        return Choice(self.tuner, self.space, self.objective.direction, self.trials, epochs, seed)

    @property
    def fixed(self) -> dict[str, Any]:
        """What must be equal whenever the search goes on, as plain values."""
        changes = self.recipe.changes
        return {
            "recipe": resolve.to_toml(self.recipe),
            "settings of recipes that it depends on": [[one.pattern, one.path, one.value] for one in changes.values],
            "--data": changes.data,
            "space": self.space.description,
            "--tuner": self.tuner,
            "--objective": self.objective.key,
            "--size-penalty": self.objective.penalty,
            "--seeds": list(self.seeds),
            "--ptq": self.ptq,
            **{f"--max-{name}": most for name, most in dataclasses.asdict(self.limits).items()},
        }

    def settings(self, drawn: Mapping[str, Any], extra: Mapping[str, Any]) -> dict[str, Any]:
        """Values of the recipe's keys for what a tuner has chosen.

        Args:
            drawn: As of tuners.Draw.
            extra: As of tuners.Draw.
        """
        return self.space.settings(drawn) | ({"train.epochs": extra["epochs"]} if "epochs" in extra else {})

    def candidate(self, settings: Mapping[str, Any]) -> Recipe:
        """The recipe of a candidate.

        Args:
            settings: As of `settings`.

        Raises:
            UserError: The values do not fit together.
        """
        return resolve.changed(self.recipe, settings, str(self.space.file))

    def trained(self, recipe: Recipe, seed: int) -> Recipe:
        """A candidate's recipe as it is trained: without [quantise] where the objective does not need it.

        Args:
            recipe: The candidate's.
            seed: Seed of the run.
        """
        quantise = recipe.quantise if self.objective.network == "int8" else None
        if self.ptq:
            own = {key: getattr(recipe.quantise, key) for key in ("calibration_clips", "float_layers")}
            quantise = Quantise(method="ptq", **(own if recipe.quantise else {}))
        return dataclasses.replace(recipe, seed=seed, quantise=quantise)


def check(plan: SearchPlan) -> None:
    """Checks that the recipe takes the values of the space, and that the options belong together.

    A value is refused where the recipe takes it neither as it is nor with any of several draws of the other keys.

    Args:
        plan: The plan.

    Raises:
        UserError: Names the key and the rule.
    """
    quantised = plan.objective.network == "int8"
    if plan.ptq and not quantised:
        raise UserError(f"--ptq makes int8 files, and --objective {plan.objective.key} reads none; write int8.*.")
    if quantised and not (plan.ptq or plan.recipe.quantise):
        raise UserError(f"--objective {plan.objective.key}: {plan.recipe.file} has no [quantise]; add --ptq.")
    for key in plan.space.keys.values():
        for value in key.examples:
            error = _refusal(plan, {key.name: value})
            if error and all(
                _refusal(plan, settings) for settings in itertools.islice(_draws(plan, key, value), TRIES)
            ):
                raise UserError(f"{plan.space.file}: {key.name} = {json.dumps(value, default=str)}: {error}")


def _draws(plan, key, value):
    """Settings with one value of a key, the others drawn; those in which the key is not active are left out."""
    source = random.Random(0)
    for _ in range(10 * TRIES):
        settings = {name: source.choice(other.examples) for name, other in plan.space.keys.items()}
        settings |= {key.name: value} | {other: source.choice(values) for other, values in key.when.items()}
        active = plan.space.active(settings)
        if key.name in active:
            yield active


def _refusal(plan, settings):
    try:
        plan.candidate(settings)
    except UserError as error:
        return str(error)
    return ""
