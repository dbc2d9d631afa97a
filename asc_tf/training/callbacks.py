"""What happens at the end of an epoch: validation, the log, the best weights, a state to resume from."""

import time

import keras
import numpy as np
from tqdm import tqdm

from asc_tf import build
from asc_tf.errors import UserError
from asc_tf.metrics import scores as metrics


class TrainingFailed(UserError):
    """The loss stopped being a number; what was saved before stands."""


def load_best(run, network):
    """Loads the run's chosen weights into its network."""
    file = run.path / "weights/best.weights.h5"
    if not file.is_file():
        raise UserError(f"{file}: is missing; train the run to its end first.")
    network.load_weights(file)
    return network


class Keeper(keras.callbacks.Callback):
    """Validates, logs and saves after every epoch; one line a time on the console.

    A layer with `begin_epoch(epoch)`, counted from 0, is told of every epoch before its first step.

    The state is written last and holds all that the next epoch depends on, so a run killed anywhere
    goes on from the last whole epoch as if it had never stopped.

    chief: whether this process validates, writes and speaks; of several that train together, one does.
    """

    def __init__(self, run, validation, labels, *, title, chief=True):
        super().__init__()
        self.run, self.validation, self.labels, self.title, self.chief = run, validation, labels, title, chief
        self.rows, self.best, self.deciding = [], -np.inf, None

    def resume(self, model):
        """Loads the saved state, if there is one, into a compiled model; the number of epochs already done."""
        self.set_model(model)
        self.logits = build.forward(model.network)
        if not self.run.has("state.npz"):
            return 0
        state = self.run.read_arrays("state.npz")
        for variable, key in self._variables():
            variable.assign(state[key])
        self.rows = [dict(zip(state["columns"].tolist(), row, strict=True)) for row in state["rows"].tolist()]
        self.best = float(state["best"])
        return len(self.rows)

    def on_epoch_begin(self, epoch, logs=None):
        self.started, self.done = time.monotonic(), epoch
        for layer in self.model.network.layers:
            if hasattr(layer, "begin_epoch"):
                layer.begin_epoch(epoch)
        steps = self.params["steps"]
        self.bar = tqdm(
            total=steps, desc=self.title, unit=" steps", leave=False, disable=None if self.chief else True
        )  # None: only on a terminal

    def on_train_batch_end(self, batch, logs=None):
        self.bar.update()
        if not np.isfinite(logs["loss"]):
            raise TrainingFailed(
                f"{self.run.path}: the loss is {logs['loss']} after epoch {self.done}. "
                "The epochs before are kept; lower train.learning_rate and start in another --out."
            )

    def on_epoch_end(self, epoch, logs=None):
        self.bar.close()
        if not self.chief:
            return
        logs["learning_rate"] = float(self.model.optimizer.learning_rate)
        logs |= self._validated()
        logs["seconds"] = time.monotonic() - self.started
        self.rows.append({"epoch": epoch + 1} | {key: float(value) for key, value in logs.items()})
        self._save(logs.get(f"val_{self.deciding}", epoch))
        self._tell(epoch, logs)

    def _validated(self):
        if not len(self.labels):
            return {}
        logits = build.outputs(self.logits, self.validation)
        probabilities = metrics.probabilities(logits, multi_label=self.labels.ndim == 2)
        if not np.isfinite(probabilities).all():
            raise TrainingFailed(f"{self.run.path}: the network's outputs are not numbers; lower train.learning_rate.")
        scores = metrics.scores(self.labels, probabilities)
        self.deciding = metrics.deciding(scores)
        return {f"val_{key}": scores[key] for key in (self.deciding, "log_loss")}

    def _save(self, score):
        self.run.write("weights/last.weights.h5", self.model.network.save_weights)
        if score >= self.best:  # of equals the later: its learning rate was lower
            self.best = score
            self.run.write("weights/best.weights.h5", self.model.network.save_weights)
        self.run.write_rows("log.csv", self.rows)
        log = {
            "columns": np.array(list(self.rows[0])),
            "rows": np.array([list(row.values()) for row in self.rows]),
            "best": np.array(self.best),
        }
        self.run.write_arrays("state.npz", log | {key: np.array(variable) for variable, key in self._variables()})

    def _variables(self):
        variables = self.model.variables + self.model.optimizer.variables  # also what learns beside the network
        # By place: the names of optimizers depend on how many there were in the process before.
        return [(variable, f"variable {place}") for place, variable in enumerate(variables)]

    def _tell(self, epoch, logs):
        told = {"loss": "loss {:.4f}", "accuracy": "accuracy {:.3f}", "val_macro_accuracy": "val accuracy {:.3f}"}
        told |= {"val_mean_average_precision": "val mAP {:.3f}", "seconds": "{:.1f} s"}
        figures = "  ".join(text.format(logs[key]) for key, text in told.items() if key in logs)
        print(f"{self.title}  epoch {epoch + 1:3d}/{self.params['epochs']}  {figures}", flush=True)
