"""Assembly of a recipe's parts. The only package that knows every part."""

from asc_tf import keras_settings
from asc_tf.build.inputs import (
    augmented,
    augmenter,
    class_weights,
    evaluation_batches,
    front_end,
    input_shape,
    measure_normalisation,
    network_input,
    normalisation,
    normaliser,
    outputs,
    source,
    targets,
    training_batches,
    training_source,
)
from asc_tf.build.networks import (
    checked_network,
    forward,
    head_layers,
    load_network,
    network,
    save_weights,
    seeded,
    student,
    weight_shapes,
)

keras_settings.need_tensorflow()

__all__ = [
    "augmented",
    "augmenter",
    "checked_network",
    "class_weights",
    "evaluation_batches",
    "forward",
    "front_end",
    "head_layers",
    "input_shape",
    "load_network",
    "measure_normalisation",
    "network",
    "network_input",
    "normalisation",
    "normaliser",
    "outputs",
    "save_weights",
    "seeded",
    "source",
    "student",
    "targets",
    "training_batches",
    "training_source",
    "weight_shapes",
]
