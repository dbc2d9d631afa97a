"""How does a network learn from labels, from groups of classes and from teachers at once?"""

import keras
from keras import ops

from asc_tf.distillation import embedding, soft_targets, terms
from asc_tf.distillation.hierarchy import membership


class Student(keras.Model):
    """A network from spectrograms to (batch, classes) logits, trained on the sum of terms of terms.total.

    distill, hierarchy: the recipe's sections, or None: without both the loss is plain cross entropy, so teachers
    are trained by the same class.  classes: names, for the hierarchy.  embedding_sizes: of the teachers' embeddings,
    in their order.  steps_per_epoch: by which the optimizer's steps are epochs, for weights that move; on JAX those
    stand still, since Keras keeps the optimizer out of compute_loss there.
    live: spectrograms -> {"teacher", "embedding N"} of teachers that hear the student's own batch; no gradient
    flows into them, and their weights are not the Student's.
    multi_label: clips may have several classes, each learnt by binary cross entropy; there is no accuracy then.

    Targets are a dict: "label" and, unless they are live, what the teachers said (see terms.total).  Every term's
    mean is logged unweighted beside the loss, and the accuracy: how often the label of the largest share is met.
    The network runs once a step.  Projections to teachers' sizes and the head of groups are variables of the
    Student that learn with it; `network` is the plain network without them.
    """

    def __init__(
        self,
        network,
        *,
        distill=None,
        hierarchy=None,
        classes=(),
        embedding_sizes=(),
        steps_per_epoch=1,
        live=None,
        multi_label=False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.network = network
        self.distill, self.hierarchy, self.steps_per_epoch, self.live = distill, hierarchy, steps_per_epoch, live
        self.membership = membership(hierarchy.groups, classes) if hierarchy else None
        self.heads = keras.Model(network.input, self._outputs(embedding_sizes))
        self.means = {name: keras.metrics.Mean(name=f"{name}_loss") for name in self._terms(embedding_sizes)}
        self.of_labels = soft_targets.multi_label_loss if multi_label else soft_targets.label_loss
        self.accuracy = None if multi_label else keras.metrics.CategoricalAccuracy(name="accuracy")

    def call(self, spectrograms, training=None):
        """What terms.total takes as outputs."""
        return self.heads(spectrograms, training=training)

    def terms(self, outputs, targets, epoch):
        """terms.total at an epoch, counted from 0, with a fraction within it."""
        soft = {"temperature": self.distill.temperature, "form": self.distill.form} if self.distill else {}
        weights = terms.weights(epoch, self.distill, self.hierarchy)
        return terms.total(outputs, targets, weights, **soft, membership=self.membership, of_labels=self.of_labels)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        said = {key: ops.stop_gradient(value) for key, value in self.live(x).items()} if self.live else {}
        epoch = ops.cast(self.optimizer.iterations, "float32") / self.steps_per_epoch
        found = self.terms(y_pred, {**y, **said}, epoch)
        for name, mean in self.means.items():
            mean.update_state(found[name])
        return ops.mean(found["loss"])

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        if self.accuracy is not None:
            self.accuracy.update_state(y["label"], y_pred["logits"])
        return self.get_metrics_result()

    def _outputs(self, embedding_sizes):
        """{name: symbolic tensor} of all that the loss needs of one pass through the network."""
        outputs = {"logits": self.network.output}
        if self.distill and self.distill.layer:
            own = embedding.output(self.network, self.distill.layer, "distill.layer")
            for number, size in enumerate(embedding_sizes):
                outputs[f"embedding {number}"] = embedding.projected(own, size, f"projection_{number}")
        if self.hierarchy and self.hierarchy.branches == "two":
            heard = embedding.output(self.network, self.hierarchy.layer, "hierarchy.layer")
            outputs["group"] = keras.layers.Dense(self.membership.shape[1], name="group_head")(heard)
        return outputs

    def _terms(self, embedding_sizes):
        there = {"label": True, "group": self.hierarchy, "teacher": self.distill, "embedding": embedding_sizes}
        return [name for name, value in there.items() if value]
