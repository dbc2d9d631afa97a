import dataclasses

import numpy as np
import pytest

from asc_tf import build, dataset
from asc_tf.data import batches
from asc_tf.errors import UserError
from asc_tf.inference.run import TrainedRun
from asc_tf.recipe import resolve as recipe
from asc_tf.runs import folder as run_folder
from asc_tf.training import dry_run as fitting


@pytest.fixture
def loaded(tiny):
    return recipe.load(tiny.parent / "tiny_teacher.toml")


@pytest.fixture
def run(tiny):
    """A run folder for the tiny recipe with some keys overridden."""
    file = tiny.parent / "tiny_teacher.toml"
    return lambda *overrides: run_folder.RunFolder(tiny.parent / "run", recipe.load(file, overrides))


def first(dataset):
    x, y = next(iter(dataset))
    return np.asarray(x), {key: np.asarray(value) for key, value in y.items()}


def test_training_batches_are_a_function_of_recipe_and_step(loaded, run):
    data = dataset.load(loaded, quiet=True)
    source = build.source(loaded, data, data.train)
    x, y = first(build.training_batches(run(), source, first_step=3, last_step=4))
    assert x.shape == (16, 64, 33, 1) and y["label"].shape == (16, 3)
    again = list(build.training_batches(run(), source, first_step=0, last_step=4))[3]
    np.testing.assert_array_equal(x, again[0])
    other, _ = first(build.training_batches(run("seed=2"), source, first_step=3, last_step=4))
    assert np.abs(x - other).max() > 0.1


@pytest.mark.slow
def test_workers_get_the_waves_that_one_would(loaded, run, monkeypatch):
    data = dataset.load(loaded, quiet=True)
    source = build.source(loaded, data, data.train)
    monkeypatch.setattr(batches.chunk_size, "__defaults__", (4,))
    on_waves_alone = run('augmentation=[{name="time_roll", max_shift_s=0.1}]')
    steps = {"first_step": 1, "last_step": 2}
    whole, _ = first(build.training_batches(on_waves_alone, source, **steps))
    parts = [first(build.training_batches(on_waves_alone, source, **steps, worker=w, workers=2))[0] for w in (0, 1)]
    np.testing.assert_allclose(np.concatenate(parts), whole, atol=1e-5)
    halves = [first(build.training_batches(run(), source, **steps, worker=w, workers=2))[0] for w in (0, 1)]
    assert [half.shape[0] for half in halves] == [8, 8] and np.abs(halves[0] - halves[1]).max() > 0.1


def test_evaluation_batches_keep_the_order_and_are_not_augmented(loaded, run):
    data = dataset.load(loaded, quiet=True)
    spectrograms = np.concatenate(list(build.evaluation_batches(run(), build.source(loaded, data, data.test), 7)))
    assert len(spectrograms) == len(data.test)
    file = data.listing.root / data.column("file", data.test)[0]
    alone = build.front_end(loaded)(TrainedRun(run()).segments(file))
    np.testing.assert_allclose(spectrograms[: len(alone)], alone, atol=1e-5)


MIXED = 'augmentation=[{name="wave_mixup",p=0.7,alpha=2},{name="mixup",alpha=0.3},{name="fmix",alpha=1,decay=3}]'


def test_mixed_clips_reach_the_network_with_all_their_teachers(loaded, run):
    data = dataset.load(loaded, quiet=True)
    teacher = np.random.default_rng(0).standard_normal((len(data.train), 3))
    source = build.source(loaded, data, data.train, {"teacher": teacher})
    x, y = first(build.training_batches(run(MIXED), source, first_step=0, last_step=1))
    assert x.shape == (16, 64, 33, 1) and y["teacher"].shape == (16, 8, 3) and y["share"].shape == (16, 8)
    np.testing.assert_allclose(y["share"].sum(1), 1, atol=1e-6)
    # the label is the same mixture of the labels of the clips whose logits these are
    rows = np.argmin(np.abs(teacher.astype("f") - y["teacher"][:, :, None]).sum(-1), -1)
    labels = np.eye(3)[data.labels(data.train)][rows]
    np.testing.assert_allclose((y["share"][:, :, None] * labels).sum(1), y["label"], atol=1e-6)


def test_a_recipe_that_mixes_twice_is_checked_with_its_teachers(tiny):
    fitting.check(recipe.load(tiny, [MIXED]))
    with pytest.raises(UserError, match="fmix: alpha = 0"):
        fitting.check(recipe.load(tiny, [MIXED.replace("alpha=1,", "alpha=0,")]))


BANDS = 'normalise={by="bands"}'


def test_bands_are_measured_on_the_training_clips_alone(loaded, run):
    data = dataset.load(loaded, quiet=True)
    measured = run(BANDS)
    with pytest.raises(UserError, match="is missing.*train the run to its end"):
        build.evaluation_batches(measured, build.source(loaded, data, data.train))
    build.measure_normalisation(measured, data)
    raw = np.concatenate(list(build.evaluation_batches(run(), build.source(loaded, data, data.train)))).astype(float)
    numbers = build.normalisation(measured)
    np.testing.assert_allclose(numbers["mean"], raw.mean((0, 2))[:, None], rtol=1e-6)
    np.testing.assert_allclose(numbers["std"], raw.std((0, 2))[:, None], rtol=1e-6)
    for rows, exact in ((data.train, True), (data.test, False)):
        x = np.concatenate(list(build.evaluation_batches(measured, build.source(loaded, data, rows))))
        assert np.allclose(x.mean((0, 2)), 0, atol=1e-4) == np.allclose(x.std((0, 2)), 1, atol=1e-4) == exact


def test_training_evaluation_and_prediction_normalise_alike(loaded, run):
    data = dataset.load(loaded, quiet=True)
    source = build.source(loaded, data, data.train)
    constants = 'normalise={by="constants", mean=-4.5, std=5.0}'
    for inputs in (
        lambda run: build.training_batches(run, source, first_step=0, last_step=1),
        lambda run: build.evaluation_batches(run, source).map(lambda x: (x, {})),
        lambda run: [(build.network_input(run)(data.prepared.read(data.train[:2]) / np.float32(32768)), {})],
    ):
        np.testing.assert_allclose(first(inputs(run(constants)))[0], (first(inputs(run()))[0] + 4.5) / 5, atol=1e-5)


def test_training_segments_reach_into_their_neighbours_and_others_do_not(loaded):
    data = dataset.load(loaded, quiet=True)
    shifted = dataclasses.replace(loaded, train=dataclasses.replace(loaded.train, max_shift=0.25))
    source = build.training_source(shifted, data)
    row = np.flatnonzero(np.diff(data.prepared.clip) == 0)[0]  # the next row is of the same file
    whole = np.concatenate(list(data.prepared.read([row, row + 1])))
    np.testing.assert_array_equal(source.read_shifted(np.array([row]), np.array([300]))[0], whole[300:8300])
    assert source.max_shift == 2000 and build.source(shifted, data, data.test).max_shift == 0


def test_a_run_that_goes_on_keeps_what_it_measured(loaded, run):
    data = dataset.load(loaded, quiet=True)
    begun = run(BANDS)
    stale = {"mean": np.zeros((64, 1, 1)), "std": np.ones((64, 1, 1))}
    begun.write_arrays("normalisation.npz", stale)
    build.measure_normalisation(begun, data)
    assert build.normalisation(begun)["mean"].min() < -1
    begun.write_arrays("normalisation.npz", stale)
    begun.write("state.npz", b"an epoch was saved")
    build.measure_normalisation(begun, data)
    assert not build.normalisation(begun)["mean"].any()


def test_all_clips_of_a_step_share_one_drawn_filter_bank(loaded, run, monkeypatch):
    """As many chunks as a step has, the same clip throughout, no other augmentation: all spectrograms are equal."""
    data = dataset.load(loaded, quiet=True)
    source = build.source(loaded, data, np.full(64, data.train[0]))
    monkeypatch.setattr(batches, "CHUNK", 4)
    drawing = run("augmentation=[]", 'feature.flavour="kaldi"', "feature.max_hz=3500", "feature.max_hz_range=1000")
    steps = [x.numpy() for x, _ in build.training_batches(drawing, source, first_step=0, last_step=3)]
    for step in steps:
        np.testing.assert_allclose(step, np.broadcast_to(step[:1], step.shape), atol=1e-4)
    assert np.abs(steps[0][0] - steps[1][0]).max() > 0.01 and np.abs(steps[1][0] - steps[2][0]).max() > 0.01
    again = next(iter(build.training_batches(drawing, source, first_step=2, last_step=3)))[0]
    np.testing.assert_array_equal(again, steps[2])


def test_parts_of_the_data_share_no_file(loaded):
    data = dataset.load(loaded, quiet=True)
    parts = [set(data.column("file", rows)) for rows in (data.train, data.validation, data.test)]
    assert all(parts) and sum(map(len, parts)) == len(set.union(*parts)) == 60


def test_the_same_seed_builds_the_same_network(loaded):
    one, again = build.network(loaded, 3), build.network(loaded, 3, foldable=True)
    other = build.network(recipe.load(loaded.file, ["seed=2"]), 3)
    for a, b in zip(one.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert any((a != b).any() for a, b in zip(one.get_weights(), other.get_weights(), strict=True))


LAYERS = ["distill.embedding_weight=1", 'distill.layer="head_bn"', 'teacher.tiny_teacher.layer="stem2_relu"']
GROUPS = 'hierarchy={groups={a=["high","low"],b=["middle"]}, branches="two", layer="stem2_relu"}'


def test_a_recipe_with_all_terms_is_checked_without_data(tiny):
    teacher = recipe.load(tiny.parent / "tiny_teacher.toml")
    for live in ("distill.online=false", "distill.online=true"):
        fitting.check(recipe.load(tiny, [MIXED, GROUPS, live, "dataset.root=nowhere", *LAYERS]), [teacher])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ('distill.layer="head_bm"', "distill.layer: cp_mobile has no layer 'head_bm'. Did you mean 'head_bn'"),
        ('teacher.tiny_teacher.layer="x"', "teacher.tiny_teacher.layer: cp_mobile has no layer 'x'"),
        (GROUPS.replace("stem2", "stem3"), "hierarchy.layer: cp_mobile has no layer 'stem3_relu'"),
        (GROUPS.replace('"low"', '"low","middle"'), "class 'middle' is in 2 groups"),
    ],
)
def test_terms_that_cannot_be_made_are_found_without_data(tiny, change, message):
    wrong = recipe.load(tiny, [*LAYERS, change, "dataset.root=nowhere"])
    with pytest.raises(UserError, match=message) as error:
        fitting.check(wrong, [recipe.load(tiny.parent / "tiny_teacher.toml")])
    assert str(error.value).startswith(str(tiny)) and "\n" not in str(error.value)


def test_groups_that_do_not_part_the_dataset_are_found_before_it_is_prepared(tiny):
    with pytest.raises(UserError, match="tiny.toml: hierarchy.groups: class 'low' is in 0 groups"):
        dataset.load(recipe.load(tiny, [GROUPS.replace(',"low"', "")]))


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("augmentation.freq_mixstyle.p=1.5", "p = 1.5 must be at least 0 and at most 1"),
        ("feature.max_hz=5000", "max_hz = 5000.0"),
        ("model.strides=[[1,1]]", "strides"),
        ("feature.window_samples=5000", "window_samples = 5000"),
    ],
)
def test_values_that_cannot_work_are_found_without_data(tiny, override, message):
    with pytest.raises(UserError, match=message) as error:
        fitting.check(recipe.load(tiny, [override, "dataset.root=nowhere"]))
    assert str(error.value).startswith(str(tiny)) and "\n" not in str(error.value)


CLASSES = ("home", "park", "tram")
LABELS = np.array([0] * 6 + [1] * 3 + [2])


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        ('"balanced"', [10 / 18, 10 / 9, 10 / 3]),
        ("{home = 1, park = 2, tram = 8}", [0.5, 1, 4]),  # 6 x 1 + 3 x 2 + 8 = 20 over 10 clips: divided by 2
    ],
)
def test_class_weights_have_a_mean_of_one_over_the_training_clips(tiny, chosen, expected):
    weighted = recipe.load(tiny.parent / "tiny_teacher.toml", [f"train.class_weights={chosen}"])
    weights = build.class_weights(weighted, CLASSES, LABELS)
    np.testing.assert_allclose(weights, expected)
    assert weights[LABELS].mean() == pytest.approx(1)


@pytest.mark.parametrize(
    ("override", "labels", "message"),
    [
        ("train.class_weights={home = 1, park = 2}", LABELS, "'tram' has no weight"),
        ("train.class_weights={home = 1, park = 2, train = 3}", LABELS, "'train' is not a class. Did you mean 'tram'"),
        ('train.class_weights="balanced"', LABELS[:9], "class 'tram' has no training clips"),
        ("train.balance=true", LABELS[:9], "class 'tram' has no training clips"),
        ("train.class_weights={home = -1}", LABELS, "must be a number above 0"),
        ("train.class_weights={home = nan}", LABELS, "must be a finite number"),
        ('train.class_weights={home = "1"}', LABELS, "must be a number above 0"),
        ('train.class_weights="equal"', LABELS, "class_weights"),
        (
            'dataset={name="audioset", root="x", train="balanced"}\ntrain.balance=true',
            LABELS,
            "audioset has several",
        ),
    ],
)
def test_a_wrong_class_weight_is_an_error(tiny, override, labels, message):
    with pytest.raises(UserError, match=message):
        wrong = recipe.load(tiny.parent / "tiny_teacher.toml", override.split("\n"))
        build.class_weights(wrong, CLASSES, labels)


def test_class_weights_travel_with_every_training_batch(loaded, run):
    weighted = run('train.class_weights="balanced"', "train.balance=true")
    data = dataset.load(loaded, quiet=True)
    source = build.training_source(weighted.recipe, data)
    _, y = first(build.training_batches(weighted, source, first_step=0, last_step=1))
    np.testing.assert_allclose(y["class_weights"], np.tile(source.class_weights, (16, 1)), rtol=1e-6)
    assert np.ptp(y["label"].sum(axis=0)) <= 2


def test_a_table_of_class_weights_is_kept_by_the_text_of_a_recipe(tiny):
    weighted = recipe.load(tiny.parent / "tiny_teacher.toml", ["train.class_weights={home = 1, park = 2.5}"])
    (tiny.parent / "copy.toml").write_text(recipe.to_toml(weighted))
    assert recipe.load(tiny.parent / "copy.toml").train == weighted.train
