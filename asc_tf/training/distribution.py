"""Training on several devices or machines.

Every process runs the same program. Work that only one may do, above all writing, is done by the chief while the
others wait. All processes see the same disk.

Source: tf.distribute's MirroredStrategy and MultiWorkerMirroredStrategy; what Keras 3.15 lacks is in _compat.py.
"""

import contextlib
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import keras
import tensorflow as tf

from asc_tf.errors import UserError
from asc_tf.recipe.schema import Recipe
from asc_tf.training import _compat, tf_config


@dataclass(frozen=True)
class Distribution:
    """The processes and devices that train together.

    Args:
        strategy: A tf.distribute.Strategy, or None for one device.
        worker: Index of this process; 0 is the chief.
        addresses: "host:port" of all processes by the names that TensorFlow gives them.
    """

    strategy: tf.distribute.Strategy | None = None
    worker: int = 0
    addresses: dict[str, str] = field(default_factory=lambda: {"worker:0": "localhost"})

    @property
    def is_chief(self) -> bool:
        """Whether this is the process that writes."""
        return self.worker == 0

    @property
    def workers(self) -> int:
        """Number of processes."""
        return len(self.addresses)

    @property
    def replicas(self) -> int:
        """Number of devices that share a batch."""
        return self.strategy.num_replicas_in_sync if self.strategy else 1

    def check(self, recipe: Recipe) -> None:
        """Checks that the devices can share a batch evenly.

        Raises:
            UserError: They cannot.
        """
        size = recipe.train.batch_size
        if size % self.replicas:
            raise UserError(
                f"{recipe.file}: train.batch_size = {size} is shared by {self.replicas} devices; make it a multiple."
            )

    def scope(self) -> contextlib.AbstractContextManager:
        """Context in which variables are created on all replicas."""
        return self.strategy.scope() if self.strategy else contextlib.nullcontext()

    def share(self, batches: Callable[..., tf.data.Dataset], batch_size: int) -> Any:
        """The input of keras.Model.fit: every process reads its part of every batch, split between its devices.

        TensorFlow shards and shuffles nothing.

        Args:
            batches: Function (worker=, workers=) to the dataset of a process's parts.
            batch_size: Clips of a whole batch.
        """
        if not self.strategy:
            return batches(worker=0, workers=1)
        replica_size = batch_size // self.replicas

        def part(context):
            whole = batches(worker=context.input_pipeline_id, workers=context.num_input_pipelines)
            return whole.rebatch(replica_size, drop_remainder=True)

        return self.strategy.distribute_datasets_from_function(part)

    def adapt(self, model: keras.Model) -> keras.Model:
        """The compiled model, all of its variables created in `scope`, changed to train right across replicas."""
        if not self.strategy:
            return model
        return _compat.adapt_to_replicas(model, replicas=self.replicas, processes=self.workers)

    def barrier(self, action: Callable[[], Any] = lambda: None) -> Any:
        """Runs this process's action; returns its result when all processes have run theirs.

        Raises:
            UserError: The action's own, or one that names the process whose action failed.
        """
        try:
            result, failure = action(), None
        except UserError as error:
            result, failure = None, error
        failed = self._failed(failure) if self.workers > 1 else []
        if failure:
            raise failure
        if failed:
            raise UserError(f"{self._description(failed[0])} has stopped; its own message says why.")
        return result

    def on_chief(self, action: Callable[[], Any], then: Callable[[], Any] = lambda: None) -> Any:
        """Runs an action in the chief and then another in all other processes.

        Returns:
            The result of this process's action, when all have run theirs.
        """
        result = self.barrier(action if self.is_chief else lambda: None)
        others_result = self.barrier(then if not self.is_chief else lambda: None)
        return result if self.is_chief else others_result

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Context of a program: only the chief prints, and the loss of another process is a UserError.

        TensorFlow misses the heartbeat of a process after 10 seconds, or its answer at once, and then aborts whatever
        waits for it.
        """
        lost = (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError)
        lost = lost if self.workers > 1 else ()
        with contextlib.ExitStack() as stack:
            if not self.is_chief:
                stack.enter_context(contextlib.redirect_stdout(stack.enter_context(open(os.devnull, "w"))))
            try:
                yield
            except lost as error:
                raise UserError(
                    f"{self._lost_process(str(error))} was lost: it has ended or cannot be reached. The last whole "
                    "epoch is saved: start all workers again with --resume."
                ) from error

    def _failed(self, failure):
        """Indices of the processes whose action failed; returns when all processes have called it."""
        own_flag = tf.one_hot(self.worker, self.workers) * float(failure is not None)
        flags = self.strategy.experimental_distribute_values_from_function(lambda _: own_flag)
        return self.strategy.reduce("SUM", flags, axis=None).numpy().nonzero()[0].tolist()

    def _description(self, worker):
        return f"worker {worker} ({list(self.addresses.values())[worker]})"

    def _lost_process(self, message):
        """The lost process: the task that TensorFlow's message names beside this process's own."""
        tasks = [f"{kind}:{index}" for kind, index in re.findall(r"/job:(\w+)(?:/replica:\d+)?/task:(\d+)", message)]
        names = list(self.addresses)
        others = [names.index(name) for name in tasks if name in names and name != names[self.worker]]
        return self._description(others[0]) if others else "another worker"


SINGLE_PROCESS = Distribution()


def connect() -> Distribution:
    """The Distribution over this machine's devices or, where TF_CONFIG names several workers, over all of those.

    To be called before TensorFlow computes anything. Returns when all workers have connected.

    Raises:
        UserError: TF_CONFIG is wrong, or its addresses cannot be used.
    """
    task = tf_config.parse(os.environ["TF_CONFIG"]) if "TF_CONFIG" in os.environ else None
    if not task or len(task.addresses) == 1:
        return _on_this_machine()
    if task.worker == 0:
        print(f"distribute: the chief of {len(task.addresses)} workers, waiting until all have come", flush=True)
    try:
        return Distribution(tf.distribute.MultiWorkerMirroredStrategy(), task.worker, task.addresses)
    except tf.errors.OpError as error:
        raise UserError(
            f"worker {task.worker}: could not connect to the others ({error.message.splitlines()[0]}). Check the "
            "addresses in TF_CONFIG, and that nothing else listens there."
        ) from error


def _on_this_machine():
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    if len(devices) == 1:
        print(f"distribute: {devices[0].name} is the only device here, so training goes on without distribution")
        return SINGLE_PROCESS
    print(f"distribute: {len(devices)} devices share every batch")
    return Distribution(tf.distribute.MirroredStrategy([device.name for device in devices]))
