import keras
import numpy as np
import pytest
from keras import ops

from asc_tf import build, dataset
from asc_tf.errors import UserError
from asc_tf.inference.run import TrainedRun
from asc_tf.recipe import resolve as recipe
from asc_tf.runs import folder as run_folder
from asc_tf.training import dry_run as fitting
from asc_tf.training import online_teachers as live

MINE, THEIRS = ('normalise={by="constants", mean=-3, std=2}', 'normalise={by="bands"}')


@pytest.fixture
def runs(tiny):
    """The student's run and a teacher's whose network takes other numbers for the same spectrogram."""
    file = tiny.parent / "tiny_teacher.toml"
    teacher = run_folder.RunFolder(tiny.parent / "teacher", recipe.load(file, [THEIRS, "model.width=12"]))
    rng = np.random.default_rng(0)
    bands = {"mean": rng.standard_normal((64, 1, 1)) - 5, "std": rng.uniform(1, 4, (64, 1, 1))}
    teacher.write_arrays("normalisation.npz", bands)
    return run_folder.RunFolder(tiny.parent / "student", recipe.load(file, [MINE])), teacher


@pytest.mark.slow
def test_a_live_teacher_says_of_a_clip_as_it_is_what_would_be_stored(runs):
    student, teacher = runs
    data = dataset.load(student.recipe, quiet=True)
    networks = [build.network(recipe.load(teacher.recipe.file, [f"seed={n}", "model.width=12"]), 3) for n in (1, 2)]
    clips = lambda run: build.evaluation_batches(run, build.source(run.recipe, data, data.test))  # noqa: E731
    stored = [build.outputs(build.forward(network), clips(teacher)) for network in networks]
    pooled = keras.Model(networks[1].input, ops.mean(networks[1].get_layer("stem2_relu").output, (1, 2)))
    embeddings = build.outputs(lambda x: pooled(x, training=False), clips(teacher))

    runs_ = [TrainedRun(teacher) for _ in networks]
    for run, network in zip(runs_, networks, strict=True):
        run.network = network
    ask = live.online_teachers(student, [(runs_[0], None), (runs_[1], "stem2_relu")])
    said = [ask(spectrograms) for spectrograms in clips(student)]
    said = {key: np.concatenate([batch[key] for batch in said]) for key in said[0]}
    assert said.keys() == {"teacher", "embedding"}
    np.testing.assert_allclose(said["teacher"], np.mean(stored, 0), atol=1e-4)
    np.testing.assert_allclose(said["embedding"], embeddings, atol=1e-4)
    other = live.online_teachers(student, [(run, None) for run in runs_], combine=lambda z: z[:, 1])
    x = next(iter(clips(student)))
    np.testing.assert_allclose(other(x)["teacher"], stored[1][: len(x)], atol=1e-4)


LIVE = "distill.online=true"


def test_a_live_teacher_of_another_front_end_is_refused_without_data(tiny):
    mine = recipe.load(tiny, [LIVE])
    teacher = recipe.load(tiny.parent / "tiny_teacher.toml")
    fitting.check(mine, [teacher])
    other = recipe.load(tiny.parent / "tiny_teacher.toml", ["feature.hop_samples=125"])
    with pytest.raises(UserError, match="distill.online: tiny_teacher has another \\[feature\\]"):
        fitting.check(mine, [other])
    fitting.check(recipe.load(tiny), [other])  # stored logits are of the clip
