"""Time, memory and disk of a real run, computed from what a rehearsal measured.

A phase of n measured clips or steps that took t seconds will take t + (N - n) x seconds a clip or step for N.
"""

import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import tensorflow as tf

from asc_tf import build, dataset
from asc_tf.chain.plan import Sizes, device_steps
from asc_tf.chain.rehearsal_data import Preparation
from asc_tf.chain.stages import Stage
from asc_tf.dataset import LoadedDataset
from asc_tf.errors import UserError
from asc_tf.export.device import tflm
from asc_tf.export.quantisation import metadata
from asc_tf.inference.run import TrainedRun
from asc_tf.runs import layout, times
from asc_tf.runs.folder import RunFolder

EVALUATED = ("float", "quantised", "tflite")  # forms that are computed on the test split
WARM_UP = 8  # steps of which the clips were prepared while the first was traced
BATCH = 32  # clips of one second in a batch in which a form is measured, fewer of longer ones
BYTES = 2  # of a stored logit or value of an embedding
MOST_MEMORY = 0.8  # share of the machine's


@dataclass(frozen=True)
class Measured:
    """What a rehearsal measured of a stage.

    Args:
        clip_s: Seconds a clip from wave to logits, by the name of the form; "front end" to spectrograms.
        phases: {"seconds", "peak_memory_bytes"} by the name of the phase.
        clips: Segments of the small dataset.
        steps_s: Seconds of the steps of the first epoch; the first one holds the tracing.
        epoch_s: Seconds of validation and saving.
        quantisation_steps_s: Seconds of the steps of quantisation-aware training but the first.
        bytes: Size of the run folder.
    """

    clip_s: Mapping[str, float]
    phases: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    clips: Sizes = Sizes(0, 0, 0)
    steps_s: Sequence[float] = ()
    epoch_s: float = 0.0
    quantisation_steps_s: Sequence[float] = ()
    bytes: int = 0


@dataclass(frozen=True)
class Estimate:
    """What a stage will take in the real run.

    Args:
        stage: The stage.
        steps: Steps of its training.
        step_s: Seconds of one of them.
        phases: Seconds by the name of the phase, as in the times.json of the real run.
        memory_bytes: Peak memory.
        preparations: What the preparation of its dataset takes, at each rate, once for all stages that share it.
        bytes: Size of the run folder and of the outputs that are stored of its teachers.
    """

    stage: Stage
    steps: int
    step_s: float
    phases: Mapping[str, float]
    memory_bytes: int
    preparations: Sequence[Preparation]
    bytes: int

    @property
    def seconds(self) -> float:
        """Seconds of all phases."""
        return sum(self.phases.values())


def estimate(
    stage: Stage,
    sizes: Sizes,
    preparations: Sequence[Preparation],
    measured: Measured,
    teachers_clip_s: Sequence[float],
    stored: int,
) -> Estimate:
    """The estimate of a stage.

    Args:
        stage: The stage of the real chain.
        sizes: Segments of its dataset.
        preparations: What the preparation of its dataset takes, at its rate and at those of runs that it names as
            teachers.
        measured: What the rehearsal measured.
        teachers_clip_s: Seconds a clip of every teacher run.
        stored: Numbers that are stored of a training segment: logits and embeddings of all teacher runs.
    """
    recipe, step_s = stage.recipe, steady(measured.steps_s)
    steps = recipe.train.epochs * dataset.whole_steps(recipe, sizes.train)
    seconds = {name: phase["seconds"] for name, phase in measured.phases.items()}
    more = Sizes(*(whole - small for whole, small in zip(_tuple(sizes), _tuple(measured.clips), strict=True)))
    phases = {"data": seconds["data"] + _normalisation_s(recipe, more, measured)}
    if "teachers" in seconds:
        fitted = more.validation if recipe.distill.ensemble == "weighted" else 0
        clips = recipe.distill.crops * ((more.train if stored else 0) + fitted)
        phases["teachers"] = seconds["teachers"] + clips * sum(teachers_clip_s)
    phases["training"] = _training_s(seconds["training"], recipe.train.epochs, steps, step_s, more, measured)
    if "devices" in seconds:  # the small dataset has as good as all devices
        epochs = recipe.per_device.epochs
        validation_s = epochs * more.validation * measured.clip_s["float"]
        phases["devices"] = seconds["devices"] + device_steps(recipe, sizes, epochs) * step_s + validation_s
    if "quantisation" in seconds:
        phases["quantisation"] = _quantisation_s(seconds["quantisation"], recipe, sizes, more, measured)
    networks = 2 if recipe.per_device else 1  # that compute a clip: the general one, and that of its device
    phases["evaluation"] = seconds["evaluation"] + networks * more.test * _forms_s(measured, ("float", "tflite"))
    return Estimate(
        stage,
        steps,
        step_s,
        phases,
        int(max(phase["peak_memory_bytes"] for phase in measured.phases.values())),
        preparations,
        measured.bytes + BYTES * sizes.train * stored,
    )


def steady(steps_s: Sequence[float]) -> float:
    """Seconds of a step of a long training: the mean without the first steps, whose clips were prepared before."""
    later = steps_s[1:]
    skipped = min(WARM_UP, len(later) // 2)
    return float(np.mean(later[skipped:]))


def seconds_a_clip(run: TrainedRun, data: LoadedDataset, budget_s: float) -> dict[str, float]:
    """Measures the seconds that a run takes for a clip, from wave to logits, in every form that is evaluated.

    Args:
        run: The run.
        data: A dataset whose test split, repeated, is computed.
        budget_s: Seconds for which a form is measured; one batch may take longer.
    """
    batch = max(1, round(BATCH / run.recipe.data.segment_s))
    source = build.source(run.recipe, data, np.resize(data.test, batch))
    inputs = build.evaluation_batches(run.folder, source, batch).repeat()
    functions = {form: run.form(form) for form in EVALUATED if form in run.forms} | {"front end": tf.identity}
    return {name: _seconds_a_batch(function, inputs, budget_s) / batch for name, function in functions.items()}


def _seconds_a_batch(function, inputs, budget_s):
    """Mean seconds of a batch after the first ones, of which the first traces and the others are prefetched."""
    ends_s = []
    for x in inputs:
        function(x)
        ends_s.append(time.monotonic())
        if len(ends_s) > 1 and ends_s[-1] - ends_s[0] > budget_s:
            break
    skipped = min(WARM_UP, (len(ends_s) - 1) // 2)
    return (ends_s[-1] - ends_s[skipped]) / (len(ends_s) - 1 - skipped)


def table(estimates: Sequence[Estimate]) -> str:
    """Estimates as text: a line a stage, then time, memory and disk of the whole.

    Args:
        estimates: Those of all stages.
    """
    names = list(dict.fromkeys(name for one in estimates for name in one.phases))
    lines = [
        "",
        "what the real run will take on this machine, in seconds",
        _line("stage", "", "steps", "s/step", names),
    ]
    for one in estimates:
        cells = [f"{one.phases[name]:,.1f}" if name in one.phases else "" for name in names]
        memory = [f"{one.seconds / 3600:,.2f} h", f"{one.memory_bytes / 1e9:.1f} GB"]
        lines.append(_line(one.stage.title, one.stage.path.name, f"{one.steps:,}", f"{one.step_s:.3f}", cells + memory))
    for one in _preparations(estimates):
        lines.append(f"data    {one.name}: {one.files:,} files, {one.seconds:,.1f} s, {one.bytes / 1e9:.2f} GB")
    hours = sum(one.seconds for one in [*_preparations(estimates), *estimates]) / 3600
    memory = max((one.memory_bytes for one in estimates), default=0)
    total = f"in all: {hours:,.2f} hours, at most {memory / 1e9:.1f} GB of memory, {disk_bytes(estimates) / 1e9:.2f} GB"
    return "\n".join([*lines, f"{total} of disk"])


def disk_bytes(estimates: Sequence[Estimate]) -> int:
    """Bytes of prepared clips, which stages of one dataset and rate share, and of run folders."""
    return sum(one.bytes for one in [*_preparations(estimates), *estimates])


def warnings(estimates: Sequence[Estimate], networks: Mapping[str, RunFolder]) -> list[str]:
    """What will or may go wrong in the real run, a line each.

    Args:
        estimates: Those of all stages.
        networks: Rehearsed runs of the networks for the device, by name.
    """
    lines = [line for name, run in networks.items() if run.recipe.quantise for line in _device_warnings(name, run)]
    total = _machine_bytes()
    for one in estimates:
        if total and one.memory_bytes > MOST_MEMORY * total:
            used = f"{one.memory_bytes / 1e9:.1f} of this machine's {total / 1e9:.1f} GB of memory"
            lines.append(f"WARNING: {one.stage.path.name} needs {used}; lower train.batch_size.")
    if estimates:
        needed, free = disk_bytes(estimates), shutil.disk_usage(_existing(estimates[-1].stage.path)).free
        if needed > free:
            lines.append(f"WARNING: {needed / 1e9:.1f} GB of disk are needed and {free / 1e9:.1f} GB are free.")
    return lines


def _preparations(estimates):
    """Each preparation once, those that are done left out."""
    return [one for one in {one.name: one for each in estimates for one in each.preparations}.values() if one.files]


def _device_warnings(name, run):
    """Limits of the challenge and operations without a kernel, of the rehearsed int8 file."""
    lines = []
    if run.has(layout.METADATA):
        lines += [f"WARNING: {name}: {text}" for text in metadata.limit_warnings(run.read(layout.METADATA))]
    if run.has(layout.INT8):
        try:
            tflm.count_operations((run.path / layout.INT8).read_bytes())
        except UserError as error:
            lines.append(f"WARNING: {name}: for microcontrollers: {error}")
    return lines


def _training_s(seconds, epochs, steps, step_s, more, measured):
    """Real seconds of a training whose first epoch was measured for some steps and whose second had one."""
    fixed = seconds - sum(measured.steps_s[1:]) - 2 * step_s - measured.epoch_s
    validation_s = more.validation * measured.clip_s["float"]
    return fixed + steps * step_s + (epochs - 1) * measured.epoch_s + epochs * validation_s


def _quantisation_s(seconds, recipe, sizes, more, measured):
    """Real seconds of quantisation, conversion and comparison of the forms."""
    seconds += more.test * _forms_s(measured, EVALUATED)
    if not recipe.quantise.epochs:
        return seconds
    steps = recipe.quantise.epochs * dataset.whole_steps(recipe, sizes.train)
    if recipe.per_device:
        steps += device_steps(recipe, sizes, recipe.quantise.epochs)
    return seconds + (steps - len(measured.quantisation_steps_s) - 1) * float(np.median(measured.quantisation_steps_s))


def _normalisation_s(recipe, more, measured):
    if not recipe.normalise or recipe.normalise.by != "bands":
        return 0.0
    return more.train * measured.clip_s["front end"]


def _forms_s(measured, forms):
    """Seconds a clip of several forms whose front end is computed once."""
    front_end = measured.clip_s["front end"]
    return front_end + sum(max(0.0, measured.clip_s[form] - front_end) for form in forms if form in measured.clip_s)


def _tuple(sizes):
    return (sizes.train, sizes.validation, sizes.test)


def _machine_bytes():
    """Memory of this machine, or of the group of processes where that is limited; 0 where it is not known."""
    limits = [Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes")]
    known = [int(text) for file in limits if file.is_file() and (text := file.read_text().strip()).isdigit()]
    return min([value for value in [*known, times.machine_bytes()] if value], default=0)


def _existing(path: Path) -> Path:
    return path if path.exists() else _existing(path.absolute().parent)


def _line(title, name, steps, step_s, cells):
    return f"{title:8s}{name:42s}{steps:>10s}{step_s:>9s}" + "".join(f"{cell:>13s}" for cell in cells)
