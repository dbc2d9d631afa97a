"""asc-tf, the one name of all programs."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import setuptools

import asc_tf
from asc_tf import __main__ as program

ROOT = Path(__file__).parents[1]


def test_help_lists_every_command_with_a_line(capsys):
    with pytest.raises(SystemExit) as stop:
        program.main(["--help"])
    lines = capsys.readouterr().out.splitlines()
    assert stop.value.code == 0
    for command, (_, text) in program.COMMANDS.items():
        assert any(line.split() == [*command.split(), *text.split()] for line in lines), command


@pytest.mark.parametrize("command", program.COMMANDS)
def test_every_command_has_help_version_and_traceback(command, capsys):
    with pytest.raises(SystemExit) as stop:
        program.main([*command.split(), "--help"])
    shown = capsys.readouterr().out
    assert stop.value.code == 0 and shown.startswith(f"usage: asc-tf {command}")
    assert "--traceback" in shown and "--version" in shown


def test_every_help_answers_without_tensorflow():
    code = "import sys, contextlib, io\nfrom asc_tf import __main__ as program\n"
    code += "for command in program.COMMANDS:\n"
    code += "    with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):\n"
    code += "        program.main([*command.split(), '--help'])\n"
    code += "assert not {'tensorflow', 'keras', 'numpy', 'matplotlib'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_version(capsys):
    with pytest.raises(SystemExit):
        program.main(["--version"])
    assert capsys.readouterr().out == f"asc_tf {asc_tf.__version__}\n"


@pytest.mark.parametrize("arguments", [["tarin"], ["export"], ["export", "tflight"]])
def test_an_unknown_command_names_the_known_ones(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        program.main(arguments)
    assert stop.value.code == 2
    assert f"there is no command '{' '.join(arguments)}'; known are train, " in capsys.readouterr().err


def test_no_command_shows_the_help_with_status_2(capsys):
    assert program.main([]) == 2
    assert "complexity" in capsys.readouterr().out


def test_traceback_shows_what_a_line_hides(capsys):
    assert program.main(["evaluate", "absent"]) == 2
    line = "evaluate: absent: is not a run folder (it has no recipe.toml). Name one, or restore its recipe.\n"
    assert capsys.readouterr().err == line
    with pytest.raises(asc_tf.errors.UserError, match="is not a run folder"):
        program.main(["evaluate", "absent", "--traceback"])


def test_files_in_the_working_folder_shadow_nothing(tmp_path):
    for name in ("export", "tuning", "recipes", "metrics"):
        (tmp_path / f"{name}.py").write_text("raise RuntimeError('a file of the user')")
    code = "import asc_tf.export.tflite, asc_tf.chain.train, asc_tf.inference.forms as f; print(len(f.FORMS))"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("module", ["export.tflite", "tuning.search"])
def test_programs_of_linked_folders_run_by_their_name_in_a_checkout(module):
    command = [sys.executable, "-m", module, "--help"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert f"usage: python -m asc_tf.{module}" in done.stdout


def test_an_installed_asc_tf_brings_no_other_top_level_name():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    found = setuptools.find_packages(str(ROOT), **project["tool"]["setuptools"]["packages"]["find"])
    assert {name.split(".")[0] for name in found} == {"asc_tf"}
    assert {"asc_tf.export.device", "asc_tf.tuning.engine"} <= set(found)
