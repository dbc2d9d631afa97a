"""Writes an entry of a package for the DCASE challenge from evaluated runs."""

import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import yaml

from asc_tf.data.progress import progress_bar
from asc_tf.data.sound_files import SoundFiles
from asc_tf.errors import UserError
from asc_tf.inference import sounds
from asc_tf.inference.run import TrainedRun
from asc_tf.inference.system import TrainedSystem
from asc_tf.runs import atomic
from asc_tf.submission import check, output
from asc_tf.submission.description import description
from asc_tf.submission.meta import LABEL
from asc_tf.submission.rules import SCENES, YEARS

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
