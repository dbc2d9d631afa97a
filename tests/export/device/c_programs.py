"""Compilation of the C and C++ sources of a run for tests, with all warnings as errors."""

import shutil
import subprocess

import numpy as np
import pytest

from asc_tf import dataset
from asc_tf.export.device import c_front_end, micro_sources
from asc_tf.export.device.front_end import exportable

INPUT_QUANTISATION = (0.01, -7)  # scale, zero point
STRICT = ["-Wall", "-Wextra", "-Werror", "-O2"]
SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g"]


def compile_program(compiler, folder, *arguments):
    """Compiles with the headers of a folder; skips the test where there is no compiler."""
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is absent: the C sources are not compiled")
    subprocess.run([compiler, *STRICT, f"-I{folder}", *map(str, arguments)], check=True)


def sanitizers(folder):
    """Options of gcc for its sanitizers of addresses and undefined behaviour; none where it lacks their libraries."""
    source = folder / "empty.c"
    source.write_text("int main(void) { return 0; }\n")
    process = subprocess.run(["gcc", *SANITIZERS, "-o", folder / "empty", source], capture_output=True)
    return [] if process.returncode else SANITIZERS


def write_front_end(run, folder):
    """Writes the sources of a run's front end, without those of a network, into a folder."""
    layer, samples = exportable(run.recipe, "plain C"), dataset.segment_samples(run.recipe)
    numbers = c_front_end.settings(run, layer, samples, INPUT_QUANTISATION)
    (folder / "asc_tf_settings.h").write_text(c_front_end.settings_text(numbers, "TEST_SETTINGS_H_"))
    (folder / "asc_tf_tables.h").write_text(c_front_end.tables_text(c_front_end.tables(run, layer)))
    for name in micro_sources.COPIED:
        shutil.copy(micro_sources.TEMPLATES / name, folder)


def outputs(program, arguments, content, dtype):
    """What a program writes to stdout for the bytes on its stdin, as an array."""
    process = subprocess.run([program, *map(str, arguments)], input=content, stdout=subprocess.PIPE, check=True)
    return np.frombuffer(process.stdout, dtype)
