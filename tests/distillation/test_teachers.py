import numpy as np
import pytest

from asc_tf import recipe, run_folder
from asc_tf.distillation import teachers
from asc_tf.errors import UserError

CLIPS = ["a.wav#0", "b.wav#0", "c.wav#0"]
LOGITS = np.arange(6.0).reshape(3, 2)


@pytest.fixture
def run(tmp_path):
    run = run_folder.create(tmp_path / "teacher", recipe.load("quickstart_teacher"), resume=False)
    run.write("weights/best.weights.h5", b"weights")
    return run


def never():
    raise AssertionError("the stored logits should have served")


def test_logits_are_computed_once_and_follow_the_wanted_order(run):
    np.testing.assert_array_equal(teachers.logits(run, CLIPS, CLIPS, lambda: LOGITS), LOGITS)
    np.testing.assert_array_equal(teachers.logits(run, CLIPS, ["c.wav#0", "a.wav#0"], never), LOGITS[[2, 0]])


def test_other_weights_or_clips_are_computed_anew(run):
    teachers.logits(run, CLIPS, CLIPS, lambda: LOGITS)
    run.write("weights/best.weights.h5", b"other weights")
    np.testing.assert_array_equal(teachers.logits(run, CLIPS, CLIPS, lambda: LOGITS + 1), LOGITS + 1)
    np.testing.assert_array_equal(teachers.logits(run, CLIPS[:2], CLIPS[:2], lambda: LOGITS[:2]), LOGITS[:2])


def test_a_clip_the_teacher_never_heard_is_named(run):
    with pytest.raises(UserError, match="never heard 'd.wav#0'"):
        teachers.logits(run, CLIPS, ["d.wav#0"], lambda: LOGITS)
