"""Front ends that have a form outside of Python."""

import keras

from asc_tf import build
from asc_tf.errors import UserError
from asc_tf.recipe.schema import Recipe


def exportable(recipe: Recipe, form: str) -> keras.Layer:
    """The recipe's front end, after the check that it can be exported: log_mel with an FFT of a power of two.

    Args:
        recipe: The recipe.
        form: Name of the form in the error, as "plain C".

    Returns:
        A LogMel layer: waves (batch, samples) to (batch, bands, frames, channels).

    Raises:
        UserError: The front end has no such form.
    """
    feature = recipe.feature
    if feature.name != "log_mel":
        raise UserError(
            f"export: features/{feature.name} has no form in {form}; features/log_mel has, in every flavour. "
            "export/model.tflite takes spectrograms that other code computes."
        )
    fft_samples = feature.settings["fft_samples"]
    if fft_samples & (fft_samples - 1):
        raise UserError(
            f"export: fft_samples = {fft_samples} has no form in {form}, whose FFT needs a power of two; train with "
            f"feature.fft_samples = {1 << fft_samples.bit_length()}, the window may keep its length."
        )
    return build.front_end(recipe)
