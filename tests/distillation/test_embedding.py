import keras
import numpy as np
import pytest
from keras import layers, ops

from asc_tf.distillation import embedding
from asc_tf.errors import UserError


def test_by_hand():
    student, teacher = ops.convert_to_tensor([[1.0, 2.0], [0.0, 0.0]]), ops.convert_to_tensor([[1.0, 5.0], [2.0, 0.0]])
    np.testing.assert_allclose(embedding.loss(student, teacher, [2]), [9 / 2, 4 / 2], atol=1e-6)
    # two teachers of one value each: the mean of their squared errors
    np.testing.assert_allclose(embedding.loss(student, teacher, [1, 1]), [(0 + 9) / 2, (4 + 0) / 2], atol=1e-6)


@pytest.fixture
def network():
    inputs = keras.Input((4, 6, 1), name="spectrogram")
    x = layers.Conv2D(3, 2, name="conv")(inputs)
    hidden = layers.ReLU(name="hidden")(layers.GlobalAveragePooling2D(name="pool")(x))
    return keras.Model(inputs, layers.Dense(2, name="logits")(layers.Dropout(0.5)(hidden)), name="tiny")


def test_bands_and_frames_are_averaged_over(network):
    both = [embedding.output(network, name, "distill.layer") for name in ("conv", "pool")]
    one, other = keras.Model(network.input, both)(np.random.default_rng(0).standard_normal((2, 4, 6, 1)))
    assert one.shape == (2, 3)
    np.testing.assert_allclose(one, other, atol=1e-6)


def test_a_layer_that_is_not_there_is_named_with_the_nearest(network):
    with pytest.raises(UserError, match="distill.layer: tiny has no layer 'hiden'. Did you mean 'hidden'"):
        embedding.output(network, "hiden", "distill.layer")


def test_a_layer_is_projected_only_to_another_size(network):
    own = embedding.output(network, "pool", "distill.layer")
    assert embedding.projected(own, 3, "projection_0") is own
    assert embedding.projected(own, 7, "projection_0").shape == (None, 7)
