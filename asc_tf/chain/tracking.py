"""What a training writes beside its log, by [tracking]: pictures for TensorBoard, and a run of MLflow."""

import contextlib
from collections.abc import Iterator, Sequence

import keras
import numpy as np
import tensorflow as tf

from asc_tf import dataset, metrics
from asc_tf.chain import mlflow_store
from asc_tf.chain.mlflow_store import MlflowRun
from asc_tf.data import batches
from asc_tf.dataset import LoadedDataset
from asc_tf.evaluation import confusion, show, spectrograms
from asc_tf.recipe.schema import Recipe, Tracking
from asc_tf.runs import layout
from asc_tf.runs.folder import RunFolder


def check(recipe: Recipe, *, create: bool = True) -> None:
    """Checks that the recipe's MLflow store can be used.

    Args:
        recipe: The recipe.
        create: Whether a folder that is not there yet is created.

    Raises:
        UserError: It cannot, or MLflow is not installed.
    """
    if recipe.tracking and recipe.tracking.mlflow:
        mlflow_store.check(recipe, create=create)


class Tracker:
    """What is written of a run while it is trained.

    Args:
        run: The run; None where another process writes.
        source: Its training segments; None where it is finished.
        data: Its dataset; None where it is finished.

    Raises:
        UserError: The MLflow store cannot be used, or lacks the MLflow run of a run that is resumed.
    """

    def __init__(
        self, run: RunFolder | None = None, source: batches.Source | None = None, data: LoadedDataset | None = None
    ):
        section = run.recipe.tracking or Tracking() if run else Tracking()
        self.run, self.data, self.pictures = run, data, section.pictures
        self.mlflow = MlflowRun(run) if section.mlflow else None
        if self.pictures and not run.started:
            rows = show.first_step(run, source, data.classes)
            self._write("first step", 0, spectrograms.sheet(rows, title=f"{run.recipe.name}, inputs of the network"))

    @property
    def callbacks(self) -> Sequence[keras.callbacks.Callback]:
        """Further callbacks of the training."""
        return [keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: self.mlflow.update())] if self.mlflow else []

    def on_validation(self, epoch: int, probabilities: np.ndarray) -> None:
        """Writes the confusion matrix of an epoch, where one is due.

        Args:
            epoch: Number of the epoch, from 1.
            probabilities: (segments, classes) of the validation segments.
        """
        due = self.pictures and (epoch % self.pictures == 0 or epoch == self.run.recipe.train.epochs)
        if due and not dataset.multi_label(self.run.recipe):
            table = metrics.confusion(self.data.labels(self.data.validation), probabilities)
            picture = confusion.draw(table, self.data.classes, title=f"epoch {epoch}", split="validation")
            self._write("confusion matrix", epoch, picture)

    @contextlib.contextmanager
    def finishing(self) -> Iterator[None]:
        """Context of the training and evaluation of the run, at whose end its MLflow run ends too."""
        if not self.mlflow:
            yield
            return
        status = "FAILED"
        try:
            yield
            status = "FINISHED"
        except KeyboardInterrupt:
            status = "KILLED"
            raise
        finally:
            self.mlflow.end(status)

    def _write(self, name, epoch, picture):
        """Writes the bytes of a PNG file for TensorBoard."""
        writer = tf.summary.create_file_writer(str(self.run.path / layout.TENSORBOARD / "pictures"))
        with writer.as_default(step=epoch):
            tf.summary.image(name, tf.io.decode_png(picture, channels=3)[tf.newaxis])
        writer.close()
