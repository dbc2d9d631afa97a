"""Outputs of teachers, computed once for every clip and stored in the teacher's run or, of a run that a recipe names,
beside the student's.

    teacher_outputs/STORE/0000000.npz    outputs for the clips from index 0 on, as float16
A store holds the outputs for one split of the data, number of crops and embedding layer. Each of its files is complete
or absent, and states the clip list, the recipe and the weights that it belongs to.
Size: 2 bytes a clip and class: 2.8 MB for 139,620 clips of ten classes; as much a value of the embedding.
Logits of a clip that float16 cannot hold are stored with the largest of them at 0 and none below -65504, which has the
same softmax at all temperatures up to 500; those of a teacher of several classes a clip as -65504 or 65504, which have
the same sigmoid.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from tqdm import tqdm

from asc_tf import dataset
from asc_tf.errors import UserError
from asc_tf.recipe import resolve
from asc_tf.runs import layout
from asc_tf.runs.folder import RunFolder
from asc_tf.training.distribution import SINGLE_PROCESS, Distribution

CLIPS_A_FILE = 4096  # the most that an interruption costs
LARGEST = float(np.finfo(np.float16).max)  # 65504; below it rounding costs at most 1 part in 2048


def store_name(split: str, *, crops: int, layer: str | None) -> str:
    """Name of the store of a split ("train" or "validation"), number of crops and embedding layer."""
    return "-".join([split, f"{crops}_crops", *([layer] if layer else [])])


def outputs(
    run: RunFolder,
    store: str,
    clips: Sequence[str],
    compute: Callable[[slice], Iterator[dict[str, np.ndarray]]],
    *,
    folder: RunFolder | None = None,
    distribution: Distribution = SINGLE_PROCESS,
) -> dict[str, np.ndarray]:
    """Outputs of a teacher run for clips, read from its store; those that are missing are computed first.

    A call that was interrupted continues with the first file that is missing. Of several processes each computes its
    share of the files.

    Args:
        run: The finished teacher run.
        store: Name of the store, see `store_name`.
        clips: Names of the segments.
        compute: Function of a slice of the clips that yields dicts of float arrays, a row a segment, in order.
        folder: The folder that has its stores, where that is not the run itself.
        distribution: The processes that train together.

    Returns:
        {"logits": (clips, classes), and "embedding": (clips, size) where compute yields it}, float16.

    Raises:
        UserError: The store is of another clip list, recipe or weights (it stays as it is), outputs are not finite,
            or embeddings are larger than float16 can hold.
    """
    key, folder = _key(run, clips), folder or run
    files = {
        f"{layout.TEACHER_OUTPUTS}/{store}/{first:07d}.npz": slice(first, first + CLIPS_A_FILE)
        for first in range(0, len(clips), CLIPS_A_FILE)
    }
    for file in filter(folder.has, files):
        _read(folder, file, key, len(clips[files[file]]))
    share = list(files.items())[distribution.worker :: distribution.workers]
    missing = {file: rows for file, rows in share if not folder.has(file)}
    distribution.barrier(lambda: _compute(run, folder, missing, clips, compute, key))
    parts = [_read(folder, file, key, len(clips[rows])) for file, rows in files.items()]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def positions(run: RunFolder, clips: Sequence[str], wanted: Sequence[str]) -> np.ndarray:
    """Positions of clips in the teacher's clip list.

    Args:
        run: The teacher run.
        clips: The teacher's clip list.
        wanted: Names of clips.

    Raises:
        UserError: One of the wanted clips is not in the list.
    """
    position = {name: index for index, name in enumerate(clips)}
    missing = [name for name in wanted if name not in position]
    if missing:
        raise UserError(f"{run.path}: this teacher has no outputs for '{missing[0]}' ({len(missing)} such clips).")
    return np.array([position[name] for name in wanted])


def _key(run, clips):
    """Texts that state what the outputs depend on: the same key, the same outputs."""
    weights = hashlib.sha256((run.path / layout.BEST_WEIGHTS).read_bytes())
    if run.has(layout.NORMALISATION):
        weights.update((run.path / layout.NORMALISATION).read_bytes())
    return {
        "clip list": f"{len(clips)} clips, {_digest(chr(10).join(clips))}",
        "recipe": _digest(resolve.to_toml(run.recipe)),
        "weights": weights.hexdigest()[:16],
    }


def _digest(text):
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:16]


def _compute(run, folder, files, clips, compute, key):
    if not files:
        return
    multi_label = dataset.multi_label(run.recipe)
    total, beyond = sum(len(clips[rows]) for rows in files.values()), 0
    with tqdm(total=total, desc=f"teacher {run.path.name}", unit=" clips", leave=False, disable=None) as bar:
        for file, rows in files.items():
            batches = []
            for batch in compute(rows):
                logits, moved = _within_float16(np.asarray(batch["logits"]), multi_label)
                beyond += moved
                values = {name: _float16(run, name, value) for name, value in (batch | {"logits": logits}).items()}
                batches.append(values)
                bar.update(len(logits))
            arrays = {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}
            folder.write_arrays(file, arrays | {name: np.array(text) for name, text in key.items()})
    print(f"teacher {run.path.name}: outputs of {total:,} clips stored", flush=True)
    if beyond:
        same = "sigmoid" if multi_label else "softmax"
        print(
            f"note: its logits of {beyond:,} clips were beyond {LARGEST:g} and are stored within that, with the same "
            f"{same}; so sure of a clip is a teacher that should be trained longer or at a lower train.learning_rate",
            flush=True,
        )


def _within_float16(logits, multi_label):
    """(clips, classes) logits as they are stored, and how many clips' had to be moved for it."""
    largest = np.abs(logits).max(axis=-1)
    beyond = (largest > LARGEST) & np.isfinite(largest)
    if multi_label:
        moved = np.clip(logits, -LARGEST, LARGEST)
    else:
        moved = np.maximum(logits - logits.max(axis=-1, keepdims=True), -LARGEST)
    return np.where(beyond[:, None], moved, logits), int(beyond.sum())


def _float16(run, name, values):
    values = np.asarray(values)
    largest = np.abs(values).max()
    if not largest <= LARGEST:
        fix = "name another layer" if name == "embedding" else "train it anew with a lower train.learning_rate"
        raise UserError(f"{run.path}: this teacher's {name} reaches {largest:g}, float16 {LARGEST:g}; {fix}.")
    return values.astype(np.float16)


def _read(folder, file, key, rows):
    """The arrays of a file, without its key.  Raises UserError unless it is readable and has that key and length."""
    path = folder.path / file
    if not folder.has(file):
        raise UserError(f"{path}: is missing; workers that share this work need one disk that all of them see.")
    arrays = folder.read(file)
    if not {"logits", *key} <= arrays.keys() or any(len(arrays[name]) != rows for name in arrays.keys() - key.keys()):
        raise UserError(f"{path}: does not hold the outputs of its clips. Remove it, and it is computed again.")
    stored = {name: str(arrays.pop(name)) for name in key}
    for name, value in key.items():
        if stored[name] != value:
            raise UserError(
                f"{path}: belongs to another {name} ({stored[name]}; now {value}). "
                f"Restore that, or remove {path.parent} to compute the outputs again."
            )
    return arrays
