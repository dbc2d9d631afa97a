"""Files that are made of a run's network, tied to it by its digest: int8, float16, the one that takes the waveform.

A JSON file beside each states its own SHA-256 and the digest of the network that it was made of.
"""

from typing import Any

from asc_tf.errors import UserError
from asc_tf.runs import digests, files, layout
from asc_tf.runs.folder import RunFolder

DEVICES_KEY = "devices_sha256"  # in metrics.json: of the table of the networks of devices that were evaluated

# product -> (file that describes it, key of the product's SHA-256 there)
DESCRIPTIONS = {
    layout.INT8: (layout.METADATA, "sha256"),
    layout.WAVE: (layout.METADATA, "wave_to_scene_sha256"),
    layout.FLOAT16: (layout.FLOAT16_METADATA, "sha256"),
}


def has(run: RunFolder, name: str) -> bool:
    """Whether a run has a file, a product or another.

    Args:
        run: The run.
        name: The file's path in the run.

    Raises:
        UserError: It is a product that is missing, though it is described.
    """
    if run.has(name) or name not in DESCRIPTIONS:
        return run.has(name)
    description, key = DESCRIPTIONS[name]
    if run.has(description) and key in run.read(description):
        raise UserError(f"{run.path / name}: is missing, though {description} describes it. {files.of(name).fix}")
    return False


def read(run: RunFolder, name: str) -> bytes:
    """Bytes of a product of a run.

    Args:
        run: The run.
        name: A key of DESCRIPTIONS.

    Raises:
        UserError: The file or its description is missing or damaged, they do not belong together, or the product was
            made of another network than the run has now.
    """
    digests.check(run)
    content, (description, key) = run.read_bytes(name), DESCRIPTIONS[name]
    tree, fix = run.read(description), files.of(name).fix
    if tree.get(key) != digests.sha256(content):
        raise UserError(f"{run.path / name}: is not the file that {description} describes; one of them changed. {fix}")
    if tree[digests.KEY] != digests.network(run):
        raise UserError(f"{run.path / name}: was made of another network than the run has now. {fix}")
    return content


def scores(run: RunFolder) -> dict[str, dict[str, Any]]:
    """Content of metrics.json, which is of the network and the int8 file that the run has now.

    Args:
        run: An evaluated run.

    Raises:
        UserError: The file is missing or damaged, or of others.
    """
    digests.check(run)
    found = run.read(layout.METRICS)
    if run.has(layout.INT8) and "int8" in found:
        read(run, layout.INT8)
        if found["int8"].get("sha256") != run.read(layout.METADATA)["sha256"]:
            raise UserError(
                f"{run.path}: {layout.METRICS} is of an int8 file that was replaced since; "
                f"run `asc-tf evaluate {run.path}` again."
            )
    stored = {one[DEVICES_KEY] for one in found.values() if DEVICES_KEY in one}
    if stored and (not run.has(layout.DEVICES) or stored != {digests.sha256(run.read_bytes(layout.DEVICES))}):
        raise UserError(
            f"{run.path}: {layout.METRICS} is of networks of devices that were replaced since; "
            f"run `asc-tf evaluate {run.path}` again."
        )
    return found
