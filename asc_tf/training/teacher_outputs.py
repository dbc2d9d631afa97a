"""What did a teacher say of every clip? Asked once, stored in its run, keyed by clip.

    teacher_outputs/STORE/0000000.npz    what was said of the clips from number 0 on, as float16
A store answers one question: which part of the data, heard in how many crops, the embedding of which layer. Each of
its files appears when it is whole, and states the clip list, the recipe and the weights that it belongs to.
Size: 2 bytes a clip and class: 2.8 MB for 139,620 clips of ten classes; as much a value of the embedding.
"""

import hashlib
import zipfile

import numpy as np
from tqdm import tqdm

from asc_tf.errors import UserError
from asc_tf.recipe import resolve as recipes

FOLDER = "teacher_outputs"
CLIPS_A_FILE = 4096  # the most that an interruption costs
LARGEST = float(np.finfo(np.float16).max)  # 65504; below it rounding costs at most 1 part in 2048


def store(part, *, crops, layer):
    """The name of the store for a part of the data ("train" or "validation"), crops and layer (or None)."""
    return "-".join([part, f"{crops}_crops", *([layer] if layer else [])])


def outputs(run, store, clips, ask, *, worker=0, workers=1, together=lambda action: action()):
    """{"logits": (clips, classes), perhaps "embedding": (clips, size)} float16 of a teacher run.

    run:    its finished run folder.   clips: names of the segments.
    ask:    a function of a slice of them that yields dicts of float arrays, a row a segment, in their order.
    worker, workers: of several processes that see the run folder, each asks about every workers-th file's clips;
            together(action) does this one's part and returns when all have done theirs.
    What is stored is not asked again, so an interrupted call goes on with the first file that is missing.
    Raises UserError for a store of another clip list, another recipe or other weights, which stays as it is, and
    for outputs that are not numbers or larger than float16 holds.
    """
    key = _key(run, clips)
    files = {f"{FOLDER}/{store}/{first:07d}.npz": slice(first, first + CLIPS_A_FILE) for first in _firsts(clips)}
    for file in filter(run.has, files):
        _read(run, file, key)
    own = {file: rows for file, rows in list(files.items())[worker::workers] if not run.has(file)}
    together(lambda: _ask(run, own, clips, ask, key))
    found = [_read(run, file, key) for file in files]
    return {name: np.concatenate([part[name] for part in found]) for name in found[0]}


def places(run, clips, wanted):
    """Where in `clips`, which the teacher heard, each of the `wanted` ones is.  UserError for one that is not there."""
    place = {name: number for number, name in enumerate(clips)}
    missing = [name for name in wanted if name not in place]
    if missing:
        raise UserError(f"{run.path}: this teacher never heard '{missing[0]}' ({len(missing)} such clips).")
    return np.array([place[name] for name in wanted])


def _firsts(clips):
    return range(0, len(clips), CLIPS_A_FILE)


def _key(run, clips):
    """What the outputs depend on, each as a text: the same key, the same outputs."""
    weights = hashlib.sha256((run.path / "weights/best.weights.h5").read_bytes())
    if run.has("normalisation.npz"):
        weights.update((run.path / "normalisation.npz").read_bytes())
    return {
        "clip list": f"{len(clips)} clips, {_digest(chr(10).join(clips))}",
        "recipe": _digest(recipes.to_toml(run.recipe)),
        "weights": weights.hexdigest()[:16],
    }


def _digest(text):
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:16]


def _ask(run, files, clips, ask, key):
    if not files:
        return
    total = sum(len(clips[rows]) for rows in files.values())
    with tqdm(total=total, desc=f"teacher {run.path.name}", unit=" clips", leave=False, disable=None) as bar:
        for file, rows in files.items():
            answers = []
            for answer in ask(rows):
                answers.append({name: _half(run, name, values) for name, values in answer.items()})
                bar.update(len(answers[-1]["logits"]))
            arrays = {name: np.concatenate([answer[name] for answer in answers]) for name in answers[0]}
            run.write_arrays(file, arrays | {name: np.array(text) for name, text in key.items()})
    print(f"teacher {run.path.name}: asked about {total:,} clips", flush=True)


def _half(run, name, values):
    values = np.asarray(values)
    largest = np.abs(values).max()
    if not largest <= LARGEST:
        fix = "name another layer of it" if name == "embedding" else "train it anew with a lower train.learning_rate"
        raise UserError(f"{run.path}: this teacher's {name} reaches {largest:g}, stored are up to {LARGEST:g}; {fix}.")
    return values.astype(np.float16)


def _read(run, file, key):
    """The arrays of a file, without its key.  Raises UserError unless it is there, readable and of that key."""
    path = run.path / file
    if not run.has(file):
        raise UserError(f"{path}: is missing; workers that share this work need one disk that all of them see.")
    try:
        arrays = run.read_arrays(file)
        stored = {name: str(arrays.pop(name)) for name in key}
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise UserError(f"{path}: is not readable; remove it, and it is made again.") from error
    for name, value in key.items():
        if stored[name] != value:
            raise UserError(
                f"{path}: belongs to another {name} ({stored[name]}; now {value}). "
                f"Bring that back, or remove {path.parent} to ask the teacher anew."
            )
    return arrays
