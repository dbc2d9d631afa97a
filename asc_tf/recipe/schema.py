"""The fixed sections of a recipe: fields are keys, their types and limits the rules."""

import dataclasses
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal


def limits(default: Any = dataclasses.MISSING, *, least: float | None = None, most: float | None = None) -> Any:
    """Dataclass field with an allowed range.

    Args:
        default: Its default value; without one the key is required.
        least: Smallest allowed value; None where there is no limit.
        most: Largest allowed value; None where there is no limit.
    """
    return field(default=default, metadata={"least": least, "most": most})


@dataclass(frozen=True)
class Part:
    """A part chosen by name, with its settings.

    Args:
        name: Name of the part, that of its file.
        settings: Keyword arguments of the part's entry function, defaults filled in.
    """

    name: str
    settings: dict


@dataclass(frozen=True)
class Data:
    """Section [data]: how clips are prepared, and which training clips are held out for validation.

    Args:
        segment_s: Length of a segment, in seconds; files are cut into segments.
        validation_share: Share of the training clips held out for validation, by recording or location.
        validation_seed: Seed of that choice.
        max_bad_share: Largest share of unreadable clips with which a run goes on.
        prepared_folder: Folder of the prepared clips, shared by runs; also an address, such as s3://bucket/prepared.
        read: "prepared": files are decoded and resampled once, to int16; "direct": whenever they are read, by
            tensorflow-io, with no copy and no rounding.
        audio_url: With read = "direct", address of the folder of the audio files, s3:// or http:// for example; the
            tables stay in the dataset's root.
    """

    segment_s: float = limits(1.0, least=0.1, most=30.0)
    validation_share: float = limits(0.1, least=0.0, most=0.5)
    validation_seed: int = limits(1, least=0)
    max_bad_share: float = limits(0.01, least=0.0, most=1.0)
    prepared_folder: str = "prepared"
    read: Literal["prepared", "direct"] = "prepared"
    audio_url: str = ""


@dataclass(frozen=True)
class Train:
    """Section [train]: AdamW with linear warm-up and cosine decay to zero, both per step.

    Args:
        epochs: Passes over the training clips.
        batch_size: Clips a step, over all devices.
        learning_rate: Peak learning rate.
        warmup_steps: Steps of the warm-up.
        weight_decay: Decoupled weight decay, of kernels only.
        layer_decay: Factor of the learning rate from a block of the network to the one before it; 1 for equal rates.
        precision: Type of the network's computations in training; weights, losses and all that follows are float32.
        class_weights: Factors of the cross entropy with the labels by class, scaled to a mean of 1 over the training
            clips: "balanced" for the inverse of each class's number of clips, or {class: weight} for every class.
        balance: Whether batches draw all classes equally often; clips of rare classes then come several times.
        max_shift: Parts of a segment by which a training segment starts earlier or later in its file, at most; drawn
            anew in every epoch.
    """

    epochs: int = limits(least=1)
    batch_size: int = limits(least=2)
    learning_rate: float = limits(least=1e-9)
    warmup_steps: int = limits(least=0)
    weight_decay: float = limits(least=0.0)
    layer_decay: float = limits(1.0, least=0.01, most=1.0)
    precision: Literal["float32", "mixed_float16", "mixed_bfloat16"] = "float32"
    class_weights: Literal["balanced"] | dict | None = None
    balance: bool = False
    max_shift: float = limits(0.0, least=0.0, most=0.5)


@dataclass(frozen=True)
class Normalise:
    """Section [normalise]: (x - mean) / std of the spectrogram, after its augmentation.

    Args:
        by: "constants" takes mean and std from the recipe; "bands" measures them for every band on the
            training clips, once, and stores them in the run folder.
        mean, std: The two numbers of "constants".
    """

    by: Literal["constants", "bands"]
    mean: float | None = None
    std: float | None = limits(None, least=1e-9)


@dataclass(frozen=True)
class Init:
    """Section [init]: the run whose weights training starts from, layer by layer, by name.

    Only weights are copied: [normalise] by = "bands" is measured anew on the data of this recipe.

    Args:
        recipe: Another recipe. Its run is trained first where it does not exist. An imported run of the same network
            and front end, beside this run, is taken instead.
        run: Instead of a recipe, the folder of a finished or imported run, the same for all seeds.
        keep_head: Whether the head, which computes the logits, is copied too; the classes must be the same then.
        partial: Whether layers that only one of the two networks has, or whose weights have other shapes in the other,
            are left out: the network may be the start of a larger one. By default they are an error.
        same_data: Whether the other recipe is trained on [dataset] and [data] of this one, as teachers are, instead of
            on its own.
        seed: Seed of the other recipe's run, so that runs of all seeds start from one; this recipe's by default.
    """

    recipe: str | None = None
    run: str | None = None
    keep_head: bool = False
    partial: bool = False
    same_data: bool = False
    seed: int | None = limits(None, least=0)


@dataclass(frozen=True)
class Ramp:
    """A weight that changes with the epoch: constant, then linear, then constant.

    Epochs count from 0; between the two ends the value changes with every step.

    Args:
        start: Value until epoch `first_epoch`.
        end: Value from epoch `last_epoch` on.
        first_epoch, last_epoch: Both ends of the linear part.
    """

    start: float
    end: float
    last_epoch: int = limits(least=1)
    first_epoch: int = limits(0, least=0)


@dataclass(frozen=True)
class Teacher:
    """Section [[teacher]]: a recipe whose runs are teachers, or a run that is one.

    Args:
        recipe: Recipe of the teacher. It is trained on [dataset] and [data] of the student.
        run: Instead of a recipe, the folder of a finished or imported run, which is taken as it is. One of other
            classes teaches its embedding alone.
        runs: Number of runs of the recipe, with seeds 1 to `runs`.
        ensemble: How its runs are merged to one teacher; with "apart" each is a member of distill.ensemble.
        layer: Layer of the teacher whose output is the target of the student's embedding; without one the teacher
            gives logits only.
    """

    recipe: str | None = None
    run: str | None = None
    runs: int = limits(1, least=1)
    ensemble: Literal["apart", "mean", "bayesian", "von_mises"] = "apart"
    layer: str | None = None


@dataclass(frozen=True)
class Distill:
    """Section [distill]: the weights and forms of the distillation losses.

    loss = label_weight * label loss + teacher_weight * distance from the teachers' logits
    + embedding_weight * mean squared error of their embeddings.

    Args:
        temperature: Temperature of student and teacher.
        label_weight: Weight of the label loss.
        teacher_weight: Weight of the distance from the teachers' logits; 1 - label_weight where it is left out. With 0
            the logits are not used.
        form: Form of the distance from logits, see distillation/soft_targets.py.
        ensemble: How all members are merged to one teacher, see distillation/ensembles.py.
        embedding_weight: Weight of the error of the embeddings.
        layer: Layer of the student whose output is its embedding.
        online: Whether the teachers compute their outputs in every step, on the student's augmented batch; otherwise
            they are computed once, on clips that are not augmented, and stored.
        crops: Number of time-shifted crops of every clip over which stored outputs are averaged.
    """

    temperature: float = limits(least=0.1)
    label_weight: float | Ramp = limits(least=0.0, most=1.0)
    teacher_weight: float | Ramp | None = limits(None, least=0.0)
    form: Literal["textbook", "cpjku2023", "mean_kl_x50", "binary"] = "textbook"
    ensemble: Literal["mean", "weighted", "bayesian", "von_mises"] = "mean"
    embedding_weight: float | Ramp = limits(0.0, least=0.0)
    layer: str | None = None
    online: bool = False
    crops: int = limits(1, least=1)


@dataclass(frozen=True)
class Hierarchy:
    """Section [hierarchy]: weight * cross entropy of groups of classes, a part of the label loss.

    Args:
        groups: "tau" for indoor, outdoor and transportation, or a table from a group's name to its classes.
        branches: "one" adds up the classes' probabilities; "two" gives the groups a head of their own on `layer`.
        weight: Weight of the group loss.
        layer: Layer that the groups' head reads, with two branches.
    """

    groups: str | dict
    branches: Literal["one", "two"] = limits()
    weight: float | Ramp = limits(1.0, least=0.0)
    layer: str | None = None


@dataclass(frozen=True)
class Quantise:
    """Section [quantise]: how the trained network becomes an int8 TFLite file.

    Args:
        method: "qat", quantisation-aware training, or "ptq", post-training quantisation: ranges are measured, weights
            stay.
        epochs: Epochs of quantisation-aware training.
        frozen_epochs: Its last epochs, in which ranges and batch norm statistics are constant.
        learning_rate: Its peak learning rate; cosine decay, no warm-up.
        distil_from: Whose logits quantisation-aware training distils: "float", those of the network itself before
            quantisation on the same augmented clip, which preserves its decisions; or "teachers", those of
            [[teacher]].
        label_weight: Weight of the label loss beside that.
        temperature: Temperature of that distillation; where it is left out that of [distill], or 1. From about 20 on
            every logit has the same weight; at 1 those of the likely classes dominate, and a clip of which the
            network is certain changes little.
        calibration_clips: Number of clips on which ranges are measured.
        float_layers: Names of layers that stay in float; global response norms always do.
        without: Names of augmentations that quantisation-aware training leaves out, and the measuring of ranges before
            it, such as those with values that no clip has: eight bits reach to the largest value.
    """

    method: Literal["qat", "ptq"] = "qat"
    epochs: int | None = limits(None, least=1)
    frozen_epochs: int | None = limits(None, least=0)
    learning_rate: float | None = limits(None, least=1e-9)
    distil_from: Literal["float", "teachers"] | None = None
    label_weight: float = limits(0.0, least=0.0, most=1.0)
    temperature: float | None = limits(None, least=0.1)
    calibration_clips: int = limits(256, least=1)
    float_layers: tuple[str, ...] = ()
    without: tuple[str, ...] = ()


@dataclass(frozen=True)
class PerDevice:
    """Section [per_device]: copies of the trained network, each fine-tuned on the clips of one recording device.

    Losses, teachers and [quantise] are those of the recipe; ramps have their last value.

    Args:
        epochs: Passes over the training clips of a device.
        learning_rate: Peak learning rate; cosine decay, no warm-up.
        batch_size: Clips a step; that of [train] where it is left out.
        train: Layers that are trained: "all", or the "head", those whose weights depend on the number of classes.
        devices: Names of the devices; all of the training clips where it is left out.
        without: Names of augmentations that are left out, such as those that imitate other devices.
    """

    epochs: int = limits(least=1)
    learning_rate: float = limits(least=1e-9)
    batch_size: int | None = limits(None, least=2)
    train: Literal["all", "head"] = "all"
    devices: tuple[str, ...] = ()
    without: tuple[str, ...] = ()


@dataclass(frozen=True)
class Member:
    """Section [[member]]: a recipe or a run that is a part of a system of several networks.

    Args:
        recipe: Recipe of the member. It is trained on [dataset] and [data] of the system, with the system's seed.
        run: Instead of a recipe, the folder of a finished or imported run.
        runs: Number of runs of the recipe, with seeds from the system's on.
    """

    recipe: str | None = None
    run: str | None = None
    runs: int = limits(1, least=1)


@dataclass(frozen=True)
class Fuse:
    """Section [fuse]: how the members' probabilities become those of the system.

    Args:
        method: "prod", the product of the members' probabilities, or "mean"; both are scaled to a sum of 1.
    """

    method: Literal["prod", "mean"]


@dataclass(frozen=True)
class Tracking:
    """Section [tracking]: where a training can be followed, beside log.csv and the scalars in tensorboard/.

    Args:
        pictures: Number of epochs from one confusion matrix of the validation clips in tensorboard/ to the next; at the
            start it also gets a sheet of the spectrograms of the first step. 0 for no pictures.
        mlflow: Folder, or address of a server or database, of an MLflow store; "" for none.
    """

    pictures: int = limits(0, least=0)
    mlflow: str = ""


@dataclass(frozen=True)
class Change:
    """A value that is set in every recipe of a chain whose name matches a pattern.

    Args:
        pattern: Pattern of the names, as of fnmatch.
        path: Key, "section.key" or "section".
        value: Value as tomllib parses it.
        source: What the value comes from, for messages.
        must_match: Whether a pattern that no recipe matches is an error.
    """

    pattern: str
    path: str
    value: Any
    source: str
    must_match: bool


@dataclass(frozen=True)
class Changes:
    """What applies to a recipe and to all recipes that it depends on.

    Args:
        values: Values to set, in order.
        data: Folder of the data, which relative folders of recipes are looked for in; None for the working folder.
    """

    values: tuple[Change, ...] = ()
    data: str | None = None


@dataclass(frozen=True)
class Recipe:
    """A resolved recipe: every key with its value, defaults included.

    Fixed sections that the file does not have, except `data`, are None.

    Args:
        file: Path of its file, for messages; not compared.
        seed: Seed of initial weights, order of clips and augmentation.
        labels: Classes of public weights in the order of the network's outputs, for import-weights: names, or a list of
            recipes/labels. Training takes the classes of its dataset.
        dataset, feature, model, augmentation: Parts and their settings.
        data, train, normalise, init, hierarchy, teacher, distill, quantise, per_device, tracking: Fixed sections.
        member, fuse: Fixed sections of a system of several networks, which has no feature, model and train.
        changes: What was set for it and for all that it depends on; not compared and not written.
    """

    file: str = field(compare=False)
    changes: Changes = field(default=Changes(), compare=False, kw_only=True)
    seed: int = limits(least=0)
    labels: tuple[str, ...] = ()
    dataset: Part = None
    feature: Part = None
    model: Part = None
    train: Train = None
    data: Data = field(default_factory=Data)
    normalise: Normalise | None = None
    augmentation: tuple[Part, ...] = ()
    init: Init | None = None
    hierarchy: Hierarchy | None = None
    teacher: tuple[Teacher, ...] = ()
    distill: Distill | None = None
    quantise: Quantise | None = None
    per_device: PerDevice | None = None
    tracking: Tracking | None = None
    member: tuple[Member, ...] = ()
    fuse: Fuse | None = None

    @property
    def name(self) -> str:
        """Name of the recipe: that of its file without ending."""
        return Path(self.file).stem

    def without(self, augmentations: Collection[str]) -> "Recipe":
        """The recipe without some augmentations, which [quantise] then need not leave out.

        Args:
            augmentations: Their names.
        """
        kept = tuple(part for part in self.augmentation if part.name not in augmentations)
        quantise = self.quantise
        if quantise:
            others = [name for name in quantise.without if name not in augmentations]  # a list, as read from TOML
            quantise = dataclasses.replace(quantise, without=others)
        return dataclasses.replace(self, augmentation=kept, quantise=quantise)

    @property
    def uses_logits(self) -> bool:
        """Whether the teachers' logits are distilled, in training or in quantisation-aware training."""
        from_teachers = self.quantise is not None and self.quantise.distil_from == "teachers"
        return from_teachers or self.distill is not None and self.distill.teacher_weight != 0


REQUIRED = ("seed", "dataset", "feature", "model", "train")
OF_SYSTEM = ("seed", "labels", "dataset", "data", "member", "fuse")  # all that a system of several networks has
UNWRITTEN = ("file", "changes")  # fields of a Recipe that are no keys
PARTS = ("dataset", "feature", "model")
FIXED = {
    "data": Data,
    "normalise": Normalise,
    "train": Train,
    "init": Init,
    "hierarchy": Hierarchy,
    "distill": Distill,
    "quantise": Quantise,
    "per_device": PerDevice,
    "tracking": Tracking,
    "fuse": Fuse,
}
LISTS = {"augmentation": "name", "teacher": "recipe", "member": "recipe"}  # section -> the key that names its entries


def entry_name(entry: Mapping[str, Any]) -> str:
    """The name of an entry of a list of sections: its `name`, its `recipe` or its `run`."""
    return str(entry.get("name") or entry.get("recipe") or entry.get("run") or "")
