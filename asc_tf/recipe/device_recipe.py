"""The recipe of the network of one recording device, from the [per_device] of a recipe."""

import dataclasses

from asc_tf.recipe.schema import Init, Ramp, Recipe

GENERAL = "../.."  # the run of the general network, seen from that of a device


def device_recipe(recipe: Recipe) -> Recipe:
    """The recipe by which a copy of a recipe's network is fine-tuned, the same for all devices.

    Args:
        recipe: A recipe with [per_device].
    """
    section = recipe.per_device
    return dataclasses.replace(
        recipe.without(section.without),
        train=dataclasses.replace(
            recipe.train,
            epochs=section.epochs,
            learning_rate=section.learning_rate,
            batch_size=section.batch_size or recipe.train.batch_size,
            warmup_steps=0,
        ),
        init=Init(run=GENERAL, keep_head=True),
        distill=_at_end(recipe.distill),
        hierarchy=_at_end(recipe.hierarchy),
        per_device=None,
        tracking=None,
    )


def _at_end(section):
    """A section with the last value of every ramp."""
    if section is None:
        return None
    values = {field.name: getattr(section, field.name) for field in dataclasses.fields(section)}
    return dataclasses.replace(section, **{k: v.end for k, v in values.items() if isinstance(v, Ramp)})
