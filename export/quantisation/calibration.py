"""Choice of the clips on which the ranges of an int8 network are measured.

Source: Tencent's submission to DCASE 2023 Task 1 chooses calibration clips by class and device.
Post-training quantisation is quantisation-aware training of no epochs: the same ranges and rounding.  TFLite's
method, its converter measuring, agreed on as many decisions as nearest rounding did here (109 of 110 real seconds,
without GRN), and knows neither float layers nor dead channels nor outliers.
"""

import itertools

import numpy as np
import tensorflow as tf

from asc_tf import build
from asc_tf.data import batches
from asc_tf.dataset import LoadedDataset
from asc_tf.errors import UserError
from asc_tf.runs import layout
from asc_tf.runs.folder import RunFolder

BATCH = 32  # clips whose activations are in memory at once


def calibration_batches(run: RunFolder, data: LoadedDataset) -> list[tf.Tensor]:
    """Spectrograms of the calibration clips, which are listed in the run's file layout.CALIBRATION_CLIPS.

    Before quantisation-aware training they are augmented as its clips are, so that ranges and means are those of the
    training batches.

    Args:
        run: Run of the network.
        data: Its data.

    Returns:
        Batches (clips, bands, frames, channels) float32.

    Raises:
        UserError: The training split is empty.
    """
    recipe = run.recipe
    labels, devices = data.column("label", data.train), data.column("device", data.train)
    indices = select_clips(labels, devices, count=recipe.quantise.calibration_clips, seed=recipe.seed)
    rows = data.train[indices]
    columns = zip(data.names(rows), labels[indices], devices[indices], strict=True)
    table = [{"clip": str(clip), "label": str(label), "device": str(device)} for clip, label, device in columns]
    run.write_rows(layout.CALIBRATION_CLIPS, table)
    clips = batches.evaluation(build.source(recipe, data, rows), BATCH).enumerate()
    if recipe.quantise.method == "ptq":
        to_input = build.network_input(run)
        return list(clips.map(lambda _, batch: to_input(batch["wave"])))
    normalise = build.normaliser(run)

    @tf.autograph.experimental.do_not_convert  # it would warn of the imports within
    def augmented(step, batch):
        return normalise(build.augmented(recipe, dict(batch), step)["mel"])

    return list(clips.map(augmented))


def select_clips(labels: np.ndarray, devices: np.ndarray, *, count: int, seed: int) -> np.ndarray:
    """Random clips, from every pair of class and device in turn.

    Args:
        labels: (clips,) classes.
        devices: (clips,) devices.
        count: Number of clips to select; all are where there are no more.
        seed: Seed of the choice.

    Returns:
        Indices of the selected clips, in order.

    Raises:
        UserError: There are no clips.
    """
    if not len(labels):
        raise UserError("quantise: there are no training clips to calibrate the ranges with.")
    rng = np.random.default_rng(seed)
    pairs = {}
    for index in rng.permutation(len(labels)).tolist():
        pairs.setdefault((labels[index], devices[index]), []).append(index)
    in_turn = (index for turn in itertools.zip_longest(*pairs.values()) for index in turn if index is not None)
    return np.sort(list(itertools.islice(in_turn, count)))
