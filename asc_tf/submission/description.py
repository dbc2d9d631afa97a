"""What the meta file of an entry states of its runs."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from asc_tf import metrics
from asc_tf.errors import UserError
from asc_tf.inference import evaluated
from asc_tf.inference.run import TrainedRun
from asc_tf.inference.system import TrainedSystem
from asc_tf.runs import layout
from asc_tf.submission.rules import DEVICES, GENERAL, OF_DEVICES, SCENES, Year


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
    evaluations = {split: evaluated.read(one.folder) for split, one in of_splits.items()}
    scores, tested = next(iter(evaluations.values()))
    if rules.by_device:
        forms = _blocks(run, scores)
        results = {block: _results(run, scores, tested, form) for block, form in forms.items()}
        cost = scores[forms.get(OF_DEVICES, forms[GENERAL])]["cost"]
    else:
        results = {
            split: _results(one, *evaluations[split], _form(one, evaluations[split][0]))
            for split, one in of_splits.items()
        }
        cost = scores[_form(run, scores)]["cost"]
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


def _form(run, scores):
    """Name in metrics.json of the general network whose probabilities are submitted."""
    return "int8" if "int8" in scores and "tflite" in run.forms else "float"


def _blocks(run, scores):
    """Names in metrics.json of what is submitted by the blocks of the results of 2025.

    Raises:
        UserError: The networks of devices are not evaluated.
    """
    form = _form(run, scores)
    if not run.devices:
        return {GENERAL: form}
    if form + layout.OF_DEVICES not in scores:
        raise UserError(
            f"{run.path}: its networks of devices are not evaluated in the form '{form}'; run `asc-tf export tflite "
            f"{run.path}` and `asc-tf evaluate {run.path}`."
        )
    return {GENERAL: form, OF_DEVICES: form + layout.OF_DEVICES}


def _results(run, scores, tested, form):
    """Accuracy in per cent and log loss on the development-test set: overall, of every scene and device."""
    scores, labels, found = scores[form], tested["labels"], tested[form].astype(np.float64)
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
