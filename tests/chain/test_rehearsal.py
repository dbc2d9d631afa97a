"""Every shipped recipe goes the whole way of its chain for a few steps of a few clips; PaSST and AST at full size.

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
OF_FULL_SIZE = ["jku2024_passt", "tencent2023_ast"]


def groups():
    """Names of the shipped recipes by folder, those of no folder together, without stages of others."""
    result, stages = defaultdict(list), set()
    for name in resolve.names():
        folder = resolve.find(name).parent
        result[folder.name if folder != resolve.SHIPPED else "others"].append(name)
        stages.update(one.name for one in resolve.dependencies(resolve.load(name)))
    return {group: [name for name in names if name not in stages] for group, names in result.items()}


def rehearsals(*arguments):
    """What rehearse_group.py prints; asserts that it ends with status 0."""
    done = subprocess.run([sys.executable, PROGRAM, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout


def test_transformers_of_published_size(tmp_path):
    """One after the other: both at once do not fit into the memory of a small machine."""
    for name in OF_FULL_SIZE:
        (tmp_path / name).mkdir()
        printed = rehearsals(tmp_path / name, "--full-size", name)
        assert re.findall(r"^rehearsed +(\S+ +\S+)", printed, re.MULTILINE) == [f"student   {name}"]
        assert float(re.search(r"at most ([\d.]+) GB of memory", printed)[1]) > 1


@pytest.mark.parametrize("group", groups())
def test_every_recipe_goes_the_whole_way(group, tmp_path):
    printed = rehearsals(tmp_path, *groups()[group])
    assert printed.count("in all: ") == len(re.findall(r"^stage +run ", printed, re.MULTILINE)) > 0
