"""Public networks for acoustic scenes on eight real recordings: right seconds in float and in int8, and their cost.

Run:     python benchmarks/real_scenes.py [--runs runs/real_scenes] [--data ../shared/data]
                                          [--checkpoints ../shared/checkpoints]
Output:  benchmarks/real_scenes.json and, made from it, benchmarks/real_scenes.md: of every network the seconds that it
         has right, what it says of each recording, parameters, MACs and bytes.
Needs:   --data FOLDER with `tut2018`, `scenes`, and for the int8 files `esc10` and `micirp`; --checkpoints FOLDER with
         the public weights, those of other projects in `rivals`.

Three networks are imported and made int8 twice by this project's programs, which takes half an hour on two busy cores.
Finished runs are reused, so that the same command continues after an interruption; a copy that was left unfinished is
named, to be removed. No tested second calibrates anything.
"""

import argparse
import collections
import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import rival_networks
import soundfile
from distillation import ROOT, SHARED
from int8 import quantised_copy
from rival_networks import SCENES

PAGE = Path(__file__).with_suffix(".md")
RECORD = Path(__file__).with_suffix(".json")
# File -> the classes that are right; of a street no more is known than that, of acoustic_scene nothing.
RECORDINGS = {
    "tut2018/airport.wav": ("airport",),
    "tut2018/metro.wav": ("metro",),
    "tut2018/park.wav": ("park",),
    "tut2018/shopping_mall.wav": ("shopping_mall",),
    "tut2018/street_traffic.wav": ("street_traffic",),
    "scenes/bus.wav": ("bus",),
    "scenes/street.wav": ("street_pedestrian", "street_traffic"),
    "scenes/acoustic_scene.wav": (),
}
TUT = [file for file in RECORDINGS if file.startswith("tut2018")]
OTHERS = [file for file in RECORDINGS if file not in TUT]
LOUDER_DB = 20
# Name -> recipe, file of weights, layers that its int8 recipe leaves in float, title.
IMPORTED = {
    "cp_mobile": (
        "cpjku2023_cp_mobile",
        "cp_mobile_dcase2023_cpjku.ckpt",
        '["b1_add", "b2_add", "b3_add", "b5_add"]',
        "CP-Mobile, CP-JKU 2023",
    ),
    "tf_sepnet": ("tf_sepnet2025", "tf_sepnet_dcase2025.ckpt", "[]", "TF-SepNet, 2025"),
    # When this was measured, TensorFlow 2.21 made no int8 file without these layers in float. Now it does.
    "tan_cnn_gru": (
        "tan2025_cnn_gru",
        "tan_cnn_gru_dcase2025.pt",
        '["conv2d_4_1_mean", "conv2d_4_1_rows", "bgru2d_4_1_input"]',
        "CNN-GRU, Tan 2025",
    ),
}
BASELINE, SB_CNN = "rivals/dcase2022_baseline_int8.tflite", "rivals/sb_cnn_tau2019.h5"
INT8_RECIPE = "cpjku2023_cp_mobile_int8"
RANGES_DB = (15, 20, 25, 30)  # upper ends that are tried for SB-CNN
Predict = Callable[[np.ndarray, int], np.ndarray]


def imported(name: str, runs: Path, checkpoints: Path) -> Path:
    """The run of a network's public weights, imported where that is not done.

    Args:
        name: Key of IMPORTED.
        runs: Folder of the runs.
        checkpoints: Folder of the weights.
    """
    recipe, file, *_ = IMPORTED[name]
    if not (runs / name / "import.txt").is_file():
        command = [sys.executable, "-m", "asc_tf.import_weights", str(checkpoints / file), "--recipe", recipe]
        subprocess.run([*command, "--out", str(runs / name)], check=True, cwd=ROOT)
    return runs / name


def quantised(run: Path, name: str, method: str, data: Path) -> Path:
    """A copy of a run that is int8, made where that is not done.

    Args:
        run: The run.
        name: Key of IMPORTED.
        method: "qat" or "ptq".
        data: Folder with `esc10` and `micirp`.
    """
    changes = [f"quantise.float_layers={IMPORTED[name][2]}", f"data.prepared_folder={run.parent / 'prepared'}"]
    if method == "ptq":
        changes[0] = f'quantise={{method="ptq", float_layers={IMPORTED[name][2]}}}'
    copy = run.with_name(f"{name}-{method}")
    quantised_copy(run, copy, *changes, options=["--on", INT8_RECIPE, "--data", str(data)])
    return copy


def judged(predict: Predict, data: Path, files: Sequence[str], gain_db: float = 0.0) -> dict[str, list[list[float]]]:
    """Probabilities of the seconds of recordings: {file: (seconds, classes)}, the classes as in SCENES.

    Args:
        predict: Function from samples (n, channels) and their rate in Hz to these probabilities.
        data: Folder of the recordings.
        files: Keys of RECORDINGS.
        gain_db: By which the recordings are amplified.
    """
    found = {}
    for file in files:
        samples, rate_hz = soundfile.read(data / file, always_2d=True)
        found[file] = predict(samples * 10 ** (gain_db / 20), rate_hz)
    return found


def summary(probabilities: np.ndarray) -> dict[str, Any]:
    """What a network says of a recording.

    Args:
        probabilities: (seconds, classes), the classes as in SCENES.

    Returns:
        {"seconds": a digit for every second, the number of its class in SCENES, "decided": class of the largest mean}.
    """
    seconds = "".join(map(str, np.argmax(probabilities, axis=1)))
    return {"seconds": seconds, "decided": SCENES[int(np.mean(probabilities, axis=0).argmax())]}


def right_seconds(said: Mapping[str, Mapping[str, Any]], files: Sequence[str]) -> int:
    """Number of seconds of recordings whose class is right.

    Args:
        said: {file: `summary` of it}.
        files: Keys of RECORDINGS.
    """
    return sum(SCENES[int(digit)] in RECORDINGS[file] for file in files for digit in said[file]["seconds"])


def equal_seconds(said: Mapping[str, Mapping[str, Any]], other: Mapping[str, Mapping[str, Any]]) -> int:
    """Number of seconds of TUT 2018 of which two forms of a network say the same."""
    return sum(a == b for file in TUT for a, b in zip(said[file]["seconds"], other[file]["seconds"], strict=True))


def measured(title: str, form: str, predict: Predict, data: Path, cost: Mapping[str, int]) -> dict[str, Any]:
    """The record of one form of a network.

    Args:
        title: Name of the network.
        form: As "float".
        predict: As `judged` takes it.
        data: Folder of the recordings.
        cost: "parameters", "macs" and "bytes".
    """
    said = {file: summary(values) for file, values in judged(predict, data, tuple(RECORDINGS)).items()}
    louder = {file: summary(values) for file, values in judged(predict, data, TUT, LOUDER_DB).items()}
    row = {"network": title, "form": form, **cost, "said": said, "louder": louder}
    print(f"{title}, {form}: {right_seconds(said, TUT)} of 50, {LOUDER_DB} dB louder {right_seconds(louder, TUT)}")
    return row


def measure_imported(name: str, runs: Path, data: Path, checkpoints: Path) -> list[dict[str, Any]]:
    """The records of an imported network: in float, int8 after training, int8 after calibration alone.

    Args:
        name: Key of IMPORTED.
        runs: Folder of the runs.
        data: Folder of the recordings.
        checkpoints: Folder of the weights.
    """
    from asc_tf.cost import measure
    from asc_tf.inference.run import TrainedRun
    from asc_tf.runs import folder

    path, title = imported(name, runs, checkpoints), IMPORTED[name][3]
    run = TrainedRun(folder.load(path))
    if tuple(run.labels) != SCENES:
        raise SystemExit(f"{path}: its classes are not those of TAU.")
    parameters, macs = measure.measure(run.network)
    cost = {"parameters": parameters, "macs": macs, "bytes": 4 * parameters}
    rows = [measured(title, "float", run.predict, data, cost)]
    for method, form in (("qat", "int8, trained"), ("ptq", "int8, calibrated")):
        copy = quantised(path, name, method, data)
        tree = json.loads((copy / "export/model.json").read_text())
        cost = {"parameters": tree["challenge"]["parameters"], "macs": tree["macs"], "bytes": tree["bytes"]["file"]}
        run = TrainedRun(folder.load(copy))
        rows.append(measured(title, form, lambda *sound, run=run: run.predict(*sound, form="tflite"), data, cost))
    return rows


def measure_rivals(data: Path, checkpoints: Path) -> list[dict[str, Any]]:
    """The records of the two networks that are run as they are.

    Args:
        data: Folder of the recordings.
        checkpoints: Folder of the weights.
    """
    from asc_tf.cost import measure

    baseline = rival_networks.Dcase2022Baseline(checkpoints / BASELINE)
    cost = rival_networks.tflite_cost((checkpoints / BASELINE).read_bytes())
    rows = [measured("baseline of DCASE 2022", "int8, its authors'", baseline.predict, data, cost)]
    with_zeros = rival_networks.Dcase2022Baseline(checkpoints / BASELINE, "constant")
    rows[-1]["right_with_zeros"] = right_of_tut(with_zeros.predict, data)
    network = rival_networks.SbCnn(checkpoints / SB_CNN)
    parameters, macs = measure.measure(network.network)
    cost = {"parameters": parameters, "macs": macs, "bytes": 4 * parameters}
    rows.append(measured("SB-CNN, 2 s", "float, range assumed", network.predict, data, cost))
    rows[-1]["ranges"] = ranges_of_sb_cnn(checkpoints / SB_CNN, data)
    return rows


def ranges_of_sb_cnn(file: Path, data: Path) -> list[dict[str, Any]]:
    """Right seconds of TUT 2018 by SB-CNN for several ranges of its spectrogram.

    Args:
        file: Its weights.
        data: Folder of the recordings.

    Returns:
        For each range {"range_db", "distance" from the statistics in its first batch norm, "right" seconds of 50}.
    """
    found = []
    for high in RANGES_DB:
        network = rival_networks.SbCnn(file, (-100.0, float(high)))
        windows = judged(network.spectrograms, data, TUT)
        distance = network.distance(np.concatenate(list(windows.values())), network.range_db)
        right = right_of_tut(network.predict, data)
        found.append({"range_db": [-100, high], "distance": round(distance, 4), "right": right})
    return found


def right_of_tut(predict: Predict, data: Path) -> int:
    """Number of right seconds of TUT 2018.

    Args:
        predict: As `judged` takes it.
        data: Folder of the recordings.
    """
    return right_seconds({file: summary(values) for file, values in judged(predict, data, TUT).items()}, TUT)


def report(rows: Sequence[Mapping[str, Any]]) -> str:
    """The text of real_scenes.md.

    Args:
        rows: Records, as `measured` returns them.
    """
    names = [Path(file).stem for file in RECORDINGS]
    tut, others = names[: len(TUT)], names[len(TUT) :]
    head = f"| network | form | right of 50 | {' | '.join(tut)} | {LOUDER_DB} dB louder | as float | bus, of 30 "
    lines = [f"{head}| street, of 45 |", "|---" * (len(tut) + 7) + "|"]
    lines += [_right(row, rows) for row in rows]
    said = [f"| network | form | {' | '.join(tut + others)} |", "|---" * (len(names) + 2) + "|"]
    for row in rows:
        decided = [_mark(row["said"][file]["decided"], file) for file in RECORDINGS]
        said.append(f"| {row['network']} | {row['form']} | {' | '.join(decided)} |")
    costs = ["| network | form | parameters | MACs for one decision | bytes |", "|---" * 5 + "|"]
    for row in rows:
        figures = " | ".join(f"{row[key]:,}" for key in ("parameters", "macs", "bytes"))
        costs.append(f"| {row['network']} | {row['form']} | {figures} |")
    ranges = [one for row in rows for one in row.get("ranges", ())]
    with_zeros = [str(row["right_with_zeros"]) for row in rows if "right_with_zeros" in row]
    return TEXT.format(
        right="\n".join(lines),
        said="\n".join(said),
        costs="\n".join(costs),
        ranges=", ".join(f"{one['right']} at {one['range_db'][1]} dB ({one['distance']:.3f})" for one in ranges),
        with_zeros="".join(with_zeros),
        mistakes="\n".join(f"- {row['network']}, {row['form']}: {mistakes(row['said'])}." for row in rows),
    )


def _right(row, rows):
    by_file = [right_seconds(row["said"], [file]) for file in RECORDINGS if RECORDINGS[file]]
    floats = [one for one in rows if one["network"] == row["network"] and one["form"] == "float" != row["form"]]
    equal = str(equal_seconds(row["said"], floats[0]["said"])) if floats else ""
    cells = [row["network"], row["form"], right_seconds(row["said"], TUT), *by_file[: len(TUT)]]
    return "| " + " | ".join(map(str, [*cells, right_seconds(row["louder"], TUT), equal, *by_file[len(TUT) :]])) + " |"


def _mark(decided, file):
    return decided if decided in RECORDINGS[file] or not RECORDINGS[file] else f"*{decided}*"


def mistakes(said: Mapping[str, Mapping[str, Any]]) -> str:
    """What a network says wrongly of the seconds of TUT 2018: "metro: tram 9; park: bus 1".

    Args:
        said: {file: `summary` of it}.
    """
    parts = []
    for file in TUT:
        scenes = [SCENES[int(digit)] for digit in said[file]["seconds"]]
        wrong = collections.Counter(scene for scene in scenes if scene not in RECORDINGS[file])
        if wrong:
            listed = ", ".join(f"{scene} {count}" for scene, count in wrong.most_common())
            parts.append(f"{Path(file).stem}: {listed}")
    return "; ".join(parts) or "none"


TEXT = f"""# Public networks on real recordings

Written by `python benchmarks/real_scenes.py`: five recordings of TUT Urban Acoustic Scenes 2018, ten seconds each, and
three examples of public toolkits. Fifty seconds of five recordings are no accuracy: networks differ here by what they
say of one recording. TAU 2019 extends TUT 2018, says its description, and TAU 2022 may have recordings of it too: any
of these networks may have been trained on these very recordings, or on others of the same places.

## Right seconds

{{right}}

"int8, trained": quantisation-aware training by `cpjku2023_cp_mobile_int8`, which follows the float network on 600
seconds of ESC-10, folds 1 to 3, made as quiet as scenes; its settings were chosen for CP-Mobile. "int8, calibrated":
ranges measured on 256 of these seconds as they are, some 25 dB louder than scenes, without any training. No tested
second was used. Of the CNN-GRU the mean over time, its rows and the GRU's input are named in `float_layers`: when this
was measured it had no int8 file with TensorFlow 2.21 without that. "as float" is the number of the 50 seconds of which
the int8 file says the same as the float network; a file that has more right than that network is none the better for
it.

In "{LOUDER_DB} dB louder" the same 50 seconds are amplified. The networks of TAU 2022 have more of them right then,
SB-CNN hardly any: the statistics stored in it fit the recordings as they are. For all but SB-CNN both channels are
averaged.

The recording of a street counts as right where a network says street_pedestrian or street_traffic: no more is known.

## What is said of each recording

By the mean of the probabilities of its seconds; what is wrong is in italics. Of acoustic_scene no class is known: it
has no score.

{{said}}

Wrong seconds of TUT 2018:

{{mistakes}}

## Cost

{{costs}}

In float four bytes a parameter, MACs by rule T; of int8 files the bytes of the file and the MACs that it computes,
batch norms folded (rule F). The parameters of an imported network are those before folding, of the authors' int8 file
those that it stores.

## What the networks of others were given

**The baseline of DCASE 2022** is the int8 file of its authors. Classes in alphabetical order, seconds at 44.1 kHz, 40
mel bands of magnitudes in ln, divided by the largest absolute value of the second and kept in 16 bits: all as in its
authors' programs (marmoi/dcase2022_task1_baseline, dcase_util), and the file's own input range, -1 to 0.128, is that of
this division. Not established: whether the frames at the edges were mirrored or padded with zeros, which depends on the
version of librosa. They are mirrored here; with zeros {{with_zeros}} of the 50 seconds are right. Its authors report
42.9 % on TAU 2022.

**SB-CNN for TAU 2019** (MTG/DCASE-models) judges two seconds: each tested second is judged with the one after it, the
last one with its mirror image, as its authors cut recordings; it is given twice as much sound as the others. Front end
(22.05 kHz, left channel, 64 HTK mel bands of 1,024 samples every 690, dB) and order of the classes are those of its
authors' program and of the settings beside the weights. Not established: the least and largest value by which it scales
its spectrogram, which are in a file that is not here. **Its figures are therefore not its accuracy.** Assumed are the
floor of the dB, -100, and the upper end, of 15, 20, 25 and 30 dB, whose spectrograms are closest to the means and
variances stored in its first batch norm. Right seconds with each, and in brackets that distance, for which these
recordings were used, but not their labels: {{ranges}}.
"""


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, default=Path("runs/real_scenes"))
    parser.add_argument("--data", type=Path, default=SHARED)
    parser.add_argument("--checkpoints", type=Path, default=SHARED.parent / "checkpoints")
    options = parser.parse_args()
    weights = [file for _, file, *_ in IMPORTED.values()] + [BASELINE, SB_CNN]
    lacking = rival_networks.absent(options.data, [*RECORDINGS, "esc10/meta.csv", "micirp/IR_AKGD12.wav"])
    lacking += rival_networks.absent(options.checkpoints, weights)
    if lacking:
        raise SystemExit(f"absent: {', '.join(lacking)}; name their folders by --data and --checkpoints.")
    runs, data, checkpoints = (path.resolve() for path in (options.runs, options.data, options.checkpoints))
    rows = [row for name in IMPORTED for row in measure_imported(name, runs, data, checkpoints)]
    rows += measure_rivals(data, checkpoints)
    RECORD.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(report(rows), encoding="utf-8")


if __name__ == "__main__":
    main()
