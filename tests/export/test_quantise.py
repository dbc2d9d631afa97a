"""What is followed in quantisation-aware training?"""

import numpy as np
import tensorflow as tf

from export import quantise

TARGETS = {"label": np.eye(2, dtype="f"), "teacher": np.zeros((2, 2, 2), "f"), "share": np.full((2, 2), 0.5, "f")}


def test_the_float_network_is_followed_on_the_mixed_clip_itself_or_the_stored_teachers_in_their_shares():
    x = np.ones((2, 3), "f")
    for whom, expected in (("float", {"label": TARGETS["label"], "teacher": 2 * x}), ("teachers", TARGETS)):
        batches = tf.data.Dataset.from_tensors((x, TARGETS))
        ((_, targets),) = quantise.followed(whom, batches, lambda x: 2 * x)
        assert targets.keys() == expected.keys()
        for key in expected:
            np.testing.assert_array_equal(targets[key], expected[key])
