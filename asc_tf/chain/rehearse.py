"""Rehearsal of a chain: every stage at real shapes and batch sizes for a few steps, and what the real run will take.

Trains the chain of a recipe in a temporary folder, on some clips of its datasets (rehearsal_data.py), with the code of
the real run; measures its phases and computes the time of the real run from them (estimate.py). Nothing is left behind.
"""

import contextlib
import dataclasses
import io
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from asc_tf.chain import estimate, plan, tracking
from asc_tf.chain.estimate import Estimate, Measured
from asc_tf.chain.rehearsal_data import RehearsalData
from asc_tf.chain.stages import Stage, in_order, stages
from asc_tf.chain.train import Chain
from asc_tf.data import batches
from asc_tf.dataset import LoadedDataset
from asc_tf.errors import UserError
from asc_tf.inference.run import TrainedRun
from asc_tf.recipe.device_recipe import device_recipe
from asc_tf.recipe.schema import Recipe
from asc_tf.runs import folder as run_folder
from asc_tf.runs import layout, times
from asc_tf.runs.folder import RunFolder

BUDGET_S = 10.0  # for which the steps of a stage are measured
STEPS = (3, 60)  # of a stage, at least and at most
DEVICE_STEPS = 2  # of the network of a device


def rehearse(
    recipe: Recipe, out: Path, *, budget_s: float = BUDGET_S, data: RehearsalData | None = None
) -> list[Estimate]:
    """Rehearses a recipe and prints what its real run will take.

    Args:
        recipe: The recipe.
        out: The run folder of the real run, which is not touched; runs beside it are reused as in the real run.
        budget_s: Seconds for which the steps of a stage are measured; the least number of steps may take longer.
        data: Small datasets and rehearsed stages of other rehearsals, which are reused; by default a folder that is
            removed at the end.

    Returns:
        The estimates of all stages that are still to be trained, in order.

    Raises:
        UserError: Something is wrong in a stage, which the message names.
    """
    with tempfile.TemporaryDirectory(prefix="asc_tf_rehearsal_") as scratch:
        data = data or RehearsalData(Path(scratch))
        last = stages(recipe, out)
        sizes = {stage: data.sizes(stage.recipe) for stage in in_order(last, to_do=True) if not stage.recipe.member}
        print(plan.table(last, sizes), flush=True)
        rehearsal = Rehearsal(last, data, budget_s)
        rehearsal.run()
        estimates = [rehearsal.estimate(stage, size) for stage, size in sizes.items()]
        warnings = [f"note: {note}" for note in data.notes] + rehearsal.warnings(estimates)
        print("\n".join([estimate.table(estimates), *warnings]), flush=True)
        return estimates


class StepClock(keras.callbacks.Callback):
    """Measures the steps of a training; ends its first epoch when enough are measured and its second after one step.

    Args:
        budget_s: Seconds for which steps are measured.

    Attributes:
        steps_s: Seconds of the steps of the first epoch; the first one holds the tracing.
        epoch_s: Seconds from the last step of the second epoch to its end: validation and saving.
    """

    def __init__(self, budget_s: float):
        super().__init__()
        self.budget_s, self.steps_s, self.epoch_s = budget_s, [], 0.0

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Starts the clock. Called by Keras."""
        self.epoch, self.last_s = epoch, time.monotonic()

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Measures a step. Called by Keras."""
        now_s = time.monotonic()
        if self.epoch == 0:
            self.steps_s.append(now_s - self.last_s)
        self.last_s = now_s
        enough = len(self.steps_s) >= STEPS[0] and sum(self.steps_s[1:]) > self.budget_s
        self.model.stop_training = self.epoch > 0 or enough or len(self.steps_s) == STEPS[1]

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Measures the end of an epoch. Called by Keras."""
        self.epoch_s = time.monotonic() - self.last_s
        self.model.stop_training = False


class Rehearsal(Chain):
    """A chain in a scratch folder, of which only a few steps are trained.

    Runs that are finished are copied there. Of several runs of one teacher that differ in their seeds one is trained.

    Args:
        last: The last stage of the real chain.
        data: The small datasets.
        budget_s: Seconds for which the steps of a stage are measured.
    """

    def __init__(self, last: Stage, data: RehearsalData, budget_s: float):
        self.data, self.budget_s, self.measured = data, budget_s, data.measured
        self._short, self._by_kind = {}, {}
        for stage in in_order(last, to_do=True):
            tracking.check(stage.recipe, create=False)
        super().__init__(self._shortened(last))

    def run(self) -> None:
        """Trains all stages for a few steps; prints a line a stage.

        Raises:
            UserError: A stage failed.
        """
        self.check_heads()
        for stage in in_order(self.last):
            if stage.done or stage.recipe.member and stage is not self.last:
                continue
            start_s, self._stage, self._phase = time.monotonic(), stage, "data"
            with self._named_errors(), contextlib.redirect_stdout(io.StringIO()):
                if not stage.recipe.member:
                    self.load(stage.recipe)  # prepares the clips, which is no part of a phase
                run = self._train(stage, resume=False)
                if not stage.recipe.member:
                    self._measure(run, stage)
            print(
                f"rehearsed  {stage.title:8s}  {stage.recipe.name:40s}{time.monotonic() - start_s:7.1f} s", flush=True
            )

    def estimate(self, stage: Stage, sizes: plan.Sizes) -> Estimate:
        """The estimate of a stage of the real chain.

        Args:
            stage: The stage.
            sizes: Sizes of its dataset.
        """
        short = self._short[stage]
        teachers = [self._seconds_a_clip(self._short[one], "float") for runs in stage.teachers for one in runs]
        recipes = [stage.recipe, *(teacher.recipe for _, teacher in stage.named_teachers)]
        preparations = [self.data.preparation(recipe) for recipe in recipes]
        return estimate.estimate(
            stage, sizes, preparations, self.measured[short.path], teachers, self.stored_outputs(stage)
        )

    def stored_outputs(self, stage: Stage) -> int:
        """Logits and values of embeddings that are stored of a training segment for a stage, of all its teacher runs.

        Args:
            stage: The stage.
        """
        if not stage.teachers or stage.recipe.distill.online:
            return 0
        recipes = [one.recipe for runs in stage.teachers for one in runs]
        logits = sum(len(recipe.labels or self.classes(recipe)) for recipe in recipes)
        return logits + sum(self.embedding_sizes[self._short[stage].path])

    def warnings(self, estimates: Sequence[Estimate]) -> list[str]:
        """What the user should know before the real run, a line each.

        Args:
            estimates: Those of all stages.
        """
        final = [one for one in in_order(self.last) if one is self.last or one.title == "member"]
        networks = {one.path.name: one.run for one in final if not one.recipe.member}
        return estimate.warnings(estimates, networks)

    def load(self, recipe: Recipe, *, quiet: bool = False) -> LoadedDataset:
        """The small dataset of a stage."""
        return self.data.load(recipe, quiet=quiet)

    def check_data(self, run: RunFolder) -> None:
        """Does nothing: the small data of a rehearsal are a part of those that finished runs were made from."""

    def write_record(self, run: RunFolder, data: LoadedDataset) -> None:
        """Does nothing: the run is removed."""

    def classes(self, recipe: Recipe) -> Sequence[str]:
        """Names of the classes of a stage that is not trained yet."""
        return self.data.classes(recipe)

    def callbacks(self) -> list[keras.callbacks.Callback]:
        """The clock of the steps."""
        self._clock = StepClock(self.budget_s)
        return [self._clock]

    @contextlib.contextmanager
    def phase(self, run: RunFolder, name: str) -> Iterator[None]:
        """Context that measures a phase."""
        self._phase = name
        with times.phase(run, name):
            yield

    def trained(self, run: RunFolder) -> TrainedRun:
        """The run of a stage, kept with its forms until they are measured."""
        self._trained = super().trained(run)
        return self._trained

    def training_source(self, run: RunFolder, source: batches.Source) -> batches.Source:
        """The segments, repeated until they fill the steps of an epoch of the rehearsal."""
        return _repeated(source, STEPS[1] * run.recipe.train.batch_size)

    def device_sources(self, run: RunFolder, source: batches.Source, data: LoadedDataset) -> dict[str, batches.Source]:
        """For each device that some clips are of, the segments of a few steps."""
        if run.recipe.per_device is None:
            return {}
        size, chosen = device_recipe(run.recipe).train.batch_size, run.recipe.per_device.devices
        known = sorted(set(source.devices.tolist()) - {""})
        names = [device for device in known if device in chosen or not chosen]
        return {device: _repeated(source, DEVICE_STEPS * size) for device in names}

    def quantisation_source(self, run: RunFolder, source: batches.Source) -> batches.Source:
        """The segments for as many steps as the budget allows."""
        steps = int(np.clip(self.budget_s / 2 / estimate.steady(self._clock.steps_s), 2, STEPS[1] // 2))
        return _repeated(source, steps * run.recipe.train.batch_size)

    def quantisation_data(self, run: RunFolder, data: LoadedDataset) -> LoadedDataset:
        """The dataset with so many training segments that the real number is calibrated with."""
        count = max(len(data.train), run.recipe.quantise.calibration_clips)
        return dataclasses.replace(data, train=np.resize(data.train, count))

    def on_quantisation_step(self) -> None:
        """Notes the end of a step of quantisation-aware training."""
        self._quantisation_ends_s.append(time.monotonic())

    def _train(self, stage: Stage, *, resume: bool) -> RunFolder:
        self._quantisation_ends_s = []
        return super()._train(stage, resume=resume)

    def _shortened(self, stage: Stage) -> Stage:
        """The stage in the scratch folder, once for all seeds of one recipe."""
        if stage in self._short:
            return self._short[stage]
        before = [self._shortened(one) for one in stage.before]
        kind = repr((dataclasses.replace(stage.recipe, seed=0), stage.done, [one.path for one in before]))
        if kind not in self._by_kind:
            self._by_kind[kind] = self._in_scratch(stage)
        self._short[stage] = self._by_kind[kind]
        return self._short[stage]

    def _in_scratch(self, stage):
        path = self.data.scratch / "runs" / stage.path.name
        if stage.done:
            copy = run_folder.copy(stage.run, path.with_name(f"{len(self._by_kind)}-{path.name}"))
            copy.write(layout.METRICS, "{}")
            return Stage(stage.recipe, copy.path, stage.title)
        return Stage(
            self._shortened_recipe(stage.recipe),
            path,
            stage.title,
            self._shortened(stage.initial) if stage.initial else None,
            tuple(tuple(map(self._shortened, runs)) for runs in stage.teachers),
            tuple(map(self._shortened, stage.members)),
        )

    def _shortened_recipe(self, recipe):
        if recipe.member:
            return recipe
        recipe = self.data.with_responses(recipe)
        changes = {"train": dataclasses.replace(recipe.train, epochs=2), "tracking": None}
        if recipe.per_device:
            changes["per_device"] = dataclasses.replace(recipe.per_device, epochs=1)
        if recipe.quantise and recipe.quantise.epochs:
            frozen = min(1, recipe.quantise.frozen_epochs)
            changes["quantise"] = dataclasses.replace(recipe.quantise, epochs=2, frozen_epochs=frozen)
        return dataclasses.replace(recipe, **changes)

    def _measure(self, run, stage):
        """Takes down what the stage took, and measures how long a clip takes in every form that is evaluated."""
        data = self.load(stage.recipe)
        trained, self._trained = self._trained, None  # the next stage's peak memory is without it, as in the real run
        self.measured[stage.path] = Measured(
            phases=times.read(run),
            clips=plan.Sizes(len(data.train), len(data.validation), len(data.test)),
            steps_s=self._clock.steps_s,
            epoch_s=self._clock.epoch_s,
            quantisation_steps_s=np.diff(self._quantisation_ends_s).tolist(),
            clip_s=estimate.seconds_a_clip(trained, data, self.budget_s / 5),
            bytes=sum(file.stat().st_size for file in run.path.rglob("*") if file.is_file()),
        )

    def _seconds_a_clip(self, short, form):
        """Seconds that a stage takes for a clip, measured where it was not rehearsed."""
        if short.path not in self.measured:
            data = self.load(short.recipe)
            clip_s = estimate.seconds_a_clip(TrainedRun(short.run), data, self.budget_s / 5)
            self.measured[short.path] = Measured(clip_s=clip_s)
        return self.measured[short.path].clip_s[form]

    @contextlib.contextmanager
    def _named_errors(self) -> Iterator[None]:
        """Context in which every error becomes a UserError that names the stage and its phase."""
        where = f"{self._stage.title} {self._stage.recipe.name}"
        try:
            yield
        except UserError as error:
            raise UserError(f"rehearsal: {where}: {error}") from error
        except (tf.errors.ResourceExhaustedError, MemoryError) as error:
            size = self._stage.recipe.train.batch_size
            reason = f"out of memory: train.batch_size = {size} does not fit; lower it"
            raise UserError(f"rehearsal: {where}, phase {self._phase}: {reason}.") from error
        except (tf.errors.OpError, ValueError, NotImplementedError) as error:
            reason = str(error).strip().splitlines()[0]
            raise UserError(
                f"rehearsal: {where}, phase {self._phase}: {reason} (add --traceback to see where)."
            ) from error


def _repeated(source: batches.Source, count: int) -> batches.Source:
    """A source of `count` segments, those of another in turn."""
    return source.part(np.resize(np.arange(len(source)), count))
