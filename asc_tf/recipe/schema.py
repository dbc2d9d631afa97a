"""What may the fixed sections of a recipe say?  The fields are the keys, their types and limits the rules."""

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal


def limits(default=dataclasses.MISSING, *, least=None, most=None):
    """A field with an allowed range, both ends included."""
    return field(default=default, metadata={"least": least, "most": most})


@dataclass(frozen=True)
class Part:
    """A part picked by name, with its settings."""

    name: str
    settings: dict


@dataclass(frozen=True)
class Data:
    """How clips are prepared and how training clips are held out for validation."""

    segment_s: float = limits(1.0, least=0.1, most=30.0)
    validation_share: float = limits(0.1, least=0.0, most=0.5)
    validation_seed: int = limits(1, least=0)
    max_bad_share: float = limits(0.01, least=0.0, most=1.0)
    prepared_folder: str = "prepared"


@dataclass(frozen=True)
class Train:
    """AdamW with linear warm-up and a cosine to zero, both per step."""

    epochs: int = limits(least=1)
    batch_size: int = limits(least=2)
    learning_rate: float = limits(least=1e-9)
    warmup_steps: int = limits(least=0)
    weight_decay: float = limits(least=0.0)


@dataclass(frozen=True)
class Normalise:
    """(x - mean) / std of the spectrogram, after its augmentation: by = "constants" takes the two numbers
    given here, "bands" those of every band over the training clips, measured once and kept in the run folder."""

    by: Literal["constants", "bands"]
    mean: float | None = None
    std: float | None = limits(None, least=1e-9)


@dataclass(frozen=True)
class Start:
    """Whose weights a run starts from: every layer but the head takes those of the layer of its name.

    recipe: another recipe; its run, with this recipe's seed and its own dataset, is made first where it is not there.
    run: instead of a recipe, the folder of a finished or imported run, for all seeds the same.
    keep_head: whether the head, which makes the logits, is taken over too; the classes must be the same then.
    Only weights are taken: [normalise] by = "bands" is measured anew on the data of this recipe.
    """

    recipe: str | None = None
    run: str | None = None
    keep_head: bool = False


@dataclass(frozen=True)
class Ramp:
    """A weight that is `start` until epoch `first_epoch`, `end` from `last_epoch` on, and a straight line between.

    Epochs count from 0; the line moves with every step.
    """

    start: float
    end: float
    last_epoch: int = limits(least=1)
    first_epoch: int = limits(0, least=0)


@dataclass(frozen=True)
class Teacher:
    """Another recipe whose runs (seeds 1 to `runs`) teach.

    ensemble: how its runs become one teacher; "apart" leaves each a member of its own for distill.ensemble.
    layer: the layer whose output the student's embedding is held against; a teacher without one gives logits only.
    """

    recipe: str
    runs: int = limits(1, least=1)
    ensemble: Literal["apart", "mean", "bayesian", "von_mises"] = "apart"
    layer: str | None = None


@dataclass(frozen=True)
class Distill:
    """label_weight * label loss + teacher_weight * distance from the teachers' logits
    + embedding_weight * mean squared distance from their embeddings.

    form: of the distance from logits, see distillation/soft_targets.py.
    teacher_weight: 1 - label_weight where it is left out.
    ensemble: how all members become one teacher, see distillation/ensembles.py.
    layer: the student's layer whose output is its embedding.
    live: the teachers hear the student's own augmented clip in every step, instead of being asked once.
    crops: of every clip, shifted in time, over which stored outputs are averaged.
    """

    temperature: float = limits(least=0.1)
    label_weight: float | Ramp = limits(least=0.0, most=1.0)
    teacher_weight: float | Ramp | None = limits(None, least=0.0)
    form: Literal["textbook", "cpjku2023", "x50"] = "textbook"
    ensemble: Literal["mean", "weighted", "bayesian", "von_mises"] = "mean"
    embedding_weight: float | Ramp = limits(0.0, least=0.0)
    layer: str | None = None
    live: bool = False
    crops: int = limits(1, least=1)


@dataclass(frozen=True)
class Hierarchy:
    """weight * cross entropy of groups of classes, as part of the label loss.

    groups: "tau" for indoor, outdoor and transportation, or the classes of every group by its name.
    branches: "one" adds up the classes' probabilities, "two" gives the groups a head of their own on `layer`.
    """

    groups: str | dict
    branches: Literal["one", "two"] = limits()
    weight: float | Ramp = limits(1.0, least=0.0)
    layer: str | None = None


@dataclass(frozen=True)
class Quantise:
    """method: "qat", quantisation-aware training, or "ptq", none: the ranges are measured, the weights stay.

    float_layers: names of layers that stay in float; global response norms always do.
    Of "qat" alone: epochs, in the last `frozen_epochs` of which ranges and batch norm stand still, and
    follow: whose logits are distilled on: "float", those of the network itself before quantisation,
    hearing the same augmented clip, which keeps its decisions; or "teachers", the stored ones.
    temperature: of the logits followed, that of [distill] or 1 where it is left out. From about 20 on every logit
    counts alike; at 1 those of the likely classes do, which leaves little to learn from a clip that is certain.
    """

    method: Literal["qat", "ptq"] = "qat"
    epochs: int | None = limits(None, least=1)
    frozen_epochs: int | None = limits(None, least=0)
    learning_rate: float | None = limits(None, least=1e-9)
    follow: Literal["float", "teachers"] | None = None
    label_weight: float = limits(0.0, least=0.0, most=1.0)
    temperature: float | None = limits(None, least=0.1)
    calibration_clips: int = limits(256, least=1)
    float_layers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Recipe:
    """A whole resolved recipe. Fixed sections that the file does not have, except `data`, are None."""

    file: str = field(compare=False)
    seed: int = limits(least=0)
    dataset: Part = None
    feature: Part = None
    model: Part = None
    train: Train = None
    data: Data = field(default_factory=Data)
    normalise: Normalise | None = None
    augmentation: tuple[Part, ...] = ()
    start: Start | None = None
    hierarchy: Hierarchy | None = None
    teacher: tuple[Teacher, ...] = ()
    distill: Distill | None = None
    quantise: Quantise | None = None

    @property
    def name(self):
        return Path(self.file).stem


REQUIRED = ("seed", "dataset", "feature", "model", "train")
PARTS = ("dataset", "feature", "model")
FIXED = {
    "data": Data,
    "normalise": Normalise,
    "train": Train,
    "start": Start,
    "hierarchy": Hierarchy,
    "distill": Distill,
    "quantise": Quantise,
}
LISTS = {"augmentation": "name", "teacher": "recipe"}  # section -> the key that tells its entries apart


def label(entry):
    """What tells an entry of a list apart from the others."""
    return str(entry.get("name", entry.get("recipe", "")))
