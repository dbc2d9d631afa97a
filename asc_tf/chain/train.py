"""Training of a recipe with all that it depends on, from audio files to an evaluated int8 file."""

import contextlib
import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import keras

from asc_tf import build, dataset
from asc_tf.chain import per_device, plan, system
from asc_tf.chain.check import check
from asc_tf.chain.stages import Stage, in_order, stages
from asc_tf.chain.tracking import Tracker
from asc_tf.data import batches
from asc_tf.data.lock import locked
from asc_tf.dataset import LoadedDataset
from asc_tf.errors import UserError
from asc_tf.evaluation import evaluate
from asc_tf.export.device import comparison
from asc_tf.export.quantisation import run as quantisation
from asc_tf.inference import device_table
from asc_tf.inference.run import TrainedRun
from asc_tf.inference.system import TrainedSystem, load_run
from asc_tf.recipe import resolve
from asc_tf.recipe.schema import Recipe
from asc_tf.runs import digests, layout, times
from asc_tf.runs import folder as run_folder
from asc_tf.runs.folder import RunFolder
from asc_tf.training import initial_weights, teacher_runs
from asc_tf.training.distribution import SINGLE_PROCESS, Distribution
from asc_tf.training.fit import fit
from asc_tf.training.teacher_runs import TeacherRun

# Files that training reads of runs that it resumes or reuses.
ALL_READ = (
    layout.METRICS, layout.LABELS, layout.NORMALISATION, layout.STATE, layout.BEST_WEIGHTS, layout.ENSEMBLE,
    layout.TIMES, layout.QAT_STATE, layout.PARITY, layout.LOG, layout.QAT_LOG, layout.TEACHERS,
)  # fmt: skip


def train(
    recipe: Recipe | str | Path,
    out: str | Path | None = None,
    *,
    resume: bool = False,
    distribution: Distribution = SINGLE_PROCESS,
    accept_data_change: bool = False,
) -> TrainedRun | TrainedSystem:
    """Trains a recipe: data, initial weights, teachers, network, quantisation, evaluation.

    Runs that it depends on are trained first, or reused, in folders beside `out`. What is wrong in any of the recipes
    or their data is found before training starts.

    Args:
        recipe: A recipe, the name of a shipped one, or a TOML file.
        out: The run folder; runs/NAME of the recipe by default.
        resume: Whether an unfinished run in `out` is resumed.
        distribution: The processes and devices that train together; this process does its part.
        accept_data_change: Whether runs that are resumed or reused are accepted although clips have changed since.

    Returns:
        The finished run.

    Raises:
        UserError: A recipe, its data or the folder is wrong, or the loss is not a number.
    """
    recipe = recipe if isinstance(recipe, Recipe) else resolve.load(recipe)
    last = stages(recipe, Path(out or f"runs/{recipe.name}"))
    Chain(last, distribution, accept_data_change=accept_data_change).train(resume=resume)
    return load_run(last.path)


class Chain:
    """The stages of a recipe, checked, and how they are carried out.

    Args:
        last: The last stage.
        distribution: The processes and devices that train together.
        accept_data_change: Whether runs are accepted although clips have changed since they were made.

    Raises:
        UserError: Something is wrong in one of the recipes.
    """

    def __init__(self, last: Stage, distribution: Distribution = SINGLE_PROCESS, *, accept_data_change: bool = False):
        self.last, self.distribution, self.accept_data_change = last, distribution, accept_data_change
        self.embedding_sizes = check(last, distribution)

    def train(self, *, resume: bool) -> None:
        """Trains all stages that are not finished, the first first; prints the plan before and the times after.

        Args:
            resume: Whether an unfinished run of the last stage is resumed.

        Raises:
            UserError: The data, the folder or a file of a run is wrong, or the loss is not a number.
        """
        with self._locked(self.last, wait=False):
            trained = in_order(self.last, to_do=True)
            self.distribution.on_chief(lambda: self._prepare(resume=resume))
            if self.last.done:
                with self._tracker(self.last.run).finishing():
                    print(f"{self.last.path}: this run is finished, see {layout.METRICS}", flush=True)
                return
            self._train(self.last, resume=resume)
            print(times.table([stage.run for stage in trained]), flush=True)

    def check_heads(self) -> None:
        """Checks that heads which stages copy from earlier runs, or whose logits they learn, are of the same classes.

        Raises:
            UserError: They are not, or a head is not trained.
        """
        for stage in in_order(self.last, to_do=True):
            for entry, teacher in stage.named_teachers:
                teacher_runs.check_run(stage.recipe, entry, teacher.run, self.classes(stage.recipe))
            before = stage.initial
            if not before or not stage.recipe.init.keep_head:
                continue
            known = before.run.labels if before.done else self.classes(before.recipe)
            run = before.run if before.done else None
            initial_weights.check_head(stage.recipe, self.classes(stage.recipe), known, run)

    def load(self, recipe: Recipe, *, quiet: bool = False) -> LoadedDataset:
        """Loads the dataset of a stage.

        Args:
            recipe: Recipe of the stage.
            quiet: Whether nothing is printed.
        """
        return dataset.load(recipe, quiet=quiet)

    def check_data(self, run: RunFolder) -> None:
        """Checks that the data of a run that is resumed or reused are those that it was made from.

        Args:
            run: The run.
        """
        dataset.check_record(run, accept_data_change=self.accept_data_change)

    def write_record(self, run: RunFolder, data: LoadedDataset) -> None:
        """Writes the clips that a new run is made from to its folder.

        Args:
            run: The run.
            data: Its dataset.
        """
        dataset.write_record(run, data.listing)

    def classes(self, recipe: Recipe) -> Sequence[str]:
        """Names of the classes of a stage that is not trained yet."""
        return dataset.classes(recipe)

    def callbacks(self) -> list[keras.callbacks.Callback]:
        """Further callbacks of the training of a network."""
        return []

    def phase(self, run: RunFolder, name: str) -> contextlib.AbstractContextManager:
        """Context of a phase of a stage: "teachers", "training", "devices", "quantisation" or "evaluation"."""
        return times.phase(run, name) if self.distribution.is_chief else contextlib.nullcontext()

    def trained(self, run: RunFolder) -> TrainedRun:
        """A run whose training has ended, with its forms.

        Args:
            run: The run.
        """
        return TrainedRun(run)

    def training_source(self, run: RunFolder, source: batches.Source) -> batches.Source:
        """Segments that a network is trained on.

        Args:
            run: The run.
            source: The training segments.
        """
        return source

    def device_sources(self, run: RunFolder, source: batches.Source, data: LoadedDataset) -> dict[str, batches.Source]:
        """Segments that the network of each device is trained on, by device; none of a recipe without [per_device].

        Args:
            run: Run of the general network.
            source: Its training segments.
            data: Its dataset.
        """
        names = per_device.devices(run.recipe, data)
        return {device: per_device.source_of(run.recipe, source, data, device) for device in names}

    def quantisation_source(self, run: RunFolder, source: batches.Source) -> batches.Source:
        """Segments of quantisation-aware training.

        Args:
            run: The run.
            source: The training segments.
        """
        return source

    def quantisation_data(self, run: RunFolder, data: LoadedDataset) -> LoadedDataset:
        """Dataset whose training segments quantisation is calibrated with.

        Args:
            run: The run.
            data: Its dataset.
        """
        return data

    def on_quantisation_step(self) -> None:
        """Called after every step of quantisation-aware training."""

    def _prepare(self, *, resume: bool) -> None:
        """Creates the folder of the last run, prepares all data, and prints the plan."""
        if run_folder.create(self.last.path, self.last.recipe, resume=resume).finished:
            digests.check(self.last.run)
            return
        self._check_files()
        for run in self._with_records():
            self.check_data(run)
        self.check_heads()
        sizes = plan.load_sizes(self.last, self.load)
        for stage in filter(lambda stage: stage.recipe.per_device, in_order(self.last, to_do=True)):
            per_device.check(stage.recipe, self.load(stage.recipe, quiet=True))
        print(plan.table(self.last, sizes), flush=True)

    def _check_files(self):
        """Checks the files of the runs that are resumed or reused."""
        stages_read = [one for stage in in_order(self.last, to_do=True) for one in (stage, *stage.before)]
        for stage in {one.path: one for one in stages_read}.values():
            if stage.done:
                digests.check(stage.run)
            elif stage.run.started:
                self._check_teachers(stage)
            stores = stage.path.glob(f"{layout.TEACHER_OUTPUTS}/*/*.npz")
            stage.run.check([*ALL_READ, *(str(file.relative_to(stage.path)) for file in stores)])

    def _check_teachers(self, stage):
        """Checks that the runs that a started run names as teachers are those that it was started with."""
        if not stage.run.has(layout.TEACHERS):
            return
        before = stage.run.read(layout.TEACHERS)
        for name, digest in _teachers(stage).items():
            if before.get(name) != digest:
                raise UserError(
                    f"{stage.path}: teacher.run = '{name}' is not the run that this training was started with: its "
                    "recipe, classes or weights are others. Restore it, or train in another --out."
                )

    def _with_records(self):
        """Runs that are resumed, and those reused whose clips the others share: teachers and members.

        Runs that are named as teachers were made from clips of their own.
        """
        to_do = in_order(self.last, to_do=True)
        shared = [one for stage in to_do for one in (*stage.members, *itertools.chain(*stage.teachers))]
        named = [one for stage in to_do for _, one in stage.named_teachers]
        runs = {stage.path: stage.run for stage in (*to_do, *shared) if stage not in named}
        return [run for run in runs.values() if run.has(layout.CLIPS) and (run.started or run.finished)]

    def _train(self, stage: Stage, *, resume: bool) -> RunFolder:
        if stage.recipe.member:
            members = [self._finished(member) for member in stage.members]
            return system.finish(stage.run, members, self.load)
        run, data = self._start(stage, resume=resume)
        initial = self._initial_run(stage, run)
        folders = [[self._finished(one) for one in runs] for runs in stage.teachers]
        teachers, columns = teacher_runs.of_run(run, folders, data, self.load), {}
        if teachers:
            with self.phase(run, "teachers"):
                columns = teacher_runs.stored_targets(run, teachers, data, self.distribution)
        source = build.training_source(stage.recipe, data, columns)
        tracker = self._tracker(run, source, data)
        with tracker.finishing():
            with self.phase(run, "training"):
                fit(
                    run,
                    self.training_source(run, source),
                    data,
                    title=stage.title,
                    distribution=self.distribution,
                    initial=initial,
                    teachers=teachers,
                    embedding_sizes=self.embedding_sizes[stage.path],
                    callbacks=[*self.callbacks(), *tracker.callbacks],
                    on_validation=tracker.on_validation,
                )
            sources, devices = self.device_sources(run, source, data), {}
            if sources:
                with self.phase(run, "devices"):
                    devices = per_device.fine_tune(
                        run,
                        sources,
                        data,
                        distribution=self.distribution,
                        teachers=teachers,
                        embedding_sizes=self.embedding_sizes[stage.path],
                    )
            self.distribution.on_chief(lambda: self._finish(run, source, data, teachers, devices, sources))
        return run

    def _finished(self, stage: Stage) -> RunFolder:
        """The run of an earlier stage, trained to its end where it is not yet, also by another process."""
        with contextlib.nullcontext() if stage.done else self._locked(stage):
            if stage.done:
                print(f"{stage.title} {stage.path.name}: reused")
                return stage.run
            print(f"{stage.title} {stage.path.name}:", flush=True)
            return self._train(stage, resume=True)

    @contextlib.contextmanager
    def _locked(self, stage: Stage, *, wait: bool = True) -> Iterator[None]:
        """Context in which no other process trains in the folder of a stage."""
        if not self.distribution.is_chief:
            yield
            return
        try:
            stage.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"{stage.path}: cannot be written ({error.strerror}); choose another --out.") from error
        with locked(stage.path, wait=wait):
            yield

    def _start(self, stage: Stage, *, resume: bool) -> tuple[RunFolder, LoadedDataset]:
        """The run folder and the dataset, with all files written that training needs."""
        recipe, path = stage.recipe, stage.path
        return self.distribution.on_chief(
            lambda: self._create(stage, resume=resume),
            then=lambda: (run_folder.open_shared(path, recipe), self.load(recipe, quiet=True)),
        )

    def _create(self, stage, *, resume):
        recipe = stage.recipe
        run = run_folder.create(stage.path, recipe, resume=resume)
        with self.phase(run, "data"):
            data = self.load(recipe, quiet=True)
            if not run.started:
                run.write(layout.LABELS, "\n".join(data.classes) + "\n")
                self.write_record(run, data)
                if stage.named_teachers:
                    run.write_json(layout.TEACHERS, _teachers(stage))
            counts = ", ".join(f"{len(getattr(data, split)):,} {split}" for split in ("train", "validation", "test"))
            of = f"{recipe.data.segment_s:g} s, {len(data.classes)} classes"
            print(f"{recipe.name}: {counts} clips of {of}", flush=True)
            build.measure_normalisation(run, data)
        return run, data

    def _tracker(self, *of_run):
        return self.distribution.on_chief(lambda: Tracker(*of_run), then=Tracker)

    def _initial_run(self, stage, run):
        """The run whose weights a run starts from; None without [init], and for a run that is resumed."""
        if not stage.initial or run.started:
            return None
        return TrainedRun(self._finished(stage.initial))

    def _is_quantised(self, run):
        """Whether the run has the int8 file of its network, and its comparison with it."""
        return run.has(layout.PARITY) and run.read(layout.PARITY)[digests.KEY] == digests.network(run)

    def _finish(
        self,
        run: RunFolder,
        source: batches.Source,
        data: LoadedDataset,
        teachers: Sequence[TeacherRun],
        devices: Mapping[str, RunFolder],
        sources: Mapping[str, batches.Source],
    ) -> None:
        """Quantises the network and those of devices where the recipe has [quantise], and evaluates them."""
        if not run.has(layout.DIGESTS):
            digests.write(run)
        trained = self.trained(run)
        if run.recipe.quantise and not all(map(self._is_quantised, (run, *devices.values()))):
            with self.phase(run, "quantisation"):
                source, of_general = self.quantisation_source(run, source), self.quantisation_data(run, data)
                self._quantise(trained, source, of_general, data, teachers, self.on_quantisation_step)
                for device, own in devices.items():
                    print(f"device {device}:", flush=True)
                    part = data.of_device(device, or_all=("test",))
                    self._quantise(TrainedRun(own), sources[device], part, part, teachers)
        if devices:
            device_table.write(trained, devices)
        with self.phase(run, "evaluation"):
            evaluate.evaluate(trained, data)

    def _quantise(self, trained, source, calibration_data, data, teachers, on_step=lambda: None):
        """Makes the int8 file of a network and its comparison, where they are not made yet."""
        run = trained.folder
        if self._is_quantised(run):
            return
        from_teachers = run.recipe.quantise.distil_from == "teachers"
        online = teacher_runs.online(run, teachers) if from_teachers else None
        quantisation.quantise(trained, source, calibration_data, online, on_step=on_step)
        comparison.write_report(trained, data, thorough=False)


def _teachers(stage):
    """Digests of the runs that a stage names as teachers, by name."""
    return {entry.run: digests.network(teacher.run) for entry, teacher in stage.named_teachers}
