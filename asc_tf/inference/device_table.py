"""The table of the networks of single recording devices: which file and cost each has."""

from typing import Any

from asc_tf.cost import challenge
from asc_tf.cost.limits import MAX_BYTES, MAX_MACS
from asc_tf.inference.run import TrainedRun
from asc_tf.runs import digests, layout, products
from asc_tf.runs.folder import RunFolder


def write(run: TrainedRun, devices: dict[str, RunFolder]) -> None:
    """Writes export/devices.json and prints it as a table.

    The limits of the DCASE challenge of 2025 hold for the network of each device.

    Args:
        run: The run of the general network.
        devices: The trained runs of the devices' networks by device.
    """
    tree = {
        digests.KEY: digests.network(run.folder),
        "general": _entry(run, run),
        "devices": {device: _entry(run, TrainedRun(own)) for device, own in devices.items()},
    }
    run.folder.write_json(layout.DEVICES, tree)
    rows = [("general", tree["general"]), *tree["devices"].items()]
    lines = [f"{'network for device':24s}{'parameters':>12s}{'bytes':>12s}{'MACs':>14s}  file"]
    lines += [
        f"{name:24s}{one['parameters']:12,}{one['bytes']:12,}{one['macs']:14,}  {one.get('file', 'not quantised')}"
        for name, one in rows
    ]
    print("\n".join([*lines, f"limits of each: {MAX_BYTES:,} bytes, {MAX_MACS:,} MACs"]), flush=True)


def cost(run: TrainedRun) -> dict[str, int]:
    """Parameters, bytes of them and MACs of a run's network as the challenge counts: of its int8 file if it has one.

    Args:
        run: The run; without an int8 file all parameters are in float.
    """
    if products.has(run.folder, layout.INT8):
        counted = run.folder.read(layout.METADATA)["challenge"]
        return {key: counted[key] for key in challenge.Count._fields}
    count = challenge.count(run.network)
    return count._asdict() | {"bytes": challenge.parameter_bytes(count.parameters, in_float=count.parameters)}


def _entry(general: TrainedRun, run: TrainedRun) -> dict[str, Any]:
    """Digest, cost and int8 file of a network."""
    entry = {digests.KEY: digests.network(run.folder)} | cost(run)
    if not run.folder.has(layout.INT8):
        return entry
    card = run.folder.read(layout.METADATA)
    file = str((run.path / layout.INT8).relative_to(general.path))
    return entry | {"file": file, "sha256": card["sha256"], "file_bytes": card["bytes"]["file"]}
