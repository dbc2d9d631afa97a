"""TFLite files that end the process in which they run, tried in another."""

import numpy as np
import pytest
import tensorflow as tf

from asc_tf.errors import UserError
from asc_tf.tflite import trial
from asc_tf.tflite.file import TFLiteModel


@pytest.fixture(scope="module")
def content():
    """Bytes of a file that halves three numbers."""
    function = tf.function(lambda x: x / 2, input_signature=[tf.TensorSpec((1, 3), tf.float32)])
    return tf.lite.TFLiteConverter.from_concrete_functions([function.get_concrete_function()]).convert()


def test_a_whole_file_passes_and_runs(content, tmp_path):
    (tmp_path / "half.tflite").write_bytes(content)
    np.testing.assert_allclose(TFLiteModel(tmp_path / "half.tflite")(np.ones((1, 3))), [[0.5] * 3])


def test_the_end_of_the_other_process_is_told_in_one_line(content, tmp_path, monkeypatch):
    (tmp_path / "half.tflite").write_bytes(content)
    aborts = tmp_path / "aborts"
    aborts.write_text("#!/bin/sh\nkill -ABRT $$\n")
    aborts.chmod(0o755)
    monkeypatch.setattr(trial.sys, "executable", str(aborts))
    with pytest.raises(UserError, match=r"half.tflite: is damaged: TFLite ends with SIGABRT on it. Export it again"):
        TFLiteModel(tmp_path / "half.tflite")


@pytest.mark.slow
def test_no_damaged_file_ends_this_process(content, tmp_path):
    rng, file = np.random.default_rng(0), tmp_path / "damaged.tflite"
    refused = 0
    for number in range(12):
        damaged = bytearray(content)
        for place in rng.integers(len(content), size=1 + number // 2):
            damaged[place] = rng.integers(256)
        file.write_bytes(damaged[: rng.integers(len(content))] if number % 6 == 5 else damaged)
        try:
            TFLiteModel(file)
        except UserError as error:
            refused += 1
            assert str(error).startswith(str(file)) and "\n" not in str(error)
    assert refused >= 2
