"""Metrics as the DCASE challenge computes them."""

from asc_tf.metrics.scores import (
    average_precision,
    binary_log_loss,
    by_class,
    class_accuracy,
    confusion,
    fuse,
    log_loss,
    macro_accuracy,
    mean_by_file,
    monitor,
    probabilities,
    softmax,
    summary,
)

__all__ = [
    "average_precision",
    "binary_log_loss",
    "by_class",
    "class_accuracy",
    "confusion",
    "fuse",
    "log_loss",
    "macro_accuracy",
    "mean_by_file",
    "monitor",
    "probabilities",
    "softmax",
    "summary",
]
