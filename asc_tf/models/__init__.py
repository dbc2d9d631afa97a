"""Networks that a recipe can name: one file a family, with its source, input, output and size at the head."""

from asc_tf import keras_settings

keras_settings.settle()
