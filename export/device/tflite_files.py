"""TFLite files of a trained run: int8, float16, and the one that takes the waveform."""

from pathlib import Path

from asc_tf.errors import UserError
from asc_tf.export.device import comparison, wave
from asc_tf.export.quantisation import metadata
from asc_tf.export.quantisation import run as quantisation
from asc_tf.inference.run import TrainedRun
from asc_tf.recipe.schema import Recipe
from asc_tf.runs import layout

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
    quantised, data = quantisation.quantise_anew(run, recipe)
    comparison.write_report(quantised, data, thorough=False)
    try:
        quantised.folder.write(layout.WAVE, wave.convert(quantised.folder))
        quantised.folder.write(layout.LITERT_SCRIPT, LITERT_SCRIPT.read_bytes())
    except UserError as error:
        print(f"WARNING: there is no {layout.WAVE}: {error}", flush=True)
    return metadata.limit_warnings(quantised.folder.read_json(layout.METADATA))
