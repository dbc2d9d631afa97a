"""Front ends: layers from waves to spectrograms. A file that defines `build` is a part, named as the file."""

from asc_tf import keras_settings

keras_settings.settle()
