"""Errors, signals and texts of programs."""

import os
import subprocess
import sys

import pytest

from asc_tf import command_line
from asc_tf.errors import UserError


def raising(error):
    def action():
        raise error

    return action


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("café 駅.wav", "café 駅.wav"),
        ("a\nb\tc", r"a\nb\tc"),
        ("\x1b[31mred\x9b", r"\x1b[31mred\x9b"),
        ("a\u2028b\u2029c", r"a\u2028b\u2029c"),
        ("right\u202eleft", r"right\u202eleft"),
        (os.fsdecode(b"caf\xe9"), r"caf\udce9"),
    ],
)
def test_what_is_printed_is_one_line_without_control_characters(text, shown):
    assert command_line.printable(text) == shown


def test_an_error_is_one_line_of_bounded_length(capsys):
    text = "start\n\x1b[2J" + "x" * 10**6 + " end"
    assert command_line.run("p", raising(UserError(text))) == command_line.ERROR
    line = capsys.readouterr().err
    assert line.count("\n") == 1 and "\x1b" not in line
    assert line.startswith(r"p: start\n\x1b[2J") and line.endswith("end\n") and len(line) < 2100


@pytest.mark.parametrize("text", ["nan", "inf", "-1", "1e400", "3000000", "x", "1.5", "\x1b[2J"])
def test_an_option_is_a_number_in_its_range(text, capsys):
    parser = command_line.parser("p", "`p`: does it.")
    parser.add_argument("--count", type=command_line.number(int, 0))
    assert parser.parse_args(["--count", "7"]).count == 7
    with pytest.raises(SystemExit):
        parser.parse_args(["--count", text])
    message = capsys.readouterr().err
    assert "must be a whole number from 0 to 1e+06" in message and "\x1b" not in message


class ResourceExhaustedError(Exception):
    """By name as TensorFlow's."""


@pytest.mark.parametrize(
    ("error", "part"),
    [
        (MemoryError(), "memory"),
        (ResourceExhaustedError("OOM"), "memory"),
        (OverflowError("int too large"), "int too large"),
        (RecursionError("maximum recursion depth"), "recursion"),
        (FileNotFoundError(2, "No such file or directory", "gone.wav"), "gone.wav: No such file or directory."),
        (IsADirectoryError(21, "Is a directory", "folder"), "folder: Is a directory."),
    ],
)
def test_what_a_machine_or_a_path_refuses_is_one_line(capsys, error, part):
    assert command_line.run("p", raising(error)) == command_line.ERROR
    line = capsys.readouterr().err
    assert line.startswith("p: ") and part in line and line.count("\n") == 1
    with pytest.raises(type(error)):
        command_line.run("p", raising(error), traceback=True)


def test_a_fault_of_the_program_is_raised():
    with pytest.raises(ZeroDivisionError):
        command_line.run("p", raising(ZeroDivisionError()))


def ended(code, **settings):
    """The finished process of Python code."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, **settings)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_characters_that_stdout_cannot_encode_are_escaped(encoding):
    code = r"from asc_tf import command_line as c; c.run('p', lambda: print('\u99c5.wav'))"
    result = ended(code, env=os.environ | {"PYTHONIOENCODING": encoding})
    assert (result.returncode, result.stdout, result.stderr) == (0, "\\u99c5.wav\n", "")


def test_a_closed_pipe_ends_a_program_without_a_word():
    code = "import sys; from asc_tf import command_line as c; sys.exit(c.run('p', lambda: print('x\\n' * 10**6)))"
    reading, writing = os.pipe()
    os.close(reading)
    result = subprocess.run([sys.executable, "-c", code], stdout=writing, stderr=subprocess.PIPE, timeout=60)
    os.close(writing)
    assert (result.returncode, result.stderr) == (command_line.UNREAD, b"")


@pytest.mark.parametrize(
    ("number", "status"), [("SIGINT", command_line.INTERRUPTED), ("SIGTERM", command_line.TERMINATED)]
)
@pytest.mark.parametrize("times", [1, 2])
def test_a_signal_ends_a_program_in_one_line(number, status, times):
    """The second one comes while the first is handled, as in the clean-up of worker processes."""
    kill = f"os.kill(os.getpid(), signal.{number})"
    code = (
        f"import os, signal, sys\nfrom asc_tf import command_line as c\ndef act():\n  try:\n    {kill}\n"
        f"  finally:\n    {kill if times == 2 else 'pass'}\nsys.exit(c.run('p', act, hint='Go on.'))"
    )
    result = ended(code)
    assert result.returncode == status
    assert result.stderr.strip() == "p: stopped. Go on."


def test_an_interrupt_before_the_first_line_of_a_program_prints_no_traceback():
    code = "import os, signal, sys; sys.argv = ['/usr/bin/asc-tf']; import asc_tf; os.kill(os.getpid(), signal.SIGINT)"
    result = ended(code)
    assert (result.returncode, result.stderr.strip()) == (command_line.INTERRUPTED, "asc-tf: stopped.")
