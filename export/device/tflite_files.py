"""TFLite files of a trained run: int8, float16, and the one that takes the waveform."""

import dataclasses
from pathlib import Path

from asc_tf.data.lock import locked
from asc_tf.errors import UserError
from asc_tf.export.device import comparison, wave
from asc_tf.export.quantisation import metadata
from asc_tf.export.quantisation import run as quantisation
from asc_tf.inference import device_table
from asc_tf.inference.run import TrainedRun
from asc_tf.recipe.device_recipe import device_recipe
from asc_tf.recipe.schema import Recipe
from asc_tf.runs import atomic, device_runs, digests, layout, replace
from asc_tf.runs.products import DESCRIPTIONS

_, WAVE_KEY = DESCRIPTIONS[layout.WAVE]
LITERT_SCRIPT = Path(__file__).with_name("predict_litert.py")  # copied beside the files


def write_all_int8(run: TrainedRun, recipe: Recipe) -> list[str]:
    """Makes the int8 files of a run and of the networks of its devices, and the table of these.

    Args:
        run: A trained or imported run.
        recipe: The recipe that quantises it: its clips, augmentation and [quantise]. The network of a device is
            quantised with those of its clips that are of the device, by the [per_device] of the run's recipe.

    Returns:
        Warnings, as of `write_int8`.

    Raises:
        UserError: A file cannot be made.
    """
    devices = device_runs.load(run.folder, replaced=True)
    warnings = write_int8(run, recipe)
    of_device = device_recipe(dataclasses.replace(recipe, per_device=run.recipe.per_device)) if devices else None
    for device, own in devices.items():
        print(f"\ndevice {device}", flush=True)
        warnings += write_int8(TrainedRun(own), of_device, device)
    if devices:
        device_table.write(TrainedRun(run.folder), devices)
    return warnings


def write_int8(run: TrainedRun, recipe: Recipe, device: str | None = None) -> list[str]:
    """Makes the int8 file of a run, its comparison with the float network, the file from waveform and a script for it.

    Where the front end has no form in TFLite's operations the last one is left out with a warning.

    Args:
        run: A trained or imported run.
        recipe: The recipe that quantises it: its clips, augmentation and [quantise].
        device: Recording device to whose clips those of the recipe are limited; None for all.

    Returns:
        Warnings, a line for every limit of the DCASE challenge that the network is over.

    Raises:
        UserError: The file cannot be made.
    """
    with (
        locked(run.path, wait=False),
        replace.together(run.path, needed=(*layout.NETWORK, layout.DIGESTS), replaced=layout.OF_INT8) as folder,
    ):
        atomic.remove_unfinished(run.path)
        quantised, data = quantisation.quantise_anew(run, recipe, folder, device)
        comparison.write_report(quantised, data, thorough=False)
        tree = quantised.folder.read(layout.METADATA)
        try:
            content = wave.convert(quantised.folder)
        except UserError as error:
            print(f"WARNING: there is no {layout.WAVE}: {error}", flush=True)
            return metadata.limit_warnings(tree)
        quantised.folder.write(layout.WAVE, content)
        quantised.folder.write(layout.LITERT_SCRIPT, LITERT_SCRIPT.read_bytes())
        quantised.folder.write_json(layout.METADATA, tree | {WAVE_KEY: digests.sha256(content)})
    return metadata.limit_warnings(tree)
