"""Trains a small student for two epochs on NumPy batches and prints the losses; not a test of its own.

Arguments: file of the network's weights, which is written first where it is absent.
"""

import json
import sys
from pathlib import Path

import keras
import numpy as np

import asc_tf  # noqa: F401
from asc_tf.distillation.student import Student
from asc_tf.models import cp_mobile
from asc_tf.recipe.schema import Distill, Hierarchy

CLASSES, CLIPS = ("a", "b", "c", "d"), 32


def batches():
    """Two batches of spectrograms with labels, logits and embeddings of one teacher."""
    rng = np.random.default_rng(0)
    for _ in range(2):
        label = np.eye(4, dtype="f")[rng.integers(0, 4, CLIPS)]
        outputs = {"teacher": rng.normal(size=(CLIPS, 4)), "embedding": rng.normal(size=(CLIPS, 6))}
        spectrograms = rng.normal(size=(CLIPS, 32, 20, 1)).astype("f")
        yield spectrograms, {"label": label} | {name: value.astype("f") for name, value in outputs.items()}


def main() -> None:
    """Trains, and prints {"backend", "history"} as JSON."""
    keras.utils.set_random_seed(0)
    network = cp_mobile.build(
        (32, 20, 1), 4, width=8, growth=1.5, expansion=2.0, grn=True,
        strides=[[1, 1], [1, 1], [1, 2], [2, 1], [1, 1], [1, 1]],
    )  # fmt: skip
    student = Student(
        network,
        distill=Distill(temperature=2.0, label_weight=0.5, teacher_weight=0.3, embedding_weight=0.2, layer="b6_relu"),
        hierarchy=Hierarchy(groups={"ab": ["a", "b"], "cd": ["c", "d"]}, branches="two", layer="b6_relu"),
        classes=CLASSES,
        embedding_sizes=[6],
        steps_per_epoch=2,
    )
    student.compile(optimizer=keras.optimizers.SGD(0.02, momentum=0.9))
    weights, file = [np.asarray(value) for value in student.get_weights()], Path(sys.argv[1])
    if not file.is_file():
        np.savez(file, *weights)
    with np.load(file) as saved:
        student.set_weights([saved[name] for name in saved.files])
    history = {}
    for _ in range(2):
        student.reset_metrics()
        for spectrograms, targets in batches():
            logs = student.train_on_batch(spectrograms, targets, return_dict=True)
        for name, value in logs.items():
            history.setdefault(name, []).append(float(value))
    print(json.dumps({"backend": keras.backend.backend(), "history": history}))


if __name__ == "__main__":
    main()
