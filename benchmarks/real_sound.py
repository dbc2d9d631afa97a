"""Networks on real sounds, ESC-10: each official fold held out once, several seeds, clean and unseen microphones.

Run:     python benchmarks/real_sound.py [--rows NAME ...] [--folds 1 2 3 4] [--seeds 1 2 3] [--runs runs/real_sound]
                                         [--data ../shared/data] [--weights FOLDER] [--inner] [--set KEY=VALUE ...]
Output:  benchmarks/real_sound.json, a record for each row, fold and seed, and the tables that real_sound_tables.py
         makes from it: accuracy of seconds and of clips, float and int8, clean and by microphones that training does
         not use, parameters, bytes, MACs and latency.
Needs:   --data FOLDER with `esc10` and `micirp`; --weights FOLDER with the public weights of MN04 (EfficientAT's
         mn04_as_mAP_432.pt under the name in WEIGHTS) and YAMNet-256.

The networks are those of the shipped recipes esc10_*. Finished runs are reused and an unfinished one is resumed, so
the same command continues after an interruption; rows, folds and seeds of former commands stay in the tables. --inner
holds out fold 3 with fold 4 left out altogether, prints and writes nothing: the settings were chosen that way.
"""

import argparse
import dataclasses
import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from distillation import SHARED
from latency import milliseconds
from real_sound_tables import RECORD, tables, write

# Name of an imported run -> (file of --weights, recipe, whether the file has no head).
WEIGHTS = {
    "mn04": ("mn04_audioset_efficientat.pt", "mn_audioset", False),
    "yamnet256": ("rivals/yamnet_256_f32.h5", "yamnet256", True),
}

# Microphones of these makers are for the test alone: 16 of the 50 of MicIRP. No maker is on both sides.
TEST_MAKERS = ("IR_Oktava", "Oktava", "IR_STC", "Toshiba", "B&O", "Beomic", "Sony", "Telefunken", "EV_")
RESPONSES_A_CLIP = 4  # of the 16, in turn
MADE_UP = ("s4", "s5", "s6")  # the devices that the quickstart's training does not have
LATENCY_S = 1.0  # of its measurement
OVERLAPPING_S = 0.5  # between the starts of seconds that overlap by half
INNER = ["dataset.test_fold=3", "dataset.left_out_folds=[4]"]


class Row(NamedTuple):
    """A row of the tables.

    Args:
        recipe: Name of a shipped recipe.
        overrides: KEY=VALUE texts.
        alone: Whether its teachers and the weights that it starts from are left out.
    """

    recipe: str
    overrides: Sequence[str] = ()
    alone: bool = False


CHANGES = ["esc10_*:augmentation.device_impulse.folder=micirp_training"]  # of all rows
NO_MICROPHONES = ["augmentation.device_impulse.p=0", "augmentation.freq_mixstyle.p=0"]
FEWER_EPOCHS = ["train.epochs=100", "augmentation.wave_mixup.p=0.6"]  # as of esc10_cp_mobile
SMALL = ["model.width=16"]
TF_SEPNET = ['model={name="tf_sepnet", width=64, depth=17, kernel=3, norm_factor=0.1, dropout=0.1}']
ROWS = {
    "MN04": Row("esc10_mn04"),
    "start of MN04": Row("esc10_mn04_start"),
    "start of MN04, without DIR and Freq-MixStyle": Row("esc10_mn04_start", NO_MICROPHONES),
    "start of MN04, from random weights": Row("esc10_mn04_start", alone=True),
    "CP-Mobile, alone": Row("esc10_mn04_kd", alone=True),
    "CP-Mobile, distilled from MN04": Row("esc10_mn04_kd"),
    "CP-Mobile, alone, 100 epochs": Row("esc10_cp_mobile"),
    "CP-Mobile, distilled from MN04, 100 epochs": Row("esc10_mn04_kd", FEWER_EPOCHS),
    "CP-Mobile of width 16, alone": Row("esc10_mn04_kd", SMALL, alone=True),
    "CP-Mobile of width 16, distilled from MN04": Row("esc10_mn04_kd", SMALL),
    "TF-SepNet, alone": Row("esc10_mn04_kd", TF_SEPNET, alone=True),
    "TF-SepNet, distilled from MN04": Row("esc10_mn04_kd", TF_SEPNET),
    "YAMNet-256": Row("esc10_yamnet256"),
}


def responses(micirp: Path, folder: Path) -> tuple[Path, Path]:
    """Copies the impulse responses to two folders, for training and for the test.

    Args:
        micirp: Folder of all.
        folder: Folder that gets the two.

    Returns:
        The folders of training and test.
    """
    parts = folder / "micirp_training", folder / "micirp_test"
    for part in parts:
        part.mkdir(parents=True, exist_ok=True)
    for file in sorted(micirp.iterdir()):
        target = parts[file.name.startswith(TEST_MAKERS)] / file.name
        if not target.is_file():
            shutil.copyfile(file, target)
    return parts


def imported(weights: Path, runs: Path) -> None:
    """Imports the public weights to folders beside the runs, where they are not there.

    Args:
        weights: Folder of the files of WEIGHTS.
        runs: Folder of the runs.
    """
    from asc_tf.importing.weights import import_weights
    from asc_tf.recipe import resolve

    for name, (file, recipe, new_head) in WEIGHTS.items():
        if not (runs / name).is_dir():
            import_weights(weights / file, resolve.load(recipe), runs / name, new_head=new_head)


def accuracies(
    probabilities: np.ndarray, labels: np.ndarray, files: Sequence[str], silent: np.ndarray
) -> dict[str, float]:
    """Macro accuracy in percent: of seconds, of those with sound and, by the mean of their probabilities, of clips.

    Args:
        probabilities: (seconds, classes).
        labels: (seconds,).
        files: (seconds,) names of the clips.
        silent: (seconds,) whether a second is digital silence.

    Returns:
        {"seconds", "with sound", "clips"}.
    """
    from asc_tf import metrics

    first, of_clips = metrics.mean_by_file(files, probabilities)
    return {
        "seconds": 100 * metrics.macro_accuracy(labels, probabilities),
        "with sound": 100 * metrics.macro_accuracy(labels[~silent], probabilities[~silent]),
        "clips": 100 * metrics.macro_accuracy(labels[first], of_clips),
    }


def evaluate(run: Any, clips: Sequence[tuple[Path, int]], unseen: Path) -> dict[str, Any]:
    """Accuracies of a run's float network and int8 file on the test clips, and its costs.

    Args:
        run: The trained run.
        clips: (file, class) of every test clip.
        unseen: Folder of the impulse responses of the test.

    Returns:
        {"cost", "float", "int8"}; of the forms {"clean", "microphones", "made_up"}, see `accuracies`, and
        {"overlapping": {"clips"}}, by the mean over seconds that overlap by half.
    """
    from asc_tf.evaluation.evaluate import NETWORKS
    from asc_tf.runs import layout
    from asc_tf.tflite import file as tflite_file

    scores = json.loads((run.path / "metrics.json").read_text())
    found = {"cost": {name: of_form["cost"] for name, of_form in scores.items()}}
    if "int8" in found["cost"]:
        model = tflite_file.TFLiteModel(run.folder.read(layout.INT8))
        second = np.zeros((1, *model.input_shape), np.float32)
        latency_ms = milliseconds(lambda: model(second), LATENCY_S, min)
        found["cost"]["int8"] |= {"file_bytes": len(model.content), "latency_ms": round(latency_ms, 2)}
    for name in scores:
        found[name] = {
            kind: accuracies(*_predicted(run, NETWORKS[name], clips, sounds))
            for kind, sounds in (("clean", _clean), ("microphones", _microphones(unseen)), ("made_up", _made_up))
        }
        overlapping = accuracies(*_predicted(run, NETWORKS[name], clips, _clean, OVERLAPPING_S))
        found[name]["overlapping"] = {"clips": overlapping["clips"]}
    return found


def _predicted(run, form, clips, sounds, hop_s=1.0):
    """Probabilities, labels, clip names and silence of the seconds of every sound of every clip."""
    rows, labels, names, silent = [], [], [], []
    for number, (file, label) in enumerate(clips):
        for version, (sound, rate_hz) in enumerate(sounds(file, number)):
            probabilities = run.predict(sound, rate_hz, form=form, hop_s=hop_s)
            rows.append(probabilities)
            labels += [label] * len(probabilities)
            names += [f"{file.name} {version}"] * len(probabilities)
            starts = [round(segment * hop_s * rate_hz) for segment in range(len(probabilities))]
            silent += [not np.any(sound[start : start + rate_hz]) for start in starts]
    return np.concatenate(rows), np.array(labels), names, np.array(silent)


def _clean(file, number):
    from asc_tf.data import audio

    return [audio.read(file)]


def _microphones(folder):
    """Function from a clip and its number to the clip by RESPONSES_A_CLIP of the responses in a folder, in turn."""
    import scipy.signal
    import soundfile
    import soxr

    from asc_tf.data import audio

    read = [soundfile.read(file, dtype="float32", always_2d=True) for file in sorted(folder.iterdir())]

    def sounds(file, number):
        samples, rate_hz = audio.read(file)
        sound = samples.reshape(len(samples), -1).mean(axis=1)
        for index in range(number, number + RESPONSES_A_CLIP):
            response, response_hz = read[index % len(read)]
            taps = soxr.resample(response.mean(axis=1), response_hz, rate_hz, "HQ")
            yield scipy.signal.fftconvolve(sound, taps)[: len(sound)].astype(np.float32), rate_hz

    return sounds


def _made_up(file, number):
    """A clip as by each device of MADE_UP, every second a take of its own, with silence after it."""
    from asc_tf.data import audio
    from asc_tf.data.synthetic import devices
    from asc_tf.data.synthetic.synthesis import RATE_HZ, SAMPLES

    samples, rate_hz = audio.read(file)
    seconds = audio.cut(audio.resample(samples, rate_hz, RATE_HZ), RATE_HZ, 1.0)
    for index, device in enumerate(MADE_UP):
        rng = np.random.default_rng([number, index])
        takes = [devices.record(np.pad(second, (0, SAMPLES - RATE_HZ)), device, rng) for second in seconds]
        yield np.concatenate([take[:RATE_HZ] for take in takes]), RATE_HZ


def measure(name: str, fold: int, seed: int, options: argparse.Namespace) -> dict[str, Any]:
    """Trains a row on all folds but one, where its run is not finished, and evaluates it on that one.

    Args:
        name: The row.
        fold: The fold that is held out.
        seed: Seed of the run.
        options: Of the command line.
    """
    from asc_tf import dataset
    from asc_tf.chain.train import train
    from asc_tf.recipe import resolve

    runs = options.runs.resolve()
    data = runs / "data"
    row, held_out = ROWS[name], INNER if options.inner else [f"dataset.test_fold={fold}"]
    changes = [*CHANGES, f"*:data.prepared_folder={runs / 'prepared'}", *row.overrides, *held_out, *options.overrides]
    recipe = resolve.load(row.recipe, [*changes, f"seed={seed}"], data=data)
    if row.alone:
        recipe = dataclasses.replace(recipe, init=None, teacher=(), distill=None)
    folder = runs / ("inner" if options.inner else "held_out")
    imported(options.weights.resolve(), folder)
    run = train(recipe, folder / f"{_slug(name)}-{fold}-{seed}", resume=True)
    tested = dataset.load(recipe, quiet=True)
    names, labels = tested.column("file", tested.test), tested.labels(tested.test)
    clips = {data / "esc10/audio" / Path(file).name: int(label) for file, label in zip(names, labels, strict=True)}
    return evaluate(run, list(clips.items()), data / "micirp_test")


def _slug(name):
    return "".join(character if character.isalnum() else "_" for character in name)


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS), metavar="NAME")
    parser.add_argument("--folds", type=int, nargs="+", default=[1, 2, 3, 4])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--runs", type=Path, default=Path("runs/real_sound"))
    parser.add_argument("--data", type=Path, default=SHARED)
    parser.add_argument("--weights", type=Path, default=SHARED.parent / "checkpoints")
    parser.add_argument("--inner", action="store_true")
    parser.add_argument("--set", action="append", default=[], dest="overrides", metavar="KEY=VALUE")
    options = parser.parse_args()
    needed = [options.weights / file for file, _, _ in WEIGHTS.values()]
    for file in (options.data / "esc10/meta.csv", options.data / "micirp", *needed):
        if not file.exists():
            parser.error(f"{file} does not exist: --data FOLDER has esc10 and micirp, --weights FOLDER public weights.")
    data = options.runs.resolve() / "data"
    responses(options.data / "micirp", data)
    if not (data / "esc10").exists():
        os.symlink((options.data / "esc10").resolve(), data / "esc10")
    records = json.loads(RECORD.read_text()) if RECORD.is_file() and not options.inner else {}
    for seed in options.seeds:
        for fold in [3] if options.inner else options.folds:
            for name in options.rows:
                if f"{fold} {seed}" in records.get(name, {}):
                    continue
                records.setdefault(name, {})[f"{fold} {seed}"] = measure(name, fold, seed, options)
                print(f"\n{tables(records)}\n", flush=True)
                if not options.inner:
                    RECORD.write_text(json.dumps(records, indent=1) + "\n")
                    write(records)


if __name__ == "__main__":
    main()
