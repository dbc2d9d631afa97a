"""Plan of a chain: what is reused and what is still to be trained, in how many epochs and steps."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from asc_tf import dataset
from asc_tf.chain.stages import Stage, in_order
from asc_tf.checkpoints import public
from asc_tf.errors import UserError
from asc_tf.recipe.device_recipe import device_recipe
from asc_tf.recipe.schema import Recipe
from asc_tf.runs import layout


@dataclass(frozen=True)
class Sizes:
    """Number of segments of every split of a dataset.

    Args:
        train: Segments that are trained on.
        validation: Segments held out.
        test: Segments that are tested.
    """

    train: int
    validation: int
    test: int


def table(last: Stage, sizes: Mapping[Stage, Sizes]) -> str:
    """The plan as text, a line a stage, in the order of training.

    Args:
        last: The last stage.
        sizes: Of the stages that are still to be trained; those of others are not looked at.
    """
    lines = [_line("stage", "run", "what", "epochs", "steps")]
    for stage in in_order(last):
        lines.append(_line(stage.title, stage.path.name, _state(stage), *_work(stage, sizes)))
        if stage.recipe.per_device and not stage.done and stage in sizes:
            epochs = stage.recipe.per_device.epochs
            steps = f"<= {device_steps(stage.recipe, sizes[stage], epochs):,}"
            lines.append(_line("", "", "then a copy for each device", str(epochs), steps))
    return "\n".join(lines)


def load_sizes(last: Stage, load: Callable[..., dataset.LoadedDataset]) -> dict[Stage, Sizes]:
    """Loads the datasets of all stages that are still to be trained, and of the runs that they name as teachers.

    This prepares the clips. The segments of the stages to be trained are counted.

    Args:
        last: The last stage.
        load: Function (recipe) that loads a dataset.

    Raises:
        UserError: Something is wrong with a dataset, or a split does not fill a batch.
    """
    known, sizes = {}, {}
    for stage in in_order(last, to_do=True):
        recipe = stage.recipe
        if recipe.member:
            continue
        for one in (recipe, *(teacher.recipe for _, teacher in stage.named_teachers)):  # these may have another rate
            key = dataset.prepared_key(one)
            if key not in known:
                data = _loaded(stage, one, load)
                known[key] = Sizes(len(data.train), len(data.validation), len(data.test))
        sizes[stage] = known[dataset.prepared_key(recipe)]
        dataset.whole_steps(recipe, sizes[stage].train)
    return sizes


def _loaded(stage, recipe, load):
    """A dataset; where that of pre-training cannot be loaded, the error names public weights to import instead."""
    try:
        return load(recipe)
    except UserError as error:
        names = public.fitting(stage.recipe) if stage.title == "init" else []
        if not names:
            raise
        name = names[0]
        raise UserError(
            f"{error} Or do without this stage, {recipe.name}, and import its public weights: asc-tf import-weights "
            f"{name} --download --out {stage.path.parent / name}"
        ) from error


def device_steps(recipe: Recipe, sizes: Sizes, epochs: int) -> int:
    """Steps of some epochs of all devices' networks, at most.

    Args:
        recipe: A recipe with [per_device].
        sizes: Segments of its dataset.
        epochs: Number of epochs of each network.
    """
    return epochs * (sizes.train // device_recipe(recipe).train.batch_size)


def _line(title, name, state, epochs, steps):
    return f"{title:8s}  {name:44s}  {state:28s}  {epochs:>7s}  {steps:>11s}".rstrip()


def _state(stage):
    run = stage.run
    if run.imported:
        return "imported weights, reused"
    if run.finished:
        return "finished, reused"
    if run.started:
        return f"to do, from epoch {len(run.read(layout.STATE)['rows']) + 1} on"
    return "to do"


def _work(stage, sizes):
    """(epochs, steps) as text, those of quantisation-aware training after a plus."""
    recipe = stage.recipe
    if stage.done or stage not in sizes:
        return "", ""
    tuned = recipe.quantise.epochs if recipe.quantise and recipe.quantise.epochs else 0
    steps = dataset.whole_steps(recipe, sizes[stage].train)
    both = [recipe.train.epochs, *([tuned] if tuned else [])]
    return "+".join(map(str, both)), "+".join(f"{epochs * steps:,}" for epochs in both)
