"""The file that takes the waveform: its outputs equal those of front end and network in Keras."""

import front_end_sounds
import numpy as np
import pytest
import tensorflow as tf
from front_end_sounds import CASES, EACH

from asc_tf import build
from asc_tf.build import networks
from asc_tf.errors import UserError
from asc_tf.export.device import wave
from asc_tf.tflite import file as tflite_file
from asc_tf.tflite import interpreter as tflite_interpreter


def outputs(content, inputs):
    """Outputs of a file for inputs one by one, by TFLite's kernels without a delegate."""
    interpreter = tflite_interpreter.create(content, keep_tensors=True)
    input_tensor, output_tensor = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    values = []
    for x in inputs:
        interpreter.set_tensor(input_tensor["index"], tflite_file.quantised(x[None], input_tensor))
        interpreter.invoke()
        values.append(tflite_file.dequantised(interpreter.get_tensor(output_tensor["index"]), output_tensor))
    return np.concatenate(values)


def noise(count):
    """Clips of 8 kHz at levels from -60 dB to full scale."""
    rng = np.random.default_rng(0)
    return np.clip(rng.standard_normal((count, 8000)) * 10 ** rng.uniform(-3, 0, (count, 1)), -1, 1).astype("f")


@pytest.mark.slow
@pytest.mark.parametrize("name", [*EACH, "slaney against its maximum, deltas"])
def test_the_front_end_equals_the_one_in_keras_on_real_sound(name, run_of, shared):
    content = wave.convert_front_end(run_of(CASES[name], None))
    spectrograms = outputs(content, front_end_sounds.waves(shared, CASES[name]["sample_rate_hz"]))
    loud, anywhere = front_end_sounds.largest_ln(name, spectrograms, front_end_sounds.spectrograms(shared, name))
    assert loud < 1e-3 and anywhere < 1e-2


@pytest.mark.slow
def test_logits_of_an_int8_run_are_those_of_its_front_end_and_model_file(int8_run, int8_file):
    clips, content = noise(40), wave.convert(int8_run)
    spectrograms = outputs(wave.convert_front_end(int8_run), clips)
    np.testing.assert_allclose(spectrograms, build.network_input(int8_run)(clips), atol=1e-4)
    logits, expected = outputs(content, clips), outputs(int8_file, spectrograms)
    # Half way between two integers QUANTIZE rounds up, numpy to the even one.
    assert np.mean(np.any(logits != expected, axis=1)) < 0.1
    assert np.ptp(logits, axis=0).max() > 0.5


def test_the_file_has_the_networks_operations_and_only_built_in_ones(int8_run, int8_file):
    whole, network = (tflite_file.operators(content) for content in (wave.convert(int8_run), int8_file))
    names = [operator.name for operator in whole]
    assert whole[-len(network) - 1 : -1] == network
    assert (names[-len(network) - 2], names[-1]) == ("QUANTIZE", "DEQUANTIZE")
    assert "RFFT2D" in names and "CUSTOM" not in names


def test_input_and_output_are_named_wave_and_logits(int8_run):
    runner = tflite_interpreter.create(wave.convert(int8_run)).get_signature_runner()
    ends = runner.get_input_details() | runner.get_output_details()
    assert {name: tuple(end["shape"]) for name, end in ends.items()} == {"wave": (1, 8000), "logits": (1, 3)}
    assert runner(wave=noise(1))["logits"].dtype == np.float32


def test_logits_of_a_float_run_are_those_of_keras(run_of, small, monkeypatch):
    run, network = run_of(), small()
    run.write("weights/best.weights.h5", network.save_weights)
    monkeypatch.setattr(networks, "network", lambda recipe, classes, foldable: small())
    clips = noise(8)
    expected = network(build.network_input(run)(clips), training=False)
    content = wave.convert(run)
    assert "QUANTIZE" not in {operator.name for operator in tflite_file.operators(content)}
    np.testing.assert_allclose(outputs(content, clips), expected, atol=1e-4)


def test_other_front_ends_and_fft_lengths_raise_errors_with_the_fix(run_of):
    with pytest.raises(UserError, match="features/cqt has no form in TFLite's built-in operations; features/log_mel"):
        wave.convert(run_of(feature="cqt"))
    run = run_of(CASES["htk"] | {"fft_samples": 3072})
    with pytest.raises(UserError, match="fft_samples = 3072 .* a power of two; .* feature.fft_samples = 4096"):
        wave.convert(run)


def test_the_error_names_an_operation_that_tflite_lacks():
    with pytest.raises(UserError, match="TFLite has no operation for Igamma"):
        wave.convert_function(lambda x: tf.math.igamma(x, x), (1, 4), [])
