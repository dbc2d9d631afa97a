import keras
import numpy as np
import pytest

from asc_tf.errors import UserError
from asc_tf.models import ait_student, residual_inception

DROPOUT = [0.10, 0.15, 0.20, 0.25, 0.30]


@pytest.mark.parametrize("family", [ait_student, residual_inception])
def test_the_embedding_is_never_negative(family):
    keras.utils.set_random_seed(1)
    network = family.build((9, 8, 2), 3, width=4, embedding=5, dropout=DROPOUT)
    inner = keras.Model(network.input, network.get_layer("embedding").output)
    embedding = np.array(inner(np.random.default_rng(0).normal(size=(20, 9, 8, 2))))
    assert embedding.shape == (20, 5) and embedding.min() == 0 and embedding.max() > 0


@pytest.mark.parametrize(
    ("family", "shape", "changed", "message"),
    [
        (ait_student, (7, 128, 3), {}, "7 bands x 128 frames; the poolings need 8 bands x 8 frames"),
        (residual_inception, (128, 7, 3), {}, "128 bands x 7 frames"),
        (ait_student, (128, 128, 3), {"width": 0}, "width = 0"),
        (ait_student, (128, 128, 3), {"embedding": 0}, "embedding = 0"),
        (ait_student, (128, 128, 3), {"dropout": [0.1] * 4}, "five rates"),
        (residual_inception, (128, 128, 3), {"dropout": [0.1] * 4 + [1.0]}, "below 1"),
    ],
)
def test_settings_out_of_range_are_refused(family, shape, changed, message):
    with pytest.raises(UserError, match=message):
        family.build(shape, 10, **({"width": 16, "embedding": 64, "dropout": DROPOUT} | changed))
