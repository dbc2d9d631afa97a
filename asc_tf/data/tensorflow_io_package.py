"""The optional package tensorflow-io: decoders of audio and remote file systems for TensorFlow."""

import functools
import importlib
from types import ModuleType

import tensorflow as tf

from asc_tf.errors import UserError

NEEDED = (
    "{} needs tensorflow-io and the TensorFlow that it is made for: pip install 'asc_tf[io]' (TensorFlow 2.17, Python "
    "3.11 or 3.12); or leave the key out, which prepares the clips in a local folder."
)


@functools.cache
def tensorflow_io(needed_by: str) -> ModuleType:
    """The package tensorflow_io, whose import registers its file systems.

    Args:
        needed_by: The key of the recipe that needs it, for the message.

    Raises:
        UserError: It is not installed, or its kernels do not load on this TensorFlow.
    """
    try:
        package = importlib.import_module("tensorflow_io")
        package.audio.decode_wav(_SILENCE, dtype=tf.int16)
    except (ImportError, AttributeError, NotImplementedError, tf.errors.OpError) as error:
        raise UserError(NEEDED.format(needed_by)) from error
    return package


# A WAV file of one sample.
_SILENCE = (
    b"RIFF\x26\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x40\x1f\x00\x00\x80\x3e\x00\x00\x02\x00\x10\x00"
    b"data\x02\x00\x00\x00\x00\x00"
)
