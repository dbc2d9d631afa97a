"""Reading and running of .tflite files."""

import numpy as np
import pytest
import tensorflow as tf

from asc_tf.errors import UserError
from asc_tf.tflite import file as tflite_file

WEIGHTS = np.array([[[[1.0, -2.0, 0.5]]]], "float32")  # 1 x 1 convolution, 1 channel to 3


@pytest.fixture(scope="module")
def float_file():
    return _converter().convert()


@pytest.fixture(scope="module")
def int8_file():
    rng = np.random.default_rng(0)
    clips = [rng.uniform(-1, 1, (1, 4, 2, 1)).astype("float32") for _ in range(8)]
    clips += [np.full((1, 4, 2, 1), value, "float32") for value in (-1, 1)]
    converter = _converter()
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([clip] for clip in clips)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    return converter.convert()


def test_logits_of_a_float_file_by_hand(float_file):
    network = tflite_file.TFLiteModel(float_file)
    clips = np.stack([np.full((4, 2, 1), 0.5), np.full((4, 2, 1), -1.0)])
    np.testing.assert_allclose(network(clips), [[0.5, -1, 0.5], [-1, 2, -0.25]], rtol=1e-6)
    assert network.input_shape == (4, 2, 1)
    assert not network.is_int8


def test_an_int8_file_takes_and_gives_floats(int8_file):
    network = tflite_file.TFLiteModel(int8_file, threads=2)
    logits = network(np.full((3, 4, 2, 1), 0.5))
    assert logits.dtype == np.float32 and logits.shape == (3, 3)
    # Input scale 2 / 255, output scale 4 / 255: within one step of each.
    np.testing.assert_allclose(logits, [[0.5, -1, 0.5]] * 3, atol=0.04)
    assert network.is_int8


def test_operators_and_bytes_are_those_of_the_file(int8_file, float_file):
    assert [o.name for o in tflite_file.operators(int8_file)] == ["CONV_2D", "MEAN"]
    convolution = tflite_file.operators(int8_file)[0]
    assert convolution[1:4] == (("int8",), ("int8", "int32"), ("int8",))
    # 3 weights of a byte and 3 biases of four; in float, four bytes each. MEAN's axes are no parameters.
    assert tflite_file.parameter_bytes(int8_file) == 3 + 3 * 4
    assert tflite_file.parameter_bytes(float_file) == 6 * 4
    assert {o.name for o in tflite_file.not_int8(float_file)} == {"CONV_2D", "MEAN"}


def test_input_is_rounded_and_clipped():
    tensor = {"quantization": (0.5, -10), "dtype": np.int8}
    x = np.array([0.0, 0.24, 0.26, 0.76, -1.0, 1000.0, -1000.0], "float32")
    assert tflite_file.quantised(x, tensor).tolist() == [-10, -10, -9, -8, -12, 127, -128]
    assert tflite_file.dequantised(np.array([-10, -8], np.int8), tensor).tolist() == [0.0, 1.0]


def test_clips_of_another_shape_are_refused(float_file):
    with pytest.raises(ValueError, match=r"takes clips of \(4, 2, 1\)"):
        tflite_file.TFLiteModel(float_file)(np.zeros((1, 4, 3, 1)))


def test_files_that_are_absent_damaged_or_of_another_kind_are_refused_by_name(tmp_path, float_file):
    (tmp_path / "cut.tflite").write_bytes(float_file[: len(float_file) // 2])
    (tmp_path / "head.tflite").write_bytes(float_file[:20])
    (tmp_path / "sound.tflite").write_bytes(b"RIFF....WAVE" * 100)
    (tmp_path / "empty.tflite").write_bytes(b"")
    expected = {"cut": "damaged", "head": "damaged", "sound": "is not", "empty": "is not", "absent": "no such"}
    for name, word in expected.items():
        with pytest.raises(UserError, match=f"{name}.tflite: .*{word}"):
            tflite_file.TFLiteModel(tmp_path / f"{name}.tflite")


def test_files_cut_off_or_overwritten_anywhere_are_read_or_refused_as_damaged(float_file):
    rng, messages = np.random.default_rng(0), []
    cut_off = [float_file[:length] for length in range(8, len(float_file), 9)]
    overwritten = [bytearray(float_file) for _ in range(300)]
    for content in overwritten:
        start = rng.integers(8, len(content) - 4)
        content[start : start + 4] = rng.bytes(4)
    for content in cut_off + [bytes(content) for content in overwritten]:
        try:
            tflite_file.read(content)
        except UserError as error:
            messages.append(str(error))
    assert len(messages) > len(cut_off) and all("damaged or cut-off" in message for message in messages)


def _converter():
    module = tf.Module()
    module.kernel, module.bias = tf.constant(WEIGHTS), tf.constant([0.0, 0.0, 0.25])

    def call(x):
        return tf.reduce_mean(tf.nn.conv2d(x, module.kernel, 1, "VALID") + module.bias, axis=(1, 2))

    function = tf.function(call).get_concrete_function(tf.TensorSpec((1, 4, 2, 1), tf.float32))
    return tf.lite.TFLiteConverter.from_concrete_functions([function], module)
