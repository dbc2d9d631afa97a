"""What happens at the end of an epoch: validation, log, best weights, the state to resume from."""

import time
from collections.abc import Callable
from functools import cached_property
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from asc_tf import build, metrics
from asc_tf.errors import UserError
from asc_tf.runs import digests, files, layout
from asc_tf.runs.folder import RunFolder


class TrainingFailed(UserError):
    """The loss is not a finite number any more; the files of the epochs before are complete."""


class EpochCheckpoint(keras.callbacks.Callback):
    """Validates, logs and saves after every epoch; prints one line an epoch.

    A layer of the network with a method `begin_epoch(epoch)`, counted from 0 over all of its training, has it called
    before every epoch.

    The state is written last and holds all that the next epoch depends on, so a run killed at any moment
    resumes from its last whole epoch as if it had never stopped.

    Args:
        run: Folder of the run.
        network: The network that is validated and saved.
        validation: Batches of its inputs for the validation segments.
        labels: Their labels, as metrics take them; empty without validation.
        title: Start of every printed line.
        is_chief: Whether this process validates, writes and prints; of several that train together, one does.
        on_validation: Called with the number of the epoch, from 1, and the probabilities (segments, classes) of the
            validation segments.
        epochs_before: Epochs that the network was trained for before, of a network that is fine-tuned.
    """

    def __init__(
        self,
        run: RunFolder,
        network: keras.Model,
        validation: tf.data.Dataset,
        labels: np.ndarray,
        *,
        title: str,
        is_chief: bool = True,
        on_validation: Callable[[int, np.ndarray], None] | None = None,
        epochs_before: int = 0,
    ):
        super().__init__()
        self.run, self.network, self.validation, self.labels = run, network, validation, labels
        self.title, self.is_chief, self.on_validation = title, is_chief, on_validation
        self.epochs_before = epochs_before
        self.rows, self.best, self.monitor = [], -np.inf, None

    @cached_property
    def logits(self) -> Callable[[tf.Tensor], tf.Tensor]:
        """The network in inference mode."""
        return build.forward(self.network)

    def resume(self, model: keras.Model) -> int:
        """Loads the saved state, if there is one, into a compiled model.

        Args:
            model: The model that is trained, with its optimizer built.

        Returns:
            The number of completed epochs.

        Raises:
            UserError: The state is damaged, or of another run.
        """
        self.set_model(model)
        if not self.run.started:
            return 0
        state = self.run.read(layout.STATE)
        self._check(state)
        for variable, key in self._variables():
            variable.assign(state[key])
        rows = [dict(zip(state["columns"].tolist(), row, strict=True)) for row in state["rows"].tolist()]
        self.rows = [row | {"epoch": number} for number, row in enumerate(rows, 1)]
        self.best = float(state["best"])
        return len(self.rows)

    def keep_initial(self) -> None:
        """Saves the weights that training starts from as the best so far, where there are validation clips."""
        scores = self._validate() if self.is_chief else {}
        if scores:
            self.best = scores[f"val_{self.monitor}"]
            build.save_weights(self.run, self.network, layout.BEST_WEIGHTS)

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Starts the epoch's clock and progress bar. Called by Keras."""
        self.start_s, self.epoch = time.monotonic(), epoch
        for layer in self.network.layers:
            if hasattr(layer, "begin_epoch"):
                layer.begin_epoch(self.epochs_before + epoch)
        self.bar = tqdm(
            total=self.params["steps"],
            desc=self.title,
            unit=" steps",
            leave=False,
            disable=None if self.is_chief else True,  # None: only on a terminal
        )

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Checks the loss. Called by Keras.

        Raises:
            TrainingFailed: The loss is not a finite number.
        """
        self.bar.update()
        if not np.isfinite(logs["loss"]):
            raise TrainingFailed(
                f"{self.run.path}: the loss is {logs['loss']} after epoch {self.epoch}. "
                "The epochs before are saved; lower train.learning_rate and start in another --out."
            )

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Validates, logs, saves and prints. Called by Keras."""
        self.bar.close()
        if not self.is_chief:
            return
        logs["learning_rate"] = float(self.model.optimizer.learning_rate)
        logs |= self._validate()
        logs["seconds"] = time.monotonic() - self.start_s
        self.rows.append({"epoch": epoch + 1} | {key: float(value) for key, value in logs.items()})
        self._save(logs.get(f"val_{self.monitor}", epoch))
        self._print(epoch, logs)

    def _validate(self):
        if not len(self.labels):
            return {}
        logits = build.outputs(self.logits, self.validation)
        probabilities = metrics.probabilities(logits, multi_label=self.labels.ndim == 2)
        if not np.isfinite(probabilities).all():
            raise TrainingFailed(f"{self.run.path}: the network's outputs are not numbers; lower train.learning_rate.")
        if self.on_validation:
            self.on_validation(self.epoch + 1, probabilities)
        summary = metrics.summary(self.labels, probabilities)
        self.monitor = metrics.monitor(summary)
        return {f"val_{key}": summary[key] for key in (self.monitor, "log_loss")}

    def _save(self, score):
        is_best = score >= self.best  # of equals the later: its learning rate was lower
        self.best = max(self.best, score)
        build.save_weights(self.run, self.network, layout.LAST_WEIGHTS, *[layout.BEST_WEIGHTS] * is_best)
        self.run.write_rows(layout.LOG, self.rows)
        log = {
            "columns": np.array(list(self.rows[0])),
            "rows": np.array([list(row.values()) for row in self.rows]),
            "best": np.array(self.best),
            "made_from": np.array(digests.network(self.run, digests.INPUTS)),
        }
        self.run.write_arrays(layout.STATE, log | {key: np.array(variable) for variable, key in self._variables()})

    def _check(self, state):
        """Raises UserError unless a state is of this run."""
        shapes = {key: tuple(variable.shape) for variable, key in self._variables()}
        found = {key: value.shape for key, value in state.items() if key.startswith("variable ")}
        if shapes != found or state["made_from"] != digests.network(self.run, digests.INPUTS):
            raise UserError(
                f"{self.run.path / layout.STATE}: is the state of another run, or of this one with another recipe, "
                f"classes or normalisation. {files.of(layout.STATE).fix}"
            )

    def _variables(self):
        """(variable, key) of all that training changes, also beside the network.

        By index: names of optimizers depend on how many there were in the process before.
        """
        variables = self.model.variables + self.model.optimizer.variables
        return [(variable, f"variable {index}") for index, variable in enumerate(variables)]

    def _print(self, epoch, logs):
        formats = {
            "loss": "loss {:.4f}",
            "accuracy": "accuracy {:.3f}",
            "val_macro_accuracy": "val accuracy {:.3f}",
            "val_mean_average_precision": "val mAP {:.3f}",
            "seconds": "{:.1f} s",
        }
        figures = "  ".join(text.format(logs[key]) for key, text in formats.items() if key in logs)
        print(f"{self.title}  epoch {epoch + 1:3d}/{self.params['epochs']}  {figures}", flush=True)
