import numpy as np
import pytest

from asc_tf import build, recipe
from asc_tf.errors import UserError


@pytest.fixture
def loaded(tiny):
    return recipe.load(tiny)


def first(dataset):
    x, y = next(iter(dataset))
    return np.asarray(x), {key: np.asarray(value) for key, value in y.items()}


def test_training_batches_are_a_function_of_recipe_and_step(loaded):
    data = build.data(loaded, quiet=True)
    source = build.source(loaded, data, data.train)
    x, y = first(build.training_batches(loaded, source, first_step=3, last_step=4))
    assert x.shape == (16, 64, 33, 1) and y["label"].shape == (16, 3)
    again = list(build.training_batches(loaded, source, first_step=0, last_step=4))[3]
    np.testing.assert_array_equal(x, again[0])
    other, _ = first(build.training_batches(recipe.load(loaded.file, ["seed=2"]), source, first_step=3, last_step=4))
    assert np.abs(x - other).max() > 0.1


def test_evaluation_batches_keep_the_order_and_are_not_augmented(loaded):
    data = build.data(loaded, quiet=True)
    spectrograms = np.concatenate(list(build.evaluation_batches(loaded, build.source(loaded, data, data.test), 7)))
    assert len(spectrograms) == len(data.test)
    file = data.listing.root / data.column("file", data.test)[0]
    alone = build.front_end(loaded)(build.waves(loaded, file))
    np.testing.assert_allclose(spectrograms[: len(alone)], alone, atol=1e-5)


def test_parts_of_the_data_share_no_file(loaded):
    data = build.data(loaded, quiet=True)
    parts = [set(data.column("file", rows)) for rows in (data.train, data.validation, data.test)]
    assert all(parts) and sum(map(len, parts)) == len(set.union(*parts)) == 60


def test_the_same_seed_builds_the_same_network(loaded):
    one, again = build.network(loaded, 3), build.network(loaded, 3, foldable=True)
    other = build.network(recipe.load(loaded.file, ["seed=2"]), 3)
    for a, b in zip(one.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert any((a != b).any() for a, b in zip(one.get_weights(), other.get_weights(), strict=True))


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("augmentation.freq_mixstyle.p=1.5", "p = 1.5 must be from 0 to 1"),
        ("feature.max_hz=5000", "max_hz = 5000.0"),
        ("model.strides=[[1,1]]", "strides"),
        ("feature.window_samples=5000", "window_samples = 5000"),
    ],
)
def test_values_that_cannot_work_are_found_without_data(tiny, override, message):
    with pytest.raises(UserError, match=message) as error:
        build.check(recipe.load(tiny, [override, "dataset.root=nowhere"]))
    assert str(error.value).startswith(str(tiny)) and "\n" not in str(error.value)
