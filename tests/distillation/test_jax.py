"""A student distilled under Keras's JAX backend has the losses of TensorFlow."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]


def trained(backend, weights):
    """Losses by name of two epochs, trained in a process of its own."""
    command = [sys.executable, Path(__file__).with_name("jax_student.py"), weights]
    environment = os.environ | {"KERAS_BACKEND": backend, "PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["backend"] == backend
    return result["history"]


@pytest.mark.slow
def test_two_epochs_have_the_losses_of_tensorflow(tmp_path):
    pytest.importorskip("jax", reason="JAX is not installed (pip install 'asc_tf[jax]')")
    expected = trained("tensorflow", tmp_path / "weights.npz")
    losses = trained("jax", tmp_path / "weights.npz")
    assert {"loss", "label_loss", "teacher_loss", "embedding_loss", "group_loss", "accuracy"} <= set(expected)
    assert set(losses) == set(expected)
    for name, values in expected.items():
        np.testing.assert_allclose(losses[name], values, atol=1e-4, rtol=1e-4, err_msg=name)
    assert expected["loss"][1] < expected["loss"][0]
