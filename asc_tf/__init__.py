"""Low-complexity acoustic scene classification, from audio files to an int8 TFLite file."""

import os

# oneDNN's kernels halve the time of a training step.  TensorFlow turns them on by itself only where the processor
# has AVX512-VNNI or better, and reads this once: import asc_tf before TensorFlow or Keras.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

__version__ = "0.1.0"
