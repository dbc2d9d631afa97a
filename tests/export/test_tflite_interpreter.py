"""LiteRT's interpreter and TensorFlow's compute the same; LiteRT's needs no TensorFlow."""

import importlib.util
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from asc_tf.tflite import interpreter


@pytest.fixture
def without_litert(monkeypatch):
    """A copy of the module as it is where ai_edge_litert is not installed."""
    spec = importlib.util.spec_from_file_location("interpreter_without_litert", interpreter.__file__)
    module = importlib.util.module_from_spec(spec)
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
        spec.loader.exec_module(module)
    return module


def outputs(runner, inputs):
    values = []
    for x in inputs:
        runner.set_tensor(runner.get_input_details()[0]["index"], x[np.newaxis])
        runner.invoke()
        values.append(runner.get_tensor(runner.get_output_details()[0]["index"]))
    return np.concatenate(values)


@pytest.mark.parametrize("keep_tensors", [False, True])
def test_both_interpreters_compute_the_same_int8_outputs(keep_tensors, int8_file, without_litert):
    runner = without_litert.create(int8_file, keep_tensors=keep_tensors)
    assert type(runner).__module__.startswith("tensorflow.")
    inputs = np.random.default_rng(0).integers(-128, 128, (64, 12, 9, 1)).astype(np.int8)
    expected = outputs(runner, inputs)
    runner = interpreter.create(int8_file, keep_tensors=keep_tensors)
    np.testing.assert_array_equal(outputs(runner, inputs), expected)
    assert np.ptp(expected.astype(int)) > 10


def test_litert_is_taken_where_it_is_installed(int8_file):
    pytest.importorskip("ai_edge_litert", reason="LiteRT is not installed")
    assert type(interpreter.create(int8_file)).__module__.startswith("ai_edge_litert.")


def test_litert_runs_without_tensorflow(int8_file, tmp_path):
    (tmp_path / "model.tflite").write_bytes(int8_file)
    code = (
        "import sys\nsys.modules['tensorflow'] = None\nfrom asc_tf.tflite import interpreter\n"
        f"print(len(interpreter.create(open({str(tmp_path / 'model.tflite')!r}, 'rb').read()).get_input_details()))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "1\n"


def test_a_file_that_is_none_is_an_error():
    with pytest.raises((ValueError, RuntimeError)):
        interpreter.create(b"nothing of the kind")


def test_no_warning_of_tensorflow_is_shown(int8_file, without_litert, recwarn):
    without_litert.create(int8_file)
    assert not [warning for warning in recwarn if "deprecated" in str(warning.message)], tf.__version__
