"""The runs of networks of single recording devices, in folders below that of the general network's run.

per_device/device_NAME    a run folder; characters that no file name should have are escaped as in addresses
export/devices.json       the networks by device: folder, digest, file for the device, cost
"""

from urllib.parse import quote

from asc_tf.errors import UserError
from asc_tf.recipe.device_recipe import device_recipe
from asc_tf.runs import digests, files, folder, layout
from asc_tf.runs.folder import RunFolder

OF_FILE = ("file", "sha256", "file_bytes")  # of an entry of the table, where the network has an int8 file


def folder_of(run: RunFolder, device: str) -> RunFolder:
    """The folder of a device's run, which may not exist yet.

    Args:
        run: Run of the general network, whose recipe has [per_device].
        device: Name of the device.
    """
    name = quote(device, safe="").replace(".", "%2E")
    return RunFolder(run.path / layout.PER_DEVICE / f"device_{name}", device_recipe(run.recipe))


def load(run: RunFolder, *, replaced: bool = False) -> dict[str, RunFolder]:
    """The runs of the devices' networks by device; none of a recipe without [per_device], or imported.

    Args:
        run: A run of which the general network is trained.
        replaced: Whether their int8 files are about to be replaced, and may be others than in the table.

    Raises:
        UserError: They are not trained to their end, or a file is damaged, missing or of another network.
    """
    if run.recipe is None or run.recipe.per_device is None or run.imported:
        return {}
    if not run.has(layout.DEVICES):
        raise UserError(
            f"{run.path / layout.DEVICES}: is missing, the networks of the devices are not trained to their end; go on "
            "with asc-tf train and --resume."
        )
    table = run.read(layout.DEVICES)
    if table[digests.KEY] != digests.network(run):
        raise UserError(
            f"{run.path / layout.DEVICES}: is of another general network than the run has now. "
            f"{files.of(layout.DEVICES).fix}"
        )
    return {device: _checked(run, device, entry, replaced) for device, entry in table["devices"].items()}


def copy(run: RunFolder, new: RunFolder) -> None:
    """Copies the networks of the devices, without their int8 files, to a copy of a run.

    Args:
        run: The run.
        new: The copy, as folder.copy makes it.
    """
    runs = load(run, replaced=True)
    for device, own in runs.items():
        folder.copy(own, folder_of(new, device).path)
    if runs:
        table = run.read(layout.DEVICES)
        entries = {device: _without_file(entry) for device, entry in table["devices"].items()}
        new.write_json(layout.DEVICES, table | {"general": _without_file(table["general"]), "devices": entries})


def _without_file(entry):
    return {key: value for key, value in entry.items() if key not in OF_FILE}


def _checked(run, device, entry, replaced):
    """The run of a device, which is that of its entry in the table."""
    own = folder.load(folder_of(run, device).path)
    digests.check(own)
    if digests.network(own) != entry[digests.KEY]:
        raise UserError(
            f"{own.path}: has another network than {layout.DEVICES} describes. {files.of(layout.BEST_WEIGHTS).fix}"
        )
    sha256 = own.read(layout.METADATA)["sha256"] if own.has(layout.METADATA) else None
    if sha256 != entry.get("sha256") and not replaced:
        raise UserError(
            f"{own.path}: has another int8 file than {layout.DEVICES} describes; make all anew with asc-tf export "
            f"tflite {run.path}."
        )
    return own
