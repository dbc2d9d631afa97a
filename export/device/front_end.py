"""Which front ends can leave Python?"""

from asc_tf import build
from asc_tf.errors import UserError


def exportable(recipe, form):
    """The recipe's front end.  Raises UserError, telling the way out, where `form` ("plain C") cannot compute it."""
    feature = recipe.feature
    if feature.name != "log_mel":
        raise UserError(
            f"export: features/{feature.name} has no form in {form}; features/log_mel has, in every flavour. "
            "export/model.tflite takes the spectrograms that your own code makes."
        )
    fft_samples = feature.settings["fft_samples"]
    if fft_samples & (fft_samples - 1):
        raise UserError(
            f"export: fft_samples = {fft_samples} has no form in {form}, whose FFT needs a power of two; train with "
            f"feature.fft_samples = {1 << fft_samples.bit_length()}, the window may keep its length."
        )
    return build.front_end(recipe)
