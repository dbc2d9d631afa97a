"""How do several devices, or several machines, train one network?

Source: tf.distribute's MirroredStrategy and MultiWorkerMirroredStrategy; what Keras 3.15 lacks is in `Team.adapt`.
Way:    join() -> Team, which train.train takes; ALONE is the team of one process and one device.
        Every worker runs the same program.  What only one may do, above all writing, the chief does while the
        others wait.  All see the same disk.
"""

import contextlib
import os
import re
from dataclasses import dataclass, field

from asc_tf.errors import UserError
from asc_tf.training import tf_config as cluster


@dataclass(frozen=True)
class Team:
    """The processes that train together.  strategy: a tf.distribute.Strategy, or None for one device."""

    strategy: object = None
    worker: int = 0
    addresses: dict = field(default_factory=lambda: {"worker:0": "localhost"})

    @property
    def chief(self):
        """Whether this is the process that writes."""
        return self.worker == 0

    @property
    def workers(self):
        """How many processes there are."""
        return len(self.addresses)

    @property
    def replicas(self):
        """Devices that share a batch."""
        return self.strategy.num_replicas_in_sync if self.strategy else 1

    def check(self, recipe):
        """Raises UserError for a batch that cannot be shared evenly."""
        size = recipe.train.batch_size
        if size % self.replicas:
            raise UserError(
                f"{recipe.file}: train.batch_size = {size} is shared by {self.replicas} devices; make it a multiple."
            )

    def scope(self):
        """Variables made inside belong to all replicas."""
        return self.strategy.scope() if self.strategy else contextlib.nullcontext()

    def share(self, batches, batch_size):
        """What a Keras fit takes.  batches(worker=, workers=): tf.data of a worker's part of every batch.

        The part is split between the worker's devices; nothing is sharded or shuffled by TensorFlow.
        """
        if not self.strategy:
            return batches(worker=0, workers=1)
        own = batch_size // self.replicas

        def part(context):
            whole = batches(worker=context.input_pipeline_id, workers=context.num_input_pipelines)
            return whole.rebatch(own, drop_remainder=True)

        return self.strategy.distribute_datasets_from_function(part)

    def adapt(self, model):
        """The compiled model, all of its variables made in `scope`, now training right across replicas.

        Three seams of Keras 3.15, two of them private:
        - compute_loss: gradients of replicas are added up, so every replica must count for its share.  Keras sees to
          that for the losses it computes itself, not for those of a compute_loss.
        - _maybe_symbolic_build, which makes missing variables from a first batch, fails on a batch that is spread over
          processes (keras#20585).  There is nothing to make.
        - train_step: under several processes Keras takes the mean of its results along axis 0, which scalars lack.
        """
        if not self.strategy:
            return model
        loss, step = model.compute_loss, model.train_step
        model.compute_loss = lambda *args, **named: loss(*args, **named) / self.replicas
        model._maybe_symbolic_build = lambda *_, **__: None
        if self.workers > 1:
            model.train_step = lambda batch: {name: value[None] for name, value in step(batch).items()}
        return model

    def together(self, action):
        """This worker's action(), which returns when all workers are through.  A UserError of one ends all."""
        try:
            made, failure = action(), None
        except UserError as error:
            made, failure = None, error
        failed = self._failed(failure) if self.workers > 1 else []
        if failure:
            raise failure
        if failed:
            raise UserError(f"{self._named(failed[0])} has stopped; its own message says why.")
        return made

    def first(self, action, then=lambda: None):
        """The chief's action(); after it, on all others, then()."""
        made = self.together(action if self.chief else lambda: None)
        others = self.together(then if not self.chief else lambda: None)
        return made if self.chief else others

    @contextlib.contextmanager
    def at_work(self):
        """Inside, only the chief speaks, and a UserError tells when another worker was lost.

        TensorFlow misses the heartbeat of a worker after 10 seconds, or its answer at once, and then aborts whatever
        waits for it.
        """
        import tensorflow as tf

        lost = (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError)
        lost = lost if self.workers > 1 else ()
        with contextlib.ExitStack() as stack:
            if not self.chief:
                stack.enter_context(contextlib.redirect_stdout(stack.enter_context(open(os.devnull, "w"))))
            try:
                yield
            except lost as error:
                raise UserError(
                    f"{self._lost(str(error))} was lost: it has ended or cannot be reached. The last whole epoch is "
                    "kept: start all workers again with --resume."
                ) from error

    def _failed(self, failure):
        """Numbers of the workers whose action failed; returns when all workers have asked."""
        import tensorflow as tf

        mine = tf.one_hot(self.worker, self.workers) * float(failure is not None)
        everyones = self.strategy.experimental_distribute_values_from_function(lambda _: mine)
        return self.strategy.reduce("SUM", everyones, axis=None).numpy().nonzero()[0].tolist()

    def _named(self, worker):
        return f"worker {worker} ({list(self.addresses.values())[worker]})"

    def _lost(self, message):
        """Who is missing, by the task that TensorFlow's message names beside this worker's own."""
        found = [f"{kind}:{index}" for kind, index in re.findall(r"/job:(\w+)(?:/replica:\d+)?/task:(\d+)", message)]
        names = list(self.addresses)
        others = [names.index(name) for name in found if name in names and name != names[self.worker]]
        return self._named(others[0]) if others else "another worker"


ALONE = Team()


def join():
    """The Team of this machine's devices or, where TF_CONFIG names several workers, of all of those.

    To be called before TensorFlow computes anything.  Returns when all workers have come.
    Raises UserError for a TF_CONFIG that is wrong and for addresses that cannot be used.
    """
    place = cluster.place(os.environ["TF_CONFIG"]) if "TF_CONFIG" in os.environ else None
    if not place or len(place.addresses) == 1:
        return _on_this_machine()
    import tensorflow as tf

    if place.worker == 0:
        print(f"distribute: the chief of {len(place.addresses)} workers, waiting until all have come", flush=True)
    try:
        return Team(tf.distribute.MultiWorkerMirroredStrategy(), place.worker, place.addresses)
    except tf.errors.OpError as error:
        raise UserError(
            f"worker {place.worker}: did not meet the others ({error.message.splitlines()[0]}). Check the addresses in "
            "TF_CONFIG, and that nothing else listens there."
        ) from error


def _on_this_machine():
    import tensorflow as tf

    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    if len(devices) == 1:
        print(f"distribute: {devices[0].name} is the only device here, so training goes on as without")
        return ALONE
    print(f"distribute: {len(devices)} devices share every batch")
    return Team(tf.distribute.MirroredStrategy([device.name for device in devices]))
