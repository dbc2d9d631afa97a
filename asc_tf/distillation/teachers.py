"""What did a teacher say of every training clip? Computed once, stored in its run, keyed by clip."""

import hashlib

import numpy as np

from asc_tf.errors import UserError

FILE = "logits.npz"


def logits(run, clips, wanted, compute):
    """(wanted, classes) float32 logits of a teacher run, from its store or by `compute()`.

    run:     the teacher's run folder.   clips: names of the segments that `compute` gives logits for.
    wanted:  names of the segments to return, in their order.
    The store is used only if it was made from the same weights and the same clips.
    """
    key = _key(run, clips)
    stored = run.read_arrays(FILE) if run.has(FILE) else {}
    if str(stored.get("key")) != key:
        stored = {"key": np.array(key), "logits": compute().astype(np.float16)}
        run.write_arrays(FILE, stored)
    row = {name: index for index, name in enumerate(clips)}
    missing = [name for name in wanted if name not in row]
    if missing:
        raise UserError(f"{run.path}: this teacher never heard '{missing[0]}' ({len(missing)} such clips).")
    return stored["logits"][[row[name] for name in wanted]].astype(np.float32)


def _key(run, clips):
    digest = hashlib.sha256((run.path / "weights/best.weights.h5").read_bytes())
    digest.update("\n".join(clips).encode())
    return digest.hexdigest()
