"""Every shipped recipe goes the whole way of its chain for a few steps; PaSST and AST at full size.

Every process started here gives its memory back: in one process the transformers and what went before took 23 GB.
"""

import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from asc_tf.recipe import resolve

pytestmark = [pytest.mark.slow, pytest.mark.long]
PROGRAM = Path(__file__).with_name("rehearse_group.py")
OF_FULL_SIZE = ["jku2024_passt", "tencent2023_ast"]  # each with the stage on AudioSet before it
FULL_SIZE = ["--set", "*:train.batch_size=2", "--set", "*:data.validation_share=0.02"]


def groups():
    """Names of the shipped recipes by folder, those of no folder one by one, without stages of OF_FULL_SIZE."""
    stages = {one.name for name in OF_FULL_SIZE for one in resolve.dependencies(resolve.load(name))}
    result = defaultdict(list)
    for name in resolve.names():
        folder = resolve.find(name).parent
        if folder != resolve.SHIPPED:
            result[folder.name].append(name)
        elif name not in stages:
            result[name].append(name)
    return result


def output(*arguments):
    """What a program of Python prints, when it ends with status 0."""
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout


def test_transformers_of_published_size(tmp_path):
    """One after the other: both at once do not fit into the memory of a small machine."""
    for name in OF_FULL_SIZE:
        printed = output("-m", "asc_tf.train", name, "--rehearse", *FULL_SIZE, "--out", tmp_path / name)
        assert [line.split()[1] for line in printed.splitlines() if line.startswith("rehearsed")] == ["init", "student"]
        assert float(re.search(r"at most ([\d.]+) GB of memory", printed)[1]) > 1
        assert not (tmp_path / name).exists()


@pytest.mark.parametrize("group", groups())
def test_every_recipe_goes_the_whole_way(group, tmp_path):
    printed = output(PROGRAM, tmp_path, *groups()[group])
    assert printed.count("in all: ") == len(re.findall(r"^stage +run ", printed, re.MULTILINE)) > 0
