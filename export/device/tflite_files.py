"""TFLite files of a trained run: int8, float16, and the one that takes the waveform."""

from pathlib import Path

from asc_tf.data.lock import locked
from asc_tf.errors import UserError
from asc_tf.export.device import comparison, wave
from asc_tf.export.quantisation import metadata
from asc_tf.export.quantisation import run as quantisation
from asc_tf.inference.run import TrainedRun
from asc_tf.recipe.schema import Recipe
from asc_tf.runs import atomic, digests, layout, replace
from asc_tf.runs.products import DESCRIPTIONS

_, WAVE_KEY = DESCRIPTIONS[layout.WAVE]
LITERT_SCRIPT = Path(__file__).with_name("predict_litert.py")  # copied beside the files


def write_int8(run: TrainedRun, recipe: Recipe) -> list[str]:
    """Makes the int8 file of a run, its comparison with the float network, the file from waveform and a script for it.

    Where the front end has no form in TFLite's operations the last one is left out with a warning.

    Args:
        run: A trained or imported run.
        recipe: The recipe that quantises it: its clips, augmentation and [quantise].

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
        quantised, data = quantisation.quantise_anew(run, recipe, folder)
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
