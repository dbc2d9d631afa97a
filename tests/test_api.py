"""The functions of `import asc_tf`."""

import inspect
import subprocess
import sys
import typing

import numpy as np
import pytest
import soundfile

import asc_tf
from asc_tf import build
from asc_tf.errors import UserError
from asc_tf.recipe import resolve
from asc_tf.runs.folder import RunFolder


@pytest.fixture(scope="module")
def run(tiny_in, tmp_path_factory):
    """A run of the tiny recipe with untrained weights."""
    recipe = resolve.load(tiny_in(tmp_path_factory.mktemp("api")).parent / "tiny_teacher.toml")
    folder = RunFolder(tmp_path_factory.mktemp("api") / "run", recipe)
    folder.write("recipe.toml", resolve.to_toml(recipe))
    folder.write("labels.txt", "high\nlow\nmiddle\n")
    folder.write("weights/best.weights.h5", build.network(recipe, 3).save_weights)
    return asc_tf.load_run(folder.path)


def sound(seconds, rate_hz=8000):
    return np.random.default_rng(0).uniform(-0.1, 0.1, round(seconds * rate_hz)).astype("float32")


@pytest.mark.parametrize("name", [name for name in asc_tf.__all__ if name != "__version__"])
def test_every_function_is_documented_and_typed(name):
    function = getattr(asc_tf, name)
    signature, hints = inspect.signature(function), typing.get_type_hints(function)
    assert function.__doc__ and hints.keys() == {*signature.parameters, "return"}


def test_the_import_alone_is_light():
    code = "import sys, asc_tf; assert not {'tensorflow', 'keras', 'numpy', 'matplotlib'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_program_of_the_same_name_does_not_hide_a_function():
    import asc_tf.evaluate
    import asc_tf.train
    from asc_tf.train import main

    assert callable(main) and inspect.isfunction(asc_tf.train) and inspect.isfunction(asc_tf.evaluate)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="asc_tf.*no attribute 'tarin'"):
        asc_tf.tarin  # noqa: B018


def test_names_of_parts_and_recipes():
    assert "cp_mobile" in asc_tf.list_models() and "log_mel" in asc_tf.list_features()
    assert "mixup" in asc_tf.list_augmentations() and "tau" in asc_tf.list_datasets()
    assert "quickstart" in asc_tf.list_recipes()
    assert asc_tf.load_recipe("quickstart", ["model.width=24"]).model.settings["width"] == 24


def test_files_and_samples_give_the_same_predictions(run, tmp_path):
    samples = sound(2.6)
    soundfile.write(tmp_path / "sound.wav", samples, 8000, subtype="FLOAT")
    from_file, from_samples = run.predict(tmp_path / "sound.wav"), run.predict(samples, 8000)
    np.testing.assert_array_equal(from_file, from_samples)
    np.testing.assert_array_equal(run.predict(np.stack([samples, samples], 1), 8000), from_samples)
    assert from_samples.shape == (3, 3)
    np.testing.assert_allclose(from_samples.sum(1), 1)


def test_predictions_are_the_softmax_of_the_network(run):
    samples = sound(1)
    logits = np.asarray(run.network(run.front_end(samples[None]), training=False))
    expected = np.exp(logits) / np.exp(logits).sum()
    np.testing.assert_allclose(run.predict(samples, 8000), expected, rtol=1e-5)
    np.testing.assert_allclose(run.form("float")(run.front_end(samples[None])), logits, rtol=1e-5)
    assert run.labels == ("high", "low", "middle") and run.forms == ["float"]


def test_other_rates_are_resampled(run):
    assert run.segments(sound(2, 16000), 16000).shape == (2, 8000)


def test_embeddings_are_the_pooled_input_of_the_head_or_of_a_named_layer(run):
    samples = sound(2)
    default, named = run.embeddings(samples, 8000), run.embeddings(samples, 8000, layer="stem2_relu")
    head = run.network.get_layer("head").input
    assert default.shape == (2, head.shape[-1]) and named.shape[0] == 2
    assert np.isfinite(default).all() and not np.allclose(default[0], default[1])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda run: run.predict(sound(1)), "samples need their sample_rate_hz"),
        (lambda run: run.predict(np.zeros(8000, "int16"), 8000), "divide 16-bit integers by 32768"),
        (lambda run: run.predict(np.zeros(0, "float32"), 8000), "at least one"),
        (lambda run: run.predict(np.full(8000, np.nan, "float32"), 8000), "finite"),
        (lambda run: run.predict("absent.wav"), "absent.wav: cannot be opened"),
        (lambda run: run.form("tflight"), "no form 'tflight' of a run. Did you mean 'tflite'"),
        (lambda run: run.form("tflite"), "model.tflite: is missing; make it with asc-tf export tflite"),
        (lambda run: run.embeddings(sound(1), 8000, layer="stem3"), "layer: cp_mobile has no layer 'stem3'"),
        (lambda run: asc_tf.load_run(run.path / "weights"), "is not a run folder"),
    ],
)
def test_mistakes_are_named(run, call, message):
    with pytest.raises(UserError, match=message):
        call(run)
