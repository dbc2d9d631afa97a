"""Writes an entry of a package for the DCASE challenge from evaluated runs."""

import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from asc_tf import metrics
from asc_tf.data.progress import progress_bar
from asc_tf.data.sound_files import SoundFiles
from asc_tf.errors import UserError
from asc_tf.inference import sounds
from asc_tf.inference.run import TrainedRun
from asc_tf.inference.system import TrainedSystem
from asc_tf.runs import atomic, layout, products
from asc_tf.submission import check, output
from asc_tf.submission.meta import LABEL
from asc_tf.submission.rules import DEVICES, GENERAL, OF_DEVICES, SCENES, YEARS, Year

TEAM = """# Who submits, and what cannot be read from the runs. Fill in every TODO.
name = "TODO"                   # of the system, as the results page shows it
abbreviation = "TODO"           # 10 characters at most
source_code = "TODO"            # address
inference_code = "TODO"         # address where the folder inference is published, asked for in 2025
external_data_usage = "TODO"    # "none", "dataset", "embeddings" or "pre-trained model"
energy_consumption = { training = "TODO", inference = "TODO", baseline_inference = "TODO" }    # kWh, asked for in 2024

[[authors]]
lastname = "TODO"
firstname = "TODO"
email = "TODO"
affiliation = { abbreviation = "TODO", institute = "TODO", location = "TODO" }
corresponding = true

# [[external_datasets]]
# name = "AudioSet"
# url = "https://research.google.com/audioset"
# total_audio_length = 300000   # minutes
"""


def write(
    runs: Sequence[TrainedRun | TrainedSystem],
    *,
    year: int,
    label: str,
    team: str | Path,
    evaluation_set: str | Path,
    out: str | Path,
    inference: Callable[[TrainedRun], None] | None = None,
) -> list[str]:
    """Writes task1/LABEL with the outputs and the meta information, and checks them.

    Args:
        runs: Evaluated runs; in 2024 one a split of the training set.
        year: Of the challenge.
        label: LASTNAME_INSTITUTE_task1_NUMBER.
        team: TOML file of authors and texts, as TEAM; written with TODOs where it is absent.
        evaluation_set: Folder with audio and evaluation_setup/fold1_test.csv. For a run with networks of devices the
            table has the column device_id.
        out: Folder of the package. Outputs that are there already are kept.
        inference: Function that writes the inference module of a run, called where the year asks for it.

    Returns:
        The defects that `asc_tf.submission.check` finds.

    Raises:
        UserError: Runs, label or team are wrong, or an audio file cannot be read.
    """
    if not LABEL.fullmatch(label):
        raise UserError(f"--label {label}: is not LASTNAME_INSTITUTE_task1_NUMBER.")
    rules, names = YEARS[year], check.evaluation_names(evaluation_set, year)
    of_splits = _by_split(runs, rules)
    tree = description(of_splits, rules, label, _team(Path(team)))
    by_device = rules.by_device and any(run.devices for run in of_splits.values())
    devices = check.evaluation_devices(evaluation_set) if by_device else None
    entry = Path(out) / "task1" / label
    entry.mkdir(parents=True, exist_ok=True)
    for split, run in of_splits.items():
        file = entry / rules.output(label, split)
        if not file.is_file():
            atomic.write(file, output.text(names, probabilities(run, Path(evaluation_set), names, devices)))
        if rules.by_device and inference and isinstance(run, TrainedRun):
            inference(run)
    atomic.write(entry / f"{label}.meta.yaml", yaml.safe_dump(tree, sort_keys=False, allow_unicode=True))
    return check.defects(out, year, names)


def probabilities(
    run: TrainedRun | TrainedSystem, folder: Path, names: Sequence[str], devices: Sequence[str] | None = None
) -> np.ndarray:
    """Probabilities of the files of the evaluation set, by the int8 file where the run has one, (files, ten).

    Args:
        run: The run.
        folder: Folder of the evaluation set.
        names: Its files below the folder.
        devices: Device of each, by which its network is chosen; None for the general network.

    Raises:
        UserError: A file cannot be read.
    """
    if devices is None:
        return _probabilities(run, folder, names)
    found, devices = np.zeros((len(names), len(SCENES))), np.array(devices)
    for device in np.unique(devices).tolist():
        inside = np.flatnonzero(devices == device)
        found[inside] = _probabilities(run.for_device(device), folder, [names[index] for index in inside])
    return found


def _probabilities(run, folder, names):
    scorer = run.scorer("tflite" if "tflite" in run.forms else "float")
    order = [scorer.labels.index(scene) for scene in SCENES]
    files = SoundFiles(tuple(str(folder / name) for name in names))
    found = []
    with progress_bar(f"evaluation set by {run.path.name}", total=len(names), unit=" files") as bar:
        for prediction in sounds.by_file(sounds.score_files(scorer, files)):
            if prediction.error:
                raise prediction.error
            found.append(prediction.probabilities.mean(0)[order])
            bar.update(1)
    return np.array(found)


def description(
    of_splits: Mapping[str, TrainedRun | TrainedSystem], rules: Year, label: str, team: Mapping[str, Any]
) -> dict[str, Any]:
    """The tree of the meta file.

    Args:
        of_splits: The runs by split.
        rules: Of the year.
        label: Of the entry.
        team: Content of the team's file.

    Raises:
        UserError: A run is not evaluated.
    """
    run = next(iter(of_splits.values()))
    if rules.by_device:
        results = {block: _results(run, form) for block, form in _blocks(run).items()}
    else:
        results = {split: _results(one, _form(one)) for split, one in of_splits.items()}
    cost = _scores(run)[list(_blocks(run).values())[-1]]["cost"]
    counts = {"total_model_size": cost["bytes"], "macs": cost["macs"], "memory_use": cost["bytes"]}
    parameters = dict.fromkeys(("total_parameters", "total_parameters_non_zero"), cost["parameters"])
    system = {
        "description": {name: value for name, value in _description(run, team).items() if name in rules.description},
        "complexity": {name: (counts | parameters)[name] for name in rules.complexity},
        "energy_consumption": team.get("energy_consumption", {}),
        "external_datasets": team.get("external_datasets", []),
        "inference_code": team.get("inference_code"),
        "source_code": team["source_code"],
    }
    return {
        "submission": {"label": label, **{key: team[key] for key in ("name", "abbreviation", "authors")}},
        "system": {name: system[name] for name in dict.fromkeys((*rules.system, "source_code"))},
        "results": {"development_dataset": results},
    }


def _by_split(runs, rules):
    """The runs by the name of their split, in the order of the rules."""
    if rules.splits == ("",):
        if len(runs) != 1:
            raise UserError(f"{len(runs)} runs: an entry of this year has one, trained on the fixed training set.")
        return {"": runs[0]}
    found = {}
    for run in runs:
        split = run.recipe.dataset.settings.get("split", "")
        name = split.replace("split", "split_")
        if name not in rules.splits:
            raise UserError(f"{run.path}: is trained on '{split}'; an entry has a run for each of split5 to split100.")
        if name in found:
            raise UserError(f"{run.path}: is trained on {split} as {found[name].path} is; name one run a split.")
        found[name] = run
    if missing := [name for name in rules.splits if name not in found]:
        raise UserError(f"{', '.join(missing)}: no run is trained on it; an entry has a run for every split.")
    return {name: found[name] for name in rules.splits}


def _team(file):
    if not file.is_file():
        atomic.write(file, TEAM)
        raise UserError(f"{file}: was absent and is written now; fill it in and run the same command again.")
    try:
        tree = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{file}: is not TOML ({error}).") from error
    for key in ("name", "abbreviation", "source_code", "authors"):
        if key not in tree:
            raise UserError(f"{file}: {key} is missing; remove the file and run again to get a template.")
    return tree


def _scores(run):
    """Content of metrics.json."""
    if not run.folder.has(layout.METRICS):
        raise UserError(f"{run.path}: is not evaluated; run `asc-tf evaluate {run.path}` first.")
    return products.scores(run.folder)


def _form(run):
    """Name in metrics.json of the general network whose probabilities are submitted."""
    return "int8" if "int8" in _scores(run) and "tflite" in run.forms else "float"


def _blocks(run):
    """Names in metrics.json of what is submitted by the blocks of the results of 2025.

    Raises:
        UserError: The networks of devices are not evaluated.
    """
    form = _form(run)
    if not run.devices:
        return {GENERAL: form}
    if form + layout.OF_DEVICES not in _scores(run):
        raise UserError(
            f"{run.path}: its networks of devices are not evaluated in the form '{form}'; run `asc-tf export tflite "
            f"{run.path}` and `asc-tf evaluate {run.path}`."
        )
    return {GENERAL: form, OF_DEVICES: form + layout.OF_DEVICES}


def _results(run, form):
    """Accuracy in per cent and log loss on the development-test set: overall, of every scene and device."""
    scores, tested = _scores(run)[form], run.folder.read(layout.PREDICTIONS)
    labels, found = tested["labels"], tested[form].astype(np.float64)
    classes = {scene: labels == run.labels.index(scene) for scene in SCENES}
    return {
        "overall": _pair(scores["macro_accuracy"], scores["log_loss"]),
        "class_wise": {
            scene: _pair(scores["by_class"][scene], metrics.log_loss(labels[rows], found[rows]))
            for scene, rows in classes.items()
            if rows.any()
        },
        "device_wise": {
            device: _pair(one["macro_accuracy"], one["log_loss"])
            for device, one in scores.get("by_device", {}).items()
            if device in DEVICES
        },
    }


def _pair(accuracy, log_loss):
    return {"accuracy": round(100 * accuracy, 2), "logloss": round(float(log_loss), 4)}


def _description(run, team):
    """system.description, as far as the recipe has it."""
    recipes = [member.recipe for member in run.members] if isinstance(run, TrainedSystem) else [run.recipe]
    first = recipes[0]
    management = {"knowledge distillation": bool(first.teacher), "weight quantization": bool(first.quantise)}
    steps = {"pre-training": bool(first.init), "training": True, "device-specific fine-tuning": bool(run.devices)}
    section = first.per_device if run.devices else None
    head_only = section is not None and section.train == "head"
    fused = f"{run.recipe.fuse.method} of the probabilities" if isinstance(run, TrainedSystem) else None
    return {
        "input_sampling_rate": f"{first.feature.settings['sample_rate_hz'] / 1000:g}kHz",
        "acoustic_features": ", ".join(dict.fromkeys(recipe.feature.name for recipe in recipes)),
        "embeddings": None,
        "data_augmentation": ", ".join(one.name for one in first.augmentation) or None,
        "machine_learning_method": ", ".join(dict.fromkeys(recipe.model.name for recipe in recipes)),
        "ensemble_method_subsystem_count": len(recipes) if len(recipes) > 1 else None,
        "decision_making": fused,
        "external_data_usage": team.get("external_data_usage"),
        "complexity_management": ", ".join(name for name, is_used in management.items() if is_used) or None,
        "pipeline": ", ".join(name for name, is_used in (steps | management).items() if is_used),
        "framework": "keras/tensorflow",
        "device_information": section and f"per-device fine-tuning of {'the head' if head_only else 'the network'}",
        "num_models_at_inference": len(recipes) * (1 + len(run.devices)),
        "model_weight_sharing": _sharing(run, head_only),
    }


def _sharing(run, head_only):
    """system.description.model_weight_sharing, in the words of the challenge."""
    if not run.devices:
        return "fully shared"
    return "partially shared" if head_only else "fully device-specific"
