"""The last stage of a system of several networks: their evaluation as one, and the files for the device."""

import os
from collections.abc import Callable, Sequence

from asc_tf.dataset import LoadedDataset
from asc_tf.evaluation import evaluate
from asc_tf.inference.run import TrainedRun
from asc_tf.inference.system import check_members
from asc_tf.runs import device_runs, layout
from asc_tf.runs.folder import RunFolder

RULES = {
    "prod": "p_c = product of the members' probabilities of class c, divided by the sum of these products over c",
    "mean": "p_c = mean of the members' probabilities of class c",
}
FILES = (layout.INT8, layout.FLOAT16, layout.WAVE, layout.METADATA)  # of a member, copied where it has them


def finish(run: RunFolder, members: Sequence[RunFolder], load: Callable[..., LoadedDataset]) -> RunFolder:
    """Evaluates the members as one and copies their files to the system's folder.

    Args:
        run: Folder of the system.
        members: The finished runs of its members.
        load: Function (recipe, quiet=) that loads a dataset.

    Returns:
        The folder of the system.

    Raises:
        UserError: The members' classes or test clips differ.
    """
    runs = [TrainedRun(member) for member in members]
    run.write(layout.LABELS, "\n".join(check_members(runs)) + "\n")
    run.write_json(layout.MEMBERS, [os.path.relpath(member.path, run.path) for member in members])
    entries = [_entry(run, member) for member in members]
    method = run.recipe.fuse.method
    fusion = {"method": method, "rule": RULES[method], "probabilities": "softmax of the logits of each member"}
    run.write_json(layout.SYSTEM, {"labels": list(runs[0].labels), "members": entries, "fuse": fusion})
    evaluate.fuse(runs, method, run.path, load=load)
    return run


def _entry(run, member):
    """Name and copied files of a member, with those of the networks of single recording devices where it has such."""
    name, own = member.path.name, device_runs.load(member)
    entry = {"name": name, "files": _copy(run, member, name)}
    of_devices = {device: _copy(run, one, f"{name}/{one.path.name}") for device, one in own.items()}
    return entry | ({"devices": of_devices} if of_devices else {})


def _copy(run, member, folder):
    """Copies the files that a device needs to a folder below export; their paths by the name of the file."""
    copied = {}
    for name in filter(member.has, FILES):
        path = f"{folder}/{name.rpartition('/')[2]}"
        run.write(f"export/{path}", (member.path / name).read_bytes())
        copied[name.rpartition("/")[2]] = path
    return copied
