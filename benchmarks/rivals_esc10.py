"""ACDNet's published int8 file on ESC-10: per crop and per clip as its authors test it, and per second; cost, latency.

Run:     python benchmarks/rivals_esc10.py [--data ../shared/data] [--checkpoints ../shared/checkpoints]
Output:  benchmarks/rivals_esc10.json and, made from it, benchmarks/rivals_esc10.md.
Needs:   --data FOLDER with `esc10` (meta.csv and audio); --checkpoints FOLDER with
         `rivals/acdnet20_int8_esc50_fold4.tflite`.

The file was trained on ESC-50 without fold 4, which is tested; folds 1 to 3 show that it knows them. Two minutes on two
busy cores.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import rival_networks
from distillation import SHARED
from latency import milliseconds
from rival_networks import ACDNET_RATE_HZ, ACDNET_SAMPLES, ESC10

PAGE = Path(__file__).with_suffix(".md")
RECORD = Path(__file__).with_suffix(".json")
FILE = "rivals/acdnet20_int8_esc50_fold4.tflite"
TESTED_FOLD, KNOWN_FOLDS = 4, (1, 2, 3)  # by its name the file's training left out fold 4
CLASSES = tuple(ESC10)
LATENCY_S = 3.0  # of the measurement


def clips(folder: Path, fold: int) -> list[tuple[str, str]]:
    """(file, class) of the clips of a fold of ESC-10.

    Args:
        folder: Folder of meta.csv, a table with tabs.
        fold: The fold.
    """
    lines = [line.split("\t") for line in (folder / "meta.csv").read_text(encoding="utf-8").splitlines()]
    return [(file, label) for file, label, of_fold, *_ in lines[1:] if of_fold == str(fold)]


def full_range(crops: np.ndarray) -> np.ndarray:
    """Crops as int8 whose largest value is that of the type, crop by crop, as the authors' deployment quantises them.

    Args:
        crops: (crops, samples).
    """
    steps = 2 * np.abs(crops).max(axis=1, keepdims=True) / 255 + 1e-9
    return np.rint(crops / steps - 0.5).astype(np.int8)


def inputs(file: Path) -> dict[str, np.ndarray]:
    """What the network is given of a clip, (number, samples) for every procedure.

    Args:
        file: The clip.
    """
    from asc_tf.data import audio

    samples, rate_hz = audio.read(file)
    crops = rival_networks.acdnet_crops(rival_networks.acdnet_wave(samples, rate_hz))
    wave = audio.resample(samples, rate_hz, ACDNET_RATE_HZ)
    seconds, missing = audio.cut(wave, ACDNET_RATE_HZ, 1.0), ACDNET_SAMPLES - ACDNET_RATE_HZ
    return {
        "crop": crops,
        "crop, full range": full_range(crops),
        "second": rival_networks.centred_seconds(wave, ACDNET_RATE_HZ, ACDNET_SAMPLES),
        "second, zeros around": np.pad(seconds, ((0, 0), (missing // 2, missing - missing // 2))),
    }


def outcome(outputs: Sequence[np.ndarray], labels: Sequence[str], numbers: Sequence[int]) -> dict[str, Any]:
    """How often the class of the largest output is right.

    Args:
        outputs: For every clip (parts, 50), crops or seconds.
        labels: Classes of the clips.
        numbers: Outputs that are compared, as numbers of ESC-50's classes.

    Returns:
        {"parts", "right_parts", "clips", "right_clips"}, a clip by the mean of its parts.
    """
    wanted = [list(numbers).index(ESC10[label]) for label in labels]
    compared = [rival_networks.among(one, numbers) for one in outputs]
    by_part = [one.argmax(axis=1) == right for one, right in zip(compared, wanted, strict=True)]
    by_clip = [one.mean(axis=0).argmax() == right for one, right in zip(compared, wanted, strict=True)]
    return {
        "parts": int(sum(map(len, by_part))),
        "right_parts": int(sum(map(sum, by_part))),
        "clips": len(labels),
        "right_clips": int(sum(by_clip)),
    }


def mistakes(outputs: Sequence[np.ndarray], labels: Sequence[str]) -> dict[str, dict[str, int]]:
    """Of every class what its parts are taken for, of the ten: {class: {class: parts}}.

    Args:
        outputs: For every clip (parts, 50).
        labels: Classes of the clips.
    """
    found = {}
    for one, label in zip(outputs, labels, strict=True):
        for index in rival_networks.among(one, list(ESC10.values())).argmax(axis=1):
            counts = found.setdefault(label, {})
            counts[CLASSES[index]] = counts.get(CLASSES[index], 0) + 1
    return {label: found[label] for label in CLASSES if label in found}


def measure(folder: Path, file: Path) -> dict[str, Any]:
    """The record of the file.

    Args:
        folder: Folder of ESC-10.
        file: The TFLite file.
    """
    model, listed = Acdnet(file), clips(folder, TESTED_FOLD)
    outputs = {}
    for name, _ in listed:
        for procedure, waves in inputs(folder / name).items():
            outputs.setdefault(procedure, []).append(model(waves))
    labels = [label for _, label in listed]
    ten, fifty = list(ESC10.values()), range(50)
    known = {}
    for fold in KNOWN_FOLDS:
        of_fold = clips(folder, fold)
        of_known = [model(inputs(folder / name)["crop"]) for name, _ in of_fold]
        known[str(fold)] = outcome(of_known, [label for _, label in of_fold], fifty)
    one = np.zeros((1, ACDNET_SAMPLES))
    return {
        "ten": {procedure: outcome(values, labels, ten) for procedure, values in outputs.items()},
        "fifty": {procedure: outcome(values, labels, fifty) for procedure, values in outputs.items()},
        "taken for": mistakes(outputs["crop"], labels),
        "known folds, fifty": known,
        **rival_networks.tflite_cost(file.read_bytes()),
        "latency_ms": round(milliseconds(lambda: model(one), LATENCY_S, min), 2),
    }


class Acdnet:
    """The TFLite file as a function from (batch, samples) to (batch, 50) probabilities, on one thread.

    Waves in float are quantised by the scale of the file's input; int8 ones are taken as they are.

    Args:
        file: The TFLite file.
    """

    def __init__(self, file: Path):
        from asc_tf.tflite import file as tflite_file
        from asc_tf.tflite import interpreter

        self._files, self._interpreter = tflite_file, interpreter.create(tflite_file.read(file), threads=1)
        self._input, self._output = (
            of()[0] for of in (self._interpreter.get_input_details, self._interpreter.get_output_details)
        )

    def __call__(self, waves: np.ndarray) -> np.ndarray:
        """Probabilities of the 50 classes."""
        return np.concatenate([self._one(wave.reshape(1, 1, -1, 1)) for wave in waves])

    def _one(self, wave):
        values = wave if wave.dtype == np.int8 else self._files.quantised(wave, self._input)
        self._interpreter.set_tensor(self._input["index"], values)
        self._interpreter.invoke()
        return self._files.dequantised(self._interpreter.get_tensor(self._output["index"]), self._output)


PROCEDURES = {
    "crop": "crops of 1.51 s, by the file's input scale",
    "crop, full range": "crops of 1.51 s, each brought to the full range of int8",
    "second": "seconds in the middle of 1.51 s of their clip",
    "second, zeros around": "seconds alone, zeros around them",
}


def report(record: Mapping[str, Any]) -> str:
    """The text of rivals_esc10.md.

    Args:
        record: As `measure` returns it.
    """
    lines = ["| what it is given | of | parts right, % | clips right, % |", "|---|---|---|---|"]
    for procedure, title in PROCEDURES.items():
        for kind, classes in (("ten", 10), ("fifty", 50)):
            one = record[kind][procedure]
            percent = [_percent(one, "right_parts", "parts"), _percent(one, "right_clips", "clips")]
            lines.append(f"| {title} | {classes} classes | {' | '.join(percent)} |")
    taken = []
    for label, counts in record["taken for"].items():
        wrong = sorted(((count, name) for name, count in counts.items() if name != label), reverse=True)
        listed = ", ".join(f"{name} {count}" for count, name in wrong) or "-"
        taken.append(f"| {label} | {counts.get(label, 0)} of {sum(counts.values())} | {listed} |")
    known = record["known folds, fifty"]
    return TEXT.format(
        table="\n".join(lines),
        taken="\n".join(["| class | crops right | taken for |", "|---|---|---|", *taken]),
        clips=record["ten"]["crop"]["clips"],
        seconds=record["ten"]["second"]["parts"],
        known=", ".join(f"{100 * one['right_clips'] / one['clips']:.1f}" for one in known.values()),
        unknown=100 * record["fifty"]["crop"]["right_clips"] / record["fifty"]["crop"]["clips"],
        tested=TESTED_FOLD,
        **{key: record[key] for key in ("bytes", "parameters", "macs", "latency_ms")},
    )


def _percent(counts, right, of):
    return f"{100 * counts[right] / counts[of]:.2f} ({counts[right]} of {counts[of]})"


TEXT = """# ACDNet's int8 file on ESC-10

Written by `python benchmarks/rivals_esc10.py`: the public file of ACDNet-20 (mohaimenz/acdnet), trained on ESC-50
without fold {tested}, on the {clips} clips of fold {tested} of ESC-10. "10 classes": the largest of the ten outputs of
ESC-10's classes; "50 classes": of all. A clip is judged by the mean of the outputs of its parts.

{table}

The first two procedures are those of its authors (common/prepare_dataset.py, val_generator.py, utils.py): 20 kHz,
16 bits, zeros at both ends of a clip cut off, half a crop of zeros added at each, ten crops evenly spaced. Two things
differ: clips are those of ESC-10's OGG files, not ESC-50's WAV, and are resampled by soxr, not ffmpeg. In the first,
samples are quantised by the scale that the file states for its input; the authors' own int8 test
(deployment/convert_model.py) brings each crop to the full range instead, which the network was not trained for and
which costs it what the second shows.

In the third every second of a clip, those that our networks are tested on, is in the middle of its 1.51 s, with zeros
beyond the ends of the clip: ACDNet gets half as much again as our networks. In the fourth it gets the same second,
and a third of its input is silence, which it was trained with at the ends of clips only.

Our CP-Mobile with 61,148 parameters, trained on folds 1 to 3 of ESC-10 alone, 240 clips, has 77.4 ± 1.6 % of the
{seconds} seconds right (`benchmarks/int8.md`); ACDNet was trained on 1,600 clips of ESC-50, 320 of these classes.

Of the clips of folds 1, 2 and 3 the file has {known} % right, of 50 classes in the first procedure, and {unknown:.1f} %
of those of fold {tested}, as is to be expected of the one fold that by its name it was not trained on.

| bytes | parameters | MACs for 1.51 s | latency, one thread |
|---|---|---|---|
| {bytes:,} | {parameters:,} | {macs:,} | {latency_ms:.2f} ms |

Bytes are those of the file; parameters and MACs those that it stores and computes, batch norms folded and biases
included (`asc_tf.cost.tflite_rule`). The latency is the shortest of three seconds of calls on this computer, which had
other work.

## What crops are taken for

{taken}
"""


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=SHARED)
    parser.add_argument("--checkpoints", type=Path, default=SHARED.parent / "checkpoints")
    options = parser.parse_args()
    lacking = rival_networks.absent(options.data, ["esc10/meta.csv"])
    lacking += rival_networks.absent(options.checkpoints, [FILE])
    if lacking:
        raise SystemExit(f"absent: {', '.join(lacking)}; name their folders by --data and --checkpoints.")
    record = measure(options.data / "esc10", options.checkpoints / FILE)
    RECORD.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(report(record), encoding="utf-8")
    print(report(record))


if __name__ == "__main__":
    main()
