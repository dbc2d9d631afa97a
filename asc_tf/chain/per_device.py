"""Fine-tuning of a trained network for every recording device, by [per_device] of its recipe.

Source: DCASE 2025 Challenge, Task 1, and its baseline: a general network, a copy of it for each device of the training
        clips, the general one for all other devices; the limits of size hold for each of them.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from asc_tf import build, dataset
from asc_tf.data import batches
from asc_tf.dataset import LoadedDataset
from asc_tf.errors import UserError, nearest
from asc_tf.inference.run import TrainedRun
from asc_tf.recipe.device_recipe import device_recipe
from asc_tf.recipe.schema import Recipe
from asc_tf.runs import atomic, device_runs, digests, layout
from asc_tf.runs import folder as run_folder
from asc_tf.runs.folder import RunFolder
from asc_tf.training.distribution import Distribution
from asc_tf.training.fit import FineTuning, fit
from asc_tf.training.teacher_runs import TeacherRun

COPIED = (layout.LABELS, layout.NORMALISATION, layout.ENSEMBLE)  # from the general run to that of a device


def devices(recipe: Recipe, data: LoadedDataset) -> list[str]:
    """Names of the devices for which a recipe has networks trained; none without [per_device].

    Args:
        recipe: The recipe.
        data: Its dataset.

    Raises:
        UserError: The training clips are of no known device, or not of one that the recipe names.
    """
    if recipe.per_device is None:
        return []
    known = sorted(set(data.column("device", data.train).tolist()) - {""})
    if not known:
        raise UserError(f"{recipe.file}: per_device: the devices of the training clips are not known; leave it out.")
    if wrong := [device for device in recipe.per_device.devices if device not in known]:
        raise UserError(
            f"{recipe.file}: per_device.devices: no training clip is of '{wrong[0]}'. {nearest(wrong[0], known)}"
        )
    return list(recipe.per_device.devices) or known


def check(recipe: Recipe, data: LoadedDataset) -> None:
    """Checks, before any training, that every device has the clips that its network needs.

    Args:
        recipe: A recipe with [per_device].
        data: Its dataset.

    Raises:
        UserError: A device has not a batch of training clips, or no clip of a class that [train] weights or balances.
    """
    of_device = device_recipe(recipe)
    for device in devices(recipe, data):
        try:
            dataset.whole_steps(of_device, len(build.training_source(of_device, data.of_device(device))))
        except UserError as error:
            raise UserError(f"{error} This is of device '{device}'; see per_device.batch_size and .devices.") from error


def source_of(recipe: Recipe, source: batches.Source, data: LoadedDataset, device: str) -> batches.Source:
    """The training segments of a device, with the stored outputs of teachers, weighted and balanced among themselves.

    Args:
        recipe: Recipe of the general network.
        source: Its training segments.
        data: Its dataset.
        device: The device.
    """
    part = source.part(np.flatnonzero(source.devices == device))
    return build.training_source(device_recipe(recipe), data.of_device(device), part.columns)


def fine_tune(
    run: RunFolder,
    sources: Mapping[str, batches.Source],
    data: LoadedDataset,
    *,
    distribution: Distribution,
    teachers: Sequence[TeacherRun],
    embedding_sizes: Sequence[int],
) -> dict[str, RunFolder]:
    """Trains the networks of all devices that are not trained yet, from the epoch where one stopped if it did.

    Args:
        run: Run of the general network, which is trained.
        sources: Training segments by device.
        data: Dataset of the general network.
        distribution: The processes and devices that train together.
        teachers: As for `fit`.
        embedding_sizes: As for `fit`.

    Returns:
        Their runs by device.
    """
    runs = {device: _create(run, device, distribution) for device in sources}
    section, general = run.recipe.per_device, TrainedRun(run)
    for device, own in runs.items():
        if own.has(layout.DIGESTS):
            print(f"device {device}: reused", flush=True)
            continue
        fit(
            own,
            sources[device],
            data.of_device(device),
            title=f"device {device}",
            distribution=distribution,
            initial=general,
            fine_tuning=FineTuning(run.recipe.train.epochs, section.train == "head"),
            teachers=teachers,
            embedding_sizes=embedding_sizes,
        )
        distribution.on_chief(lambda own=own: digests.write(own))
    return runs


def _create(run: RunFolder, device: str, distribution: Distribution) -> RunFolder:
    """The folder of a device's run, with what it has from the general run."""
    own = device_runs.folder_of(run, device)

    def create():
        atomic.remove_unfinished(own.path)
        created = run_folder.create(own.path, own.recipe, resume=True)
        for name in filter(run.has, COPIED):
            if not created.has(name):
                created.write(name, run.read_bytes(name))
        return created

    return distribution.on_chief(create, then=lambda: run_folder.open_shared(own.path, own.recipe))
