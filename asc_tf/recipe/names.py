"""Names of everything that a recipe can choose from."""

from asc_tf.recipe import registry, resolve


def list_models() -> list[str]:
    """Names of the models, for `[model] name`."""
    return registry.names("model")


def list_features() -> list[str]:
    """Names of the front ends, for `[feature] name`."""
    return registry.names("feature")


def list_augmentations() -> list[str]:
    """Names of the augmentations, for `[[augmentation]] name`."""
    return registry.names("augmentation")


def list_datasets() -> list[str]:
    """Names of the datasets, for `[dataset] name`."""
    return registry.names("dataset")


def list_recipes() -> list[str]:
    """Names of the shipped recipes."""
    return resolve.names()
