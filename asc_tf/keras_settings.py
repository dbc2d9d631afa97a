"""The settings of Keras that networks are built with, whatever the user's keras.json or own code has set."""

import keras

from asc_tf.errors import UserError

FLOATX, IMAGE_DATA_FORMAT, EPSILON = "float32", "channels_last", 1e-7


def settle() -> None:
    """Sets Keras to channels last, float32 and its own epsilon: shapes, weights and outputs of networks rest on them.

    A floatx of another type in keras.json is also the type of Keras's layers; that becomes float32 with it.
    """
    if keras.config.floatx() != FLOATX:
        keras.config.set_floatx(FLOATX)
        keras.config.set_dtype_policy(FLOATX)
    keras.config.set_image_data_format(IMAGE_DATA_FORMAT)
    keras.config.set_epsilon(EPSILON)


def need_tensorflow() -> None:
    """Checks Keras's backend.

    Raises:
        UserError: It is another one than TensorFlow, which audio, front ends and training run on.
    """
    if keras.config.backend() != "tensorflow":
        raise UserError(
            f"Keras runs on {keras.config.backend()}: audio, front ends, training and export need TensorFlow; set "
            "KERAS_BACKEND=tensorflow."
        )
