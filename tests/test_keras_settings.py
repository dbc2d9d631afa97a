"""Networks do not depend on the user's keras.json, environment or calls of keras.config."""

import json
import os
import subprocess
import sys

import keras
import pytest

from asc_tf import build, command_line
from asc_tf.errors import UserError
from asc_tf.recipe import resolve

CODE = """
import asc_tf
from asc_tf import build
from asc_tf.recipe import resolve
network = build.network(resolve.load("quickstart"), 10)
import keras
print(network.count_params(), network.input_shape, network.dtype, keras.config.epsilon())
"""


def printed(code, home=None, **environment):
    environment = os.environ | environment | ({"KERAS_HOME": str(home)} if home else {})
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=120)


def test_the_users_keras_json_does_not_change_networks(tmp_path):
    settings = {"image_data_format": "channels_first", "floatx": "float16", "epsilon": 0.1, "backend": "tensorflow"}
    (tmp_path / "keras.json").write_text(json.dumps(settings))
    one, other = printed(CODE, tmp_path), printed(CODE, os.devnull)
    assert one.returncode == 0, one.stderr
    assert one.stdout == other.stdout and "float32 1e-07" in one.stdout


def test_a_call_after_the_import_does_not_change_networks():
    recipe = resolve.load("quickstart")
    expected = build.network(recipe, 10)
    keras.config.set_image_data_format("channels_first")
    network = build.network(recipe, 10)
    assert network.count_params() == expected.count_params() and network.input_shape == expected.input_shape


@pytest.mark.parametrize("content", ["{", '{"floatx": "int3"}', '{"backend": "nothing"}', "\0"])
def test_a_damaged_keras_json_does_not_stop_a_program(tmp_path, content):
    (tmp_path / "keras.json").write_text(content)
    code = "from asc_tf import command_line as c\ndef act():\n  import keras, tf_keras\nexit(c.run('p', act))"
    result = printed(code, tmp_path)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("backend", ["jax", "torch", "nothing", ""])
def test_programs_name_a_backend_that_they_do_not_run_on(backend):
    result = printed("from asc_tf import command_line as c; exit(c.run('p', print))", KERAS_BACKEND=backend)
    assert result.returncode == command_line.ERROR and result.stderr.count("\n") == 1
    assert f"KERAS_BACKEND={backend}: the programs need KERAS_BACKEND=tensorflow" in result.stderr


@pytest.mark.parametrize("width", [100_000, 10**9])
def test_a_network_of_absurd_width_is_refused_before_memory_is_taken(width):
    recipe = resolve.load("quickstart", [f"model.width={width}"])
    with pytest.raises(UserError, match="parameters in .* choose a smaller width"):
        build.checked_network(recipe, 10)
