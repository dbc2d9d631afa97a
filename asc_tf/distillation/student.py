"""The distillation model: a network trained on labels, groups of classes and teachers."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
from keras import ops

from asc_tf.distillation import embedding, hierarchy, soft_targets, terms
from asc_tf.recipe.schema import Distill, Hierarchy


class Student(keras.Model):
    """A network from spectrograms to (batch, classes) logits, trained on the sum of the terms of terms.total.

    Targets are a dict: "label" and, unless the teachers are online, their outputs (see terms.total). The mean of every
    term is logged unweighted beside the loss, and the accuracy: how often the class of the largest share is predicted.
    The network runs once a step. Projections to teachers' embedding sizes and the head of groups are variables of
    the Student and trained with it; `network` is the plain network without them.

    Without [distill] and [hierarchy] the loss is plain cross entropy, so teachers are trained by the same class.

    Args:
        network: A functional network from spectrograms to logits.
        distill, hierarchy: Sections of the recipe, or None.
        classes: Names of the classes, for the hierarchy.
        embedding_sizes: Size of each teacher's embedding, in the order of the teachers.
        steps_per_epoch: Steps of the optimizer in an epoch, for weights that change with the epoch. On JAX those are
            constant, since Keras keeps the optimizer out of compute_loss there.
        online: Function from spectrograms to {"teacher", "embedding"} of teachers that are computed in every step on
            the student's own batch; no gradient flows into them, and their weights are not the Student's.
        multi_label: Whether clips may have several classes, trained by binary cross entropy; there is no accuracy then.
        **settings: Arguments of keras.Model.
    """

    def __init__(
        self,
        network: keras.Model,
        *,
        distill: Distill | None = None,
        hierarchy: Hierarchy | None = None,
        classes: Sequence[str] = (),
        embedding_sizes: Sequence[int] = (),
        steps_per_epoch: int = 1,
        online: Callable | None = None,
        multi_label: bool = False,
        **settings: Any,
    ):
        super().__init__(**settings)
        self.network = network
        self.distill, self.hierarchy, self.steps_per_epoch, self.online = distill, hierarchy, steps_per_epoch, online
        self.embedding_sizes = tuple(embedding_sizes)
        self.membership = _membership(hierarchy, classes)
        self.heads = keras.Model(network.input, self._outputs())
        self.means = {name: keras.metrics.Mean(name=f"{name}_loss") for name in self._term_names()}
        self.label_loss = soft_targets.multi_label_loss if multi_label else soft_targets.label_loss
        self.accuracy = None if multi_label else keras.metrics.CategoricalAccuracy(name="accuracy")

    def call(self, spectrograms: keras.KerasTensor, training: bool | None = None) -> dict[str, keras.KerasTensor]:
        """Outputs of the network and of the heads that only training uses, as terms.total takes them."""
        outputs = self.heads(spectrograms, training=training)
        return {name: ops.cast(value, "float32") for name, value in outputs.items()}  # of networks in half precision

    def terms(
        self,
        outputs: Mapping[str, keras.KerasTensor],
        targets: Mapping[str, keras.KerasTensor],
        epoch: float | keras.KerasTensor,
    ) -> dict[str, keras.KerasTensor]:
        """The terms of the loss (batch,) at an epoch, see terms.total.

        Args:
            outputs: As `call` returns them.
            targets: "label" and the outputs of teachers.
            epoch: Counted from 0, with its fraction.
        """
        soft = {"temperature": self.distill.temperature, "form": self.distill.form} if self.distill else {}
        return terms.total(
            outputs,
            targets,
            terms.weights(epoch, self.distill, self.hierarchy),
            **soft,
            membership=self.membership,
            embedding_sizes=self.embedding_sizes,
            label_loss=self.label_loss,
        )

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> keras.KerasTensor:
        """Mean loss of a batch; updates the means of all terms. Called by Keras in every step."""
        teachers = {key: ops.stop_gradient(value) for key, value in self.online(x).items()} if self.online else {}
        epoch = ops.cast(self.optimizer.iterations, "float32") / self.steps_per_epoch
        values = self.terms(y_pred, {**y, **teachers}, epoch)
        for name, mean in self.means.items():
            mean.update_state(values[name])
        return ops.mean(values["loss"])

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> dict[str, Any]:
        """Metrics of the step. Called by Keras."""
        if self.accuracy is not None:
            self.accuracy.update_state(y["label"], y_pred["logits"])
        return self.get_metrics_result()

    def _outputs(self):
        """Symbolic tensors, by name, of all that the loss needs of one pass through the network."""
        outputs = {"logits": self.network.output}
        if self.distill and self.distill.layer and self.embedding_sizes:
            values = embedding.output(self.network, self.distill.layer, "distill.layer")
            projections = [
                embedding.projected(values, size, f"projection_{index}")
                for index, size in enumerate(self.embedding_sizes)
            ]
            outputs["embedding"] = ops.concatenate(projections, axis=-1) if len(projections) > 1 else projections[0]
        if self.hierarchy and self.hierarchy.branches == "two":
            values = embedding.output(self.network, self.hierarchy.layer, "hierarchy.layer")
            outputs["group"] = keras.layers.Dense(self.membership.shape[1], name="group_head")(values)
        return outputs

    def _term_names(self):
        present = {
            "label": True,
            "group": self.hierarchy,
            "teacher": self.distill and self.distill.teacher_weight != 0,
            "embedding": self.embedding_sizes,
        }
        return [name for name, value in present.items() if value]


def _membership(section, classes):
    return hierarchy.membership(section.groups, classes) if section else None
