"""Private parts of Keras: what several replicas need changed in keras.Model.fit, and the index of a variable.

Tested with Keras 3.15.1 on TensorFlow 2.17.1 and 2.21.0.
Keras 3 does not support MultiWorkerMirroredStrategy as it stands (keras#20585).
"""

from typing import Any

import keras


def variable_index(optimizer: keras.optimizers.Optimizer, variable: Any) -> int:
    """Index of a variable among those of an optimizer, by Optimizer._get_variable_index (private).

    Args:
        optimizer: A built optimizer.
        variable: The variable as update_step gets it, which is the backend's.
    """
    return optimizer._get_variable_index(variable)


def adapt_to_replicas(model: keras.Model, *, replicas: int, processes: int) -> keras.Model:
    """Changes a compiled model, all of its variables made in the strategy's scope, to train right across replicas.

    - compute_loss: gradients of replicas are added up, so every replica must count for its share.  Keras sees to
      that for the losses it computes itself, not for those of a compute_loss.
    - _maybe_symbolic_build (private), which creates missing variables from a first batch, fails on a batch that is
      distributed over processes. There are no missing variables.
    - train_step: with several processes Keras takes the mean of its results along axis 0, which scalars lack.

    Args:
        model: The model.
        replicas: Number of devices that share a batch.
        processes: Number of processes.

    Raises:
        AttributeError: This version of Keras has no _maybe_symbolic_build.
    """
    if not hasattr(model, "_maybe_symbolic_build"):
        raise AttributeError("keras.Model has no _maybe_symbolic_build any more: see asc_tf/training/_compat.py")
    loss, step = model.compute_loss, model.train_step
    model.compute_loss = lambda *arguments, **named: loss(*arguments, **named) / replicas
    model._maybe_symbolic_build = lambda *_, **__: None
    if processes > 1:
        model.train_step = lambda batch: {name: value[None] for name, value in step(batch).items()}
    return model
