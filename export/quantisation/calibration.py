"""On which clips are the ranges of an int8 network measured?

Source: Tencent's submission to DCASE 2023 Task 1 chooses calibration clips by class and device.
Post-training quantisation is quantisation-aware training of no epochs: the same ranges and rounding.  TFLite's own
way, its converter measuring, agreed on as many decisions as nearest rounding did here (109 of 110 real seconds,
without GRN), and knows neither float layers nor dead channels nor outliers.
"""

import itertools

import numpy as np

from asc_tf import build
from asc_tf.data import batches
from asc_tf.errors import UserError
from asc_tf.runs import layout as files

BATCH = 32  # clips whose activations are held at once


def calibration(run, data):
    """[(clips, bands, frames, channels), ...] spectrograms of the clips that `chosen` takes, told in files.CALIBRATION_CLIPS.

    Where training follows they are augmented as in training: ranges and means are those of what it hears.
    Raises UserError when the training split is empty.
    """
    recipe = run.recipe
    labels, devices = data.column("label", data.train), data.column("device", data.train)
    places = chosen(labels, devices, count=recipe.quantise.calibration_clips, seed=recipe.seed)
    rows = data.train[places]
    columns = zip(data.names(rows), labels[places], devices[places], strict=True)
    run.write_rows(
        files.CALIBRATION_CLIPS, [{"clip": str(c), "label": str(a), "device": str(b)} for c, a, b in columns]
    )
    heard = batches.evaluation(build.source(recipe, data, rows), BATCH).enumerate()
    if recipe.quantise.method == "ptq":
        to_input = build.network_input(run)
        return list(heard.map(lambda _, batch: to_input(batch["wave"])))
    normalise = build.normaliser(run)
    return list(heard.map(lambda step, batch: normalise(build.augmented(recipe, dict(batch), step)["mel"])))


def chosen(labels, devices, *, count, seed):
    """Positions of `count` clips, or all there are, in order: from every (class, device) in turn, drawn by the seed.

    labels, devices: (clips,).  Raises UserError when there are none.
    """
    if not len(labels):
        raise UserError("quantise: there are no training clips to calibrate the ranges with.")
    rng = np.random.default_rng(seed)
    cells = {}
    for place in rng.permutation(len(labels)).tolist():
        cells.setdefault((labels[place], devices[place]), []).append(place)
    in_turn = (place for turn in itertools.zip_longest(*cells.values()) for place in turn if place is not None)
    return np.sort(list(itertools.islice(in_turn, count)))
