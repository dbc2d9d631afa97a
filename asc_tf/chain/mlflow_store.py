"""Runs of MLflow: a recipe as parameters, figures by epoch, final figures, report and recipe as files.

Source:  MLflow's client (extra `tracking`), with no state of the process: docs of mlflow.tracking.MlflowClient. Folders
         hold a SQLite database, since MLflow 3 refuses its former store of plain files.
"""

import importlib
import os
import re
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from asc_tf.errors import UserError
from asc_tf.recipe import resolve
from asc_tf.recipe.schema import Recipe
from asc_tf.runs import layout
from asc_tf.runs.folder import RunFolder

EXPERIMENT = "asc_tf"
PARAMETERS, METRICS, LENGTH = 100, 1000, 500  # that MLflow takes at once; characters of a parameter
FILES = (layout.RECIPE, layout.REPORT)


def check(recipe: Recipe, *, create: bool = True) -> None:
    """Checks that MLflow is installed and a recipe's store can be used.

    Args:
        recipe: A recipe with tracking.mlflow.
        create: Whether a folder that is not there yet is created.

    Raises:
        UserError: It is not, or cannot.
    """
    place = recipe.tracking.mlflow
    if create or _is_address(place) or _folder(place).exists():
        connect(recipe)
    else:
        _package(recipe)


def connect(recipe: Recipe) -> Any:
    """MLflow's client of a recipe's store, which is created where it is a folder.

    Args:
        recipe: A recipe with tracking.mlflow.

    Raises:
        UserError: MLflow is not installed, or the store cannot be used.
    """
    mlflow, place = _package(recipe), recipe.tracking.mlflow
    try:
        client = mlflow.MlflowClient(place if _is_address(place) else _database(place))
        client.search_experiments(max_results=1)
    except (mlflow.exceptions.MlflowException, OSError) as error:
        raise UserError(f"{recipe.file}: tracking.mlflow = '{place}' cannot be used: {_reason(error)}") from error
    return client


class MlflowRun:
    """The MLflow run of a run folder: a new one, or that of a run that is resumed.

    What it lacks of the run's log is written whenever it is updated, so a store that fails for a while loses nothing.

    Args:
        run: The run.

    Raises:
        UserError: The store cannot be used, or lacks the MLflow run of a run that is resumed.
    """

    def __init__(self, run: RunFolder):
        self.run, self.client = run, connect(run.recipe)
        self._exception = importlib.import_module("mlflow.exceptions").MlflowException
        self._entities = importlib.import_module("mlflow.entities")
        try:
            self.id = self._resumed() if run.has(layout.MLFLOW) else self._created()
        except (self._exception, OSError) as error:
            raise UserError(
                f"{run.path}: MLflow: {_reason(error)}. If its store has lost the run, remove {layout.MLFLOW}: the run "
                "goes on in a new one."
            ) from error
        self.update()

    def update(self) -> None:
        """Writes the figures of epochs that the MLflow run lacks; prints a warning where it cannot."""
        self._try(self._update)

    def end(self, status: str) -> None:
        """Writes what a run has at its end, and its status; prints a warning where it cannot.

        Args:
            status: "FINISHED", "FAILED" or "KILLED".
        """
        self._try(lambda: self._end(status))

    def _created(self):
        place = self.run.recipe.tracking.mlflow
        experiment = self.client.get_experiment_by_name(EXPERIMENT)
        if experiment is None:
            files = None if _is_address(place) else (_folder(place) / "files").as_uri()
            experiment_id = self.client.create_experiment(EXPERIMENT, artifact_location=files)
        else:
            experiment_id = experiment.experiment_id
        run_id = self.client.create_run(experiment_id, run_name=self.run.path.resolve().name).info.run_id
        self.run.write_json(layout.MLFLOW, {"run_id": run_id})
        values = {_name(key): _shortened(str(value)) for key, value in resolve.flat(self.run.recipe).items()}
        parameters = [self._entities.Param(key, value) for key, value in values.items()]
        for start in range(0, len(parameters), PARAMETERS):
            self.client.log_batch(run_id, params=parameters[start : start + PARAMETERS])
        self.client.log_artifact(run_id, str(self.run.path / layout.RECIPE))
        return run_id

    def _resumed(self):
        run_id = self.run.read(layout.MLFLOW)["run_id"]
        self.client.update_run(run_id, status="RUNNING")
        return run_id

    def _update(self):
        for name, prefix in ((layout.LOG, ""), (layout.QAT_LOG, "quantise/")):
            if self.run.has(name):
                self._write_rows(self.run.read(name), prefix)

    def _write_rows(self, rows, prefix):
        """Writes the rows of a log that follow the last one that is there."""
        written = max((one.step for one in self.client.get_metric_history(self.id, f"{prefix}loss")), default=0)
        for row in rows:
            epoch = int(row["epoch"])
            figures = {f"{prefix}{key}": float(cell) for key, cell in row.items() if cell and key != "epoch"}
            if epoch > written:
                self._write_figures(figures.items(), epoch)

    def _write_figures(self, figures: Iterable[tuple[str, float]], step: int) -> None:
        now = int(1000 * time.time())
        metrics = [self._entities.Metric(_name(key), value, now, step) for key, value in figures]
        for start in range(0, len(metrics), METRICS):
            self.client.log_batch(self.id, metrics=metrics[start : start + METRICS])

    def _end(self, status):
        self._update()
        if self.run.finished:
            self._write_figures(_numbers(self.run.read(layout.METRICS)), 0)
            for name in FILES:
                self.client.log_artifact(self.id, str(self.run.path / name))
        self.client.set_terminated(self.id, status)

    def _try(self, action):
        try:
            action()
        except (self._exception, OSError) as error:
            print(f"WARNING: tracking.mlflow: {_reason(error)}; training goes on.", flush=True)


def _package(recipe):
    """The package mlflow."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # read when it is imported
    try:
        importlib.import_module("sqlalchemy")
        return importlib.import_module("mlflow")
    except ImportError as error:
        raise UserError(
            f"{recipe.file}: tracking.mlflow needs MLflow: pip install 'asc_tf[tracking]', or leave the key out."
        ) from error


def _is_address(place):
    return "://" in place


def _folder(place):
    return Path(place).expanduser().resolve()


def _database(place):
    _folder(place).mkdir(parents=True, exist_ok=True)
    return f"sqlite:///{_folder(place) / 'mlflow.db'}"


def _numbers(tree: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, float]]:
    """All numbers of a tree with their keys, "float/by_class/bus"."""
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from _numbers(value, f"{prefix}{key}/")
        elif isinstance(value, int | float):
            yield f"{prefix}{key}", float(value)


def _name(key):
    """A key with the characters that MLflow allows."""
    return re.sub(r"[^\w\-./ ]", "_", key, flags=re.ASCII)[:250]


def _shortened(text):
    return text if len(text) <= LENGTH else f"{text[: LENGTH - 3]}..."


def _reason(error):
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]
