import numpy as np
import pytest

from asc_tf import metrics
from asc_tf.errors import UserError
from asc_tf.recipe import resolve as recipe
from asc_tf.runs import folder as run_folder
from asc_tf.runs import layout
from asc_tf.training import teacher_outputs as teachers
from asc_tf.training.distribution import Distribution

CLIPS = [f"{number:03d}.wav#0" for number in range(10)]
LOGITS = np.arange(20.0).reshape(10, 2) / 3
STORE = teachers.store_name("train", crops=1, layer=None)


@pytest.fixture(autouse=True)
def four_clips_a_file(monkeypatch):
    monkeypatch.setattr(teachers, "CLIPS_A_FILE", 4)


@pytest.fixture
def run(tmp_path):
    run = run_folder.create(tmp_path / "teacher", recipe.load("quickstart_teacher"), resume=False)
    run.write("weights/best.weights.h5", b"weights")
    return run


class Teacher:
    """Answers three clips at a time, and counts them.  stops_at: raises at that clip, as a kill would."""

    def __init__(self, values=LOGITS, stops_at=None):
        self.values, self.stops_at, self.asked = values, stops_at, []

    def __call__(self, rows):
        for first in range(rows.start, min(rows.stop, len(self.values)), 3):
            some = np.arange(first, min(first + 3, rows.stop, len(self.values)))
            if self.stops_at in some:
                raise KeyboardInterrupt
            self.asked += some.tolist()
            yield {"logits": self.values[some], "embedding": -self.values[some, :1]}


def stored(run):
    files = sorted(file for file in (run.path / layout.TEACHER_OUTPUTS).rglob("*") if file.is_file())
    return {file.name: file.read_bytes() for file in files}


def test_a_teacher_is_asked_once(run, capsys):
    teacher = Teacher()
    for _ in range(2):
        found = teachers.outputs(run, STORE, CLIPS, teacher)
        assert found.keys() == {"logits", "embedding"} and found["logits"].dtype == np.float16
        np.testing.assert_allclose(found["logits"], LOGITS, rtol=2**-11)
        np.testing.assert_allclose(found["embedding"], -LOGITS[:, :1], rtol=2**-11)
    assert teacher.asked == list(range(10))
    shown = capsys.readouterr()
    assert shown.out == "teacher teacher: outputs of 10 clips stored\n" and shown.err == ""  # no bar where nobody looks


def test_another_question_has_another_store(run):
    names = {
        teachers.store_name("train", crops=crops, layer=layer) for crops in (1, 10) for layer in (None, "embedding")
    }
    names.add(teachers.store_name("validation", crops=1, layer=None))
    assert len(names) == 5
    for shift, name in enumerate(sorted(names)):
        teachers.outputs(run, name, CLIPS, Teacher(LOGITS + shift))
    for shift, name in enumerate(sorted(names)):
        kept = teachers.outputs(run, name, CLIPS, Teacher())["logits"]
        np.testing.assert_allclose(kept, LOGITS + shift, rtol=2**-11)


def other_clips(run):
    return [*CLIPS[:3], "other.wav#0", *CLIPS[4:]]


def fewer_clips(run):
    return CLIPS[:8]


def other_recipe(run):
    run.recipe = recipe.load("quickstart_teacher", ["model.width=24"])
    return CLIPS


def other_weights(run):
    run.write("weights/best.weights.h5", b"other weights")
    return CLIPS


def other_normalisation(run):
    run.write("normalisation.npz", b"other numbers")
    return CLIPS


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (other_clips, "clip list"),
        (fewer_clips, "clip list"),
        (other_recipe, "recipe"),
        (other_weights, "weights"),
        (other_normalisation, "weights"),
    ],
)
def test_a_store_of_something_else_is_refused_and_kept(run, change, what):
    teachers.outputs(run, STORE, CLIPS, Teacher())
    before, clips, teacher = stored(run), change(run), Teacher()
    with pytest.raises(
        UserError, match=f"0000000.npz: belongs to another {what} .* remove .*{STORE} to compute"
    ) as error:
        teachers.outputs(run, STORE, clips, teacher)
    assert "\n" not in str(error.value)
    assert stored(run) == before and not teacher.asked


def test_what_was_stored_before_a_kill_is_not_asked_again(run):
    with pytest.raises(KeyboardInterrupt):
        teachers.outputs(run, STORE, CLIPS, Teacher(stops_at=7))
    assert list(stored(run)) == ["0000000.npz"]  # of the second file's clips some were answered
    teacher = Teacher()
    np.testing.assert_allclose(teachers.outputs(run, STORE, CLIPS, teacher)["logits"], LOGITS, rtol=2**-11)
    assert teacher.asked == [4, 5, 6, 7, 8, 9]


def test_a_file_that_is_cut_off_is_told(run):
    teachers.outputs(run, STORE, CLIPS, Teacher())
    file = run.path / layout.TEACHER_OUTPUTS / STORE / "0000004.npz"
    file.write_bytes(file.read_bytes()[:200])
    with pytest.raises(UserError, match="0000004.npz: is damaged .* Remove it"):
        teachers.outputs(run, STORE, CLIPS, Teacher())


def test_logits_beyond_float16_are_stored_with_the_same_softmax(run, capsys):
    values = LOGITS.copy()
    values[4], values[9] = (65503.0, 65505.0), (3.0, -2.5e6)
    found = teachers.outputs(run, STORE, CLIPS, Teacher(values))["logits"]
    assert "note: its logits of 2 clips were beyond 65504" in capsys.readouterr().out
    np.testing.assert_allclose(metrics.softmax(found / np.float32(3)), metrics.softmax(values / 3), atol=1e-3)
    others = np.delete(np.arange(len(values)), [4, 9])
    np.testing.assert_array_equal(found[others], values[others].astype(np.float16))


def test_logits_of_several_classes_beyond_float16_are_stored_with_the_same_sigmoid(tmp_path, capsys):
    run = run_folder.create(tmp_path / "teacher", recipe.load("mn_audioset"), resume=False)
    run.write("weights/best.weights.h5", b"weights")
    values = LOGITS.copy()
    values[9] = 3.0, -2.5e6
    found = teachers.outputs(run, STORE, CLIPS, Teacher(values))["logits"]
    assert (
        "logits of 1 clips were beyond 65504 and are stored within that, with the same sigmoid"
        in capsys.readouterr().out
    )
    np.testing.assert_array_equal(found[9], [3.0, -65504.0])


@pytest.mark.parametrize("value", [np.inf, np.nan])
def test_what_is_not_finite_is_an_error(run, value):
    values = LOGITS.copy()
    values[9, 1] = -value
    with pytest.raises(UserError, match="logits reaches .* float16 65504; train it anew"):
        teachers.outputs(run, STORE, CLIPS, Teacher(values))
    assert list(stored(run)) == ["0000000.npz", "0000004.npz"]


def test_an_embedding_beyond_float16_is_an_error(run):
    values = LOGITS.copy()
    values[9, 0] = 65536.0
    with pytest.raises(UserError, match="embedding reaches 65536, float16 65504; name another layer"):
        teachers.outputs(run, STORE, CLIPS, Teacher(values))


def test_workers_share_the_clips(run):
    """The second worker waits for the first: as a call within its call."""
    first, second = Teacher(), Teacher()
    found = []

    class Process(Distribution):
        """One of two processes; `others_part` is done while it waits for the other."""

        def barrier(self, action):
            action()
            self.strategy()

    addresses = {"worker:0": "a:1", "worker:1": "b:2"}
    others_part = lambda: found.append(  # noqa: E731
        teachers.outputs(run, STORE, CLIPS, first, distribution=Process(lambda: None, 0, addresses))
    )
    both, second_alone = Process(others_part, 1, addresses), Process(lambda: None, 1, addresses)
    with pytest.raises(UserError, match="0000000.npz: is missing; workers that share this work need one disk"):
        teachers.outputs(run, STORE, CLIPS, Teacher(), distribution=second_alone)
    (run.path / layout.TEACHER_OUTPUTS / STORE / "0000004.npz").unlink()
    found.append(teachers.outputs(run, STORE, CLIPS, second, distribution=both))
    assert (first.asked, second.asked) == ([0, 1, 2, 3, 8, 9], [4, 5, 6, 7])
    for one in found:
        np.testing.assert_allclose(one["logits"], LOGITS, rtol=2**-11)


def test_clips_are_found_by_their_names(run):
    np.testing.assert_array_equal(teachers.positions(run, CLIPS, [CLIPS[7], CLIPS[2]]), [7, 2])
    with pytest.raises(UserError, match="has no outputs for 'd.wav#0'"):
        teachers.positions(run, CLIPS, [CLIPS[0], "d.wav#0"])
