"""How does a network learn from labels and from stored teacher logits at once?"""

import keras
from keras import ops

from asc_tf.distillation import soft_targets


class Student(keras.Model):
    """A network (batch, bands, frames, 1) -> (batch, classes) logits, trained on labels and a teacher.

    Targets are a dict: "label" (batch, classes) distributions and, when there is a teacher, "teacher"
    (batch, classes) logits of the same clips, or of the clips they were mixed from beside their "share"
    (see soft_targets.total). Without it the loss is plain cross entropy, so teachers are trained by the
    same class. Every term is logged, and the accuracy: how often the label of the largest share is met.
    multi_label: clips may have several classes, each learnt by binary cross entropy; there is no accuracy then.
    """

    def __init__(self, network, *, temperature=1.0, label_weight=1.0, multi_label=False, **kwargs):
        super().__init__(**kwargs)
        self.network = network
        self.temperature = temperature
        self.label_weight = label_weight
        self.terms = {name: keras.metrics.Mean(name=f"{name}_loss") for name in ("label", "teacher")}
        self.of_labels = soft_targets.multi_label_loss if multi_label else soft_targets.label_loss
        self.accuracy = None if multi_label else keras.metrics.CategoricalAccuracy(name="accuracy")

    def call(self, spectrograms, training=None):
        return self.network(spectrograms, training=training)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        terms = soft_targets.total(
            y_pred, y, temperature=self.temperature, label_weight=self.label_weight, of_labels=self.of_labels
        )
        for name in terms.keys() & self.terms.keys():
            self.terms[name].update_state(terms[name])
        return ops.mean(terms["loss"])

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        if self.accuracy is not None:
            self.accuracy.update_state(y["label"], y_pred)
        return self.get_metrics_result()
