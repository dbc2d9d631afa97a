"""How does the train program run in a test as one of several workers, or on several devices?

A program: options of its own, then "--", then those of asc_tf.train.
"""

import argparse
import functools
import os
import signal
import sys

from asc_tf.train import main as train
from asc_tf.training.callbacks import EpochCheckpoint


def small_network(build, *, norm):
    """A model's `build` that makes a small network instead, with a batch norm or without."""
    import keras

    from asc_tf.models._blocks import normalised

    @functools.wraps(build)  # the recipe's settings are checked against the original
    def small(input_shape, classes, **_):
        inputs = keras.Input(input_shape, name="spectrogram")
        x = keras.layers.Conv2D(8, 5, strides=4, name="conv")(inputs)
        x = normalised(x, "conv") if norm else keras.layers.ReLU(name="relu")(x)
        x = keras.layers.Conv2D(classes, 1, name="head")(x)
        return keras.Model(inputs, keras.layers.GlobalAveragePooling2D(name="logits")(x))

    return small


def split_processor(devices):
    """Makes TensorFlow see several devices."""
    import tensorflow as tf

    (processor,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(processor, [tf.config.LogicalDeviceConfiguration()] * devices)


def refuse_to_write_in(folder):
    """From now on this process cannot write or remove a file in the folder."""

    def audited(event, arguments):
        writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
        if (writes or event in ("os.mkdir", "os.rename", "os.remove")) and str(arguments[0]).startswith(folder):
            raise AssertionError(f"{event} {arguments}")

    sys.addaudithook(audited)


def die_in_epoch(number):
    """This process is killed as that epoch, counted from 0, begins."""
    begin = EpochCheckpoint.on_epoch_begin

    def begins(self, epoch, logs=None):
        if epoch == number:
            os.kill(os.getpid(), signal.SIGKILL)
        begin(self, epoch, logs)

    EpochCheckpoint.on_epoch_begin = begins


if __name__ == "__main__":
    own, program = sys.argv[1 : sys.argv.index("--")], sys.argv[sys.argv.index("--") + 1 :]
    parser = argparse.ArgumentParser()
    parser.add_argument("--norm", action="store_true")
    parser.add_argument("--devices", type=int)
    parser.add_argument("--no-writes")
    parser.add_argument("--die-in-epoch", type=int)
    options = parser.parse_args(own)
    if options.devices:
        split_processor(options.devices)
    if options.no_writes:
        refuse_to_write_in(options.no_writes)
    if options.die_in_epoch is not None:
        die_in_epoch(options.die_in_epoch)
    from asc_tf.models import cp_mobile

    cp_mobile.build = small_network(cp_mobile.build, norm=options.norm)
    sys.exit(train(program))
