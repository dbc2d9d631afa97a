"""C sources: the model file equals the run's, and the front end in C computes what the one in Python does."""

import shutil
import subprocess
from pathlib import Path

import front_end_sounds
import keras
import numpy as np
import pytest
import tensorflow as tf
from c_programs import INPUT_QUANTISATION, compile_program, outputs, write_front_end
from front_end_sounds import CASES
from keras import layers

from asc_tf import build
from asc_tf.errors import UserError
from asc_tf.export import micro
from asc_tf.export.device import arena, micro_sources, tflm, wave
from asc_tf.export.device import c_front_end as c_texts
from asc_tf.export.quantisation import convert as tflite
from asc_tf.export.quantisation import qat
from asc_tf.export.quantisation.to_tf_keras import to_tf_keras
from asc_tf.recipe.schema import Normalise
from asc_tf.runs import folder as run_folder
from asc_tf.tflite import file as tflite_file

HERE = Path(__file__).parent


@pytest.fixture
def c_front_end(tmp_path):
    """Function from a run to its front end, generated and compiled: a function (output, clips, dtype of the output)."""

    def compile_front_end(run):
        write_front_end(run, tmp_path)
        program, sources = tmp_path / "front_end", [tmp_path / "asc_tf_features.c", HERE / "front_end.c"]
        compile_program("gcc", tmp_path, "-std=c99", "-pedantic", "-o", program, *sources, "-lm")
        return lambda output, clips, dtype: outputs(program, [output], clips.tobytes(), dtype)

    return compile_front_end


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_the_front_end_equals_python_on_real_sound(name, run_of, c_front_end, shared):
    expected = front_end_sounds.spectrograms(shared, name)
    clips = front_end_sounds.waves(shared, CASES[name]["sample_rate_hz"])
    spectrograms = c_front_end(run_of(CASES[name], None))("features", clips, np.float32).reshape(expected.shape)
    loud, anywhere = front_end_sounds.largest_ln(name, spectrograms, expected)
    assert loud < 1e-3 and anywhere < 1e-2


def test_synthetic_waves_in_every_type_of_input_and_output(run_of, c_front_end):
    run, index = run_of(), np.arange(8000)
    tone, impulse = np.sin(2 * np.pi * 440 * index / 8000), index == 4000
    square = np.where(index // 50 % 2, -1.0, 1.0)
    noise = 0.003 * np.random.default_rng(0).standard_normal(8000)
    clips = np.stack([0 * tone, impulse, square, tone, 1e-3 * tone, noise]).astype("f")
    clips = np.round(clips * 32767) / np.float32(32768)  # values of 16 bits
    expected, c = build.network_input(run)(clips).numpy(), c_front_end(run)
    spectrograms = c("features", clips, np.float32)
    np.testing.assert_allclose(spectrograms, expected.reshape(-1), atol=1e-4)
    int16_clips = (clips * 32768).astype(np.int16)
    np.testing.assert_array_equal(c("features_int16", int16_clips, np.float32), spectrograms)
    inputs = tflite_file.quantised(spectrograms, {"quantization": INPUT_QUANTISATION, "dtype": np.int8})
    assert (inputs.min(), inputs.max()) == (-128, 127) and len(set(inputs)) > 30
    np.testing.assert_array_equal(c("input", clips, np.int8), inputs)
    np.testing.assert_array_equal(c("input_int16", int16_clips, np.int8), inputs)


def test_tables_in_c_are_equal_to_the_bit(run_of, c_front_end):
    run = run_of(CASES["slaney against its maximum, deltas"])
    tables = c_texts.tables(run, build.front_end(run.recipe))
    content = c_front_end(run)("tables", np.zeros(0), np.uint8).tobytes()
    assert content == b"".join(table.tobytes() for table in tables.values())


def test_each_band_and_channel_is_normalised_by_its_measured_mean_and_std(run_of, c_front_end):
    run = run_of(CASES["ast cut, three-point deltas"], Normalise(by="bands"))
    rng = np.random.default_rng(0)
    shape = (128, 1, 3)
    run.write_arrays("normalisation.npz", {"mean": rng.normal(size=shape), "std": rng.uniform(1, 9, shape)})
    clips = 0.1 * rng.standard_normal((2, 16000)).astype("f")
    spectrograms = c_front_end(run)("features", clips, np.float32)
    np.testing.assert_allclose(spectrograms, build.network_input(run)(clips).numpy().reshape(-1), atol=1e-3)


def test_the_compiled_model_file_has_the_same_bytes_labels_and_scales(int8_run, int8_file, tmp_path):
    micro_sources.export(int8_run, tmp_path / "c")
    program = tmp_path / "model"
    sources = [tmp_path / "c/a_run_model.cc", HERE / "model.cc"]
    compile_program("g++", tmp_path / "c", "-std=c++14", "-o", program, *sources)
    content, _, text = subprocess.run([program], capture_output=True, check=True).stdout.partition(b"|labels|")
    assert content == int8_file
    (scale, zero_point), (output_scale, output_zero_point) = micro_sources.quantisation_parameters(int8_file)
    labels, numbers = text.decode().split("|numbers|")
    assert labels.split() == list(int8_run.labels)
    expected = [np.float32(scale), zero_point, np.float32(output_scale), output_zero_point]
    assert [np.float32(number) for number in numbers.split()] == expected


def test_the_example_registers_the_operations_of_the_file_and_compiles(int8_run, int8_file, tmp_path):
    micro_sources.export(int8_run, tmp_path)
    text = (tmp_path / "main.cc").read_text()
    assert "@" not in text
    for name in {operator.name for operator in tflite_file.operators(int8_file)}:
        assert text.count(f"resolver.{tflm.resolver_method(name)}();") == 1
    stub = tmp_path / "stub"  # declarations of TensorFlow Lite Micro alone
    for header in [line.split('"')[1] for line in text.splitlines() if line.startswith('#include "tensorflow')]:
        (stub / header).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(HERE / "tflm_stub.h", stub / header)
    compile_program("g++", tmp_path, "-std=c++14", "-fsyntax-only", f"-I{stub}", tmp_path / "main.cc")


@pytest.mark.parametrize("source", ["asc_tf_features.c", "a_run_model.cc"])
def test_sources_of_two_exports_do_not_compile_together(source, int8_run, int8_file, write_int8, tmp_path):
    micro_sources.export(int8_run, tmp_path)
    compile_program("g++", tmp_path, "-fsyntax-only", tmp_path / source)
    write_int8(int8_run, int8_file + bytes(16))
    micro_sources.export(int8_run, tmp_path / "other")
    for name in ("asc_tf_settings.h", "a_run_model.h"):
        shutil.copy(tmp_path / "other" / name, tmp_path / name)
    with pytest.raises(subprocess.CalledProcessError):
        compile_program("g++", tmp_path, "-fsyntax-only", tmp_path / source)


@pytest.mark.parametrize("name, method", [
    ("CONV_2D", "AddConv2D"), ("DEPTHWISE_CONV_2D", "AddDepthwiseConv2D"), ("MEAN", "AddMean"), ("PADV2", "AddPadV2"),
    ("BATCH_MATMUL", "AddBatchMatMul"), ("FULLY_CONNECTED", "AddFullyConnected"), ("SPLIT_V", "AddSplitV"),
])  # fmt: skip
def test_registering_methods_are_those_of_micro_mutable_op_resolver(name, method):
    assert tflm.resolver_method(name) == method


def test_a_network_with_operations_without_a_kernel_raises(int8_run):
    with pytest.raises(UserError, match=r"do not flash .* cannot run IMAG \(no kernel\), REAL .* RFFT2D \(no kernel\)"):
        tflm.count_operations(wave.convert_front_end(int8_run))


def test_nothing_is_written_and_the_program_fails_where_a_kernel_is_absent(int8_run, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(run_folder, "load", lambda path: int8_run)
    arguments = [str(int8_run.path), "--out", str(tmp_path / "c")]
    monkeypatch.setattr(tflm, "NOT_IN_INT8", "ADD")
    assert micro.main(arguments) == 2
    assert "cannot run ADD (no int8 kernel)" in capsys.readouterr().err
    assert not (tmp_path / "c").exists()


def test_an_absent_file_another_front_end_and_a_float_file_raise(run_of, int8_file, write_int8, tmp_path):
    with pytest.raises(UserError, match="model.tflite: is missing"):
        micro_sources.export(run_of(), tmp_path)
    run = run_of(feature="gammatone")
    write_int8(run, int8_file)
    with pytest.raises(UserError, match="features/gammatone has no form in plain C; features/log_mel has"):
        micro_sources.export(run, tmp_path)
    write_int8(run, wave.convert_front_end(run_of()))
    message = "input of export/model.tflite is float32 and its output float32; both must be int8: quantise the run"
    with pytest.raises(UserError, match=message):
        micro_sources.export(run, tmp_path)


def test_tensors_whose_lifetimes_do_not_overlap_share_memory():
    first, second, third = (arena.TensorLifetime(*fields) for fields in ((100, 0, 1), (40, 1, 2), (90, 2, 3)))
    # 112 + 48 bytes, whole multiples of 16: the third starts at 0, since the first ends before the third begins.
    assert arena.planned_bytes([first, second, third]) == 160
    assert arena.planned_bytes([first, second, third._replace(first=1)]) == 112 + 96 + 48


def test_tensors_in_float_have_four_bytes_an_element():
    function = tf.function(lambda x: tf.exp(tf.reshape(x, (1, 6)))).get_concrete_function(tf.TensorSpec((1, 2, 3)))
    content = tf.lite.TFLiteConverter.from_concrete_functions([function], tf.Module()).convert()
    assert {tensor.size_bytes for tensor in arena.lifetimes(*tflite_file.graph(content))} == {24}


def test_the_arena_is_as_large_as_in_tensorflow_lite_micro(int8_file):
    # tflite-micro 0.dev20261023182759, print_allocations() on x86-64: "head 704 bytes", "total 3488 bytes".
    assert arena.planned_bytes(arena.lifetimes(*tflite_file.graph(int8_file))) == 704
    assert arena.estimate(int8_file) == pytest.approx(3488, rel=0.02)


def test_tensors_of_float_layers_take_four_bytes_an_element(clips):
    inputs = keras.Input((12, 9, 1), name="spectrogram")
    x = layers.LayerNormalization(name="norm")(layers.Conv2D(4, 3, name="first")(inputs))  # 10 x 7 x 4
    x = layers.GlobalAveragePooling2D(name="logits")(layers.Conv2D(3, 1, name="second")(x))
    network = to_tf_keras(keras.Model(inputs, x))
    content = tflite.convert(qat.quantise(network, clips[0], ["norm"]))
    sizes = [lifetime.size_bytes for lifetime in arena.lifetimes(*tflite_file.graph(content))]
    assert max(sizes) == 4 * 10 * 7 * 4 and 10 * 7 * 4 in sizes
