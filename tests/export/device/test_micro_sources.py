"""Do the C sources hold what the run holds, and does the C front end compute what Python does?"""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import real_sound
from real_sound import CASES

from asc_tf import build, dataset
from asc_tf.errors import UserError
from asc_tf.recipe.schema import Normalise
from asc_tf.tflite import file as tflite_file
from export.device import arena as _arena
from export.device import c_front_end as _c_front_end
from export.device import front_end as _front_end
from export.device import micro_sources as micro
from export.device import tflm as _tflm
from export.device import wave

HERE, STEPS = Path(__file__).parent, (0.01, -7)
STRICT = ["-Wall", "-Wextra", "-Werror", "-O2"]


def compiled(compiler, folder, *arguments):
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is absent: the C sources are not compiled")
    subprocess.run([compiler, *STRICT, f"-I{folder}", *map(str, arguments)], check=True)


@pytest.fixture
def c_front_end(tmp_path):
    """(run) -> a function (what, clips, type of the answer) of its front end, generated and compiled."""

    def made(run):
        layer, samples = _front_end.exportable(run.recipe, "plain C"), dataset.segment_samples(run.recipe)
        numbers = _c_front_end.settings(run, layer, samples, STEPS)
        (tmp_path / "asc_tf_settings.h").write_text(_c_front_end.settings_text(numbers, "TEST_SETTINGS_H_"))
        (tmp_path / "asc_tf_tables.h").write_text(_c_front_end.tables_text(_c_front_end.tables(run, layer)))
        for file in micro.TEMPLATES.glob("asc_tf_features.*"):
            shutil.copy(file, tmp_path)
        program, sources = tmp_path / "front_end", [tmp_path / "asc_tf_features.c", HERE / "front_end.c"]
        compiled("gcc", tmp_path, "-std=c99", "-pedantic", "-o", program, *sources, "-lm")
        return lambda what, clips, kind: _answer(program, what, clips, kind)

    return made


def _answer(program, what, clips, kind):
    done = subprocess.run([program, what], input=clips.tobytes(), stdout=subprocess.PIPE, check=True)
    return np.frombuffer(done.stdout, kind)


@pytest.mark.parametrize("name", CASES)
def test_the_front_end_equals_python_on_real_sound(name, run_of, c_front_end, shared):
    expected = real_sound.spectrograms(shared, name)
    clips = real_sound.waves(shared, CASES[name]["sample_rate_hz"])
    found = c_front_end(run_of(CASES[name], None))("features", clips, np.float32).reshape(expected.shape)
    loud, anywhere = real_sound.largest_ln(name, found, expected)
    assert loud < 1e-3 and anywhere < 1e-2


def test_made_up_waves_in_every_type_of_sample_and_cell(run_of, c_front_end):
    run, place = run_of(), np.arange(8000)
    tone, impulse = np.sin(2 * np.pi * 440 * place / 8000), place == 4000
    square = np.where(place // 50 % 2, -1.0, 1.0)
    noise = 0.003 * np.random.default_rng(0).standard_normal(8000)
    clips = np.stack([0 * tone, impulse, square, tone, 1e-3 * tone, noise]).astype("f")
    clips = np.round(clips * 32767) / np.float32(32768)  # what 16 bits hold
    expected, c = build.network_input(run)(clips).numpy(), c_front_end(run)
    found = c("features", clips, np.float32)
    np.testing.assert_allclose(found, expected.reshape(-1), atol=1e-4)
    sixteen_bits = (clips * 32768).astype(np.int16)
    np.testing.assert_array_equal(c("features_int16", sixteen_bits, np.float32), found)
    steps = tflite_file.quantised(found, {"quantization": STEPS, "dtype": np.int8})
    assert (steps.min(), steps.max()) == (-128, 127) and len(set(steps)) > 30
    np.testing.assert_array_equal(c("input", clips, np.int8), steps)
    np.testing.assert_array_equal(c("input_int16", sixteen_bits, np.int8), steps)


def test_the_tables_keep_every_bit(run_of, c_front_end):
    run = run_of(CASES["slaney against its maximum, deltas"])
    tables = _c_front_end.tables(run, build.front_end(run.recipe))
    found = c_front_end(run)("tables", np.zeros(0), np.uint8).tobytes()
    assert found == b"".join(table.tobytes() for table in tables.values())


def test_measured_bands_and_channels_are_normalised_each_by_its_own(run_of, c_front_end):
    run = run_of(CASES["ast cut, three-point deltas"], Normalise(by="bands"))
    rng = np.random.default_rng(0)
    shape = (128, 1, 3)
    run.write_arrays("normalisation.npz", {"mean": rng.normal(size=shape), "std": rng.uniform(1, 9, shape)})
    clips = 0.1 * rng.standard_normal((2, 16000)).astype("f")
    found = c_front_end(run)("features", clips, np.float32)
    np.testing.assert_allclose(found, build.network_input(run)(clips).numpy().reshape(-1), atol=1e-3)


def test_the_model_file_compiles_to_the_same_bytes_names_and_scales(int8_run, int8_file, tmp_path):
    micro.export(int8_run, tmp_path / "c")
    program = tmp_path / "model"
    sources = [tmp_path / "c/a_run_model.cc", HERE / "model.cc"]
    compiled("g++", tmp_path / "c", "-std=c++14", "-o", program, *sources)
    content, _, text = subprocess.run([program], capture_output=True, check=True).stdout.partition(b"|labels|")
    assert content == int8_file
    (scale, zero), (output_scale, output_zero) = micro.quantisation(int8_file)
    labels, numbers = text.decode().split("|numbers|")
    assert labels.split() == list(int8_run.labels)
    expected = [np.float32(scale), zero, np.float32(output_scale), output_zero]
    assert [np.float32(number) for number in numbers.split()] == expected


def test_the_example_registers_what_the_file_holds_and_is_c_plus_plus(int8_run, int8_file, tmp_path):
    micro.export(int8_run, tmp_path)
    text = (tmp_path / "main.cc").read_text()
    assert "@" not in text
    for name in {operator.name for operator in tflite_file.operators(int8_file)}:
        assert text.count(f"resolver.{_tflm.method(name)}();") == 1
    stub = tmp_path / "stub"  # the classes of TensorFlow Lite Micro that the example names, without any content
    for header in [line.split('"')[1] for line in text.splitlines() if line.startswith('#include "tensorflow')]:
        (stub / header).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(HERE / "tflm_stub.h", stub / header)
    compiled("g++", tmp_path, "-std=c++14", "-fsyntax-only", f"-I{stub}", tmp_path / "main.cc")


@pytest.mark.parametrize("name, method", [
    ("CONV_2D", "AddConv2D"), ("DEPTHWISE_CONV_2D", "AddDepthwiseConv2D"), ("MEAN", "AddMean"), ("PADV2", "AddPadV2"),
    ("BATCH_MATMUL", "AddBatchMatMul"), ("FULLY_CONNECTED", "AddFullyConnected"), ("SPLIT_V", "AddSplitV"),
])  # fmt: skip
def test_operations_are_registered_by_the_names_of_micro_mutable_op_resolver(name, method):
    assert _tflm.method(name) == method


def test_a_network_with_operations_that_micro_lacks_is_refused(int8_run):
    with pytest.raises(UserError, match=r"do not flash .* cannot run IMAG \(no kernel\), REAL .* RFFT2D \(no kernel\)"):
        _tflm.checked(wave.front_end(int8_run))


def test_nothing_is_written_and_the_program_fails_where_a_kernel_is_absent(int8_run, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(micro.run_folder, "load", lambda path: int8_run)
    arguments = [str(int8_run.path), "--out", str(tmp_path / "c")]
    monkeypatch.setattr(_tflm, "NOT_IN_INT8", "ADD")
    assert micro.main(arguments) == 2
    assert "cannot run ADD (no int8 kernel)" in capsys.readouterr().err
    assert not (tmp_path / "c").exists()


def test_what_c_cannot_compute_and_what_is_not_quantised_is_told(run_of, int8_file, tmp_path):
    with pytest.raises(UserError, match="model.tflite: there is no such file"):
        micro.export(run_of(), tmp_path)
    run = run_of(feature="gammatone")
    run.write("export/model.tflite", int8_file)
    with pytest.raises(UserError, match="features/gammatone has no form in plain C; features/log_mel has"):
        micro.export(run, tmp_path)
    run.write("export/model.tflite", wave.front_end(run_of()))
    with pytest.raises(UserError, match="does not take and give int8; quantise the run"):
        micro.export(run, tmp_path)


def test_tensors_that_do_not_live_together_share_their_place():
    first, second, third = _arena.Tensor(100, 0, 1), _arena.Tensor(40, 1, 2), _arena.Tensor(90, 2, 3)
    # 112 + 48 bytes of whole 16: the third starts at 0, since the first is read before it is made.
    assert _arena.planned([first, second, third]) == 160
    assert _arena.planned([first, second, third._replace(first=1)]) == 112 + 96 + 48


def test_the_arena_is_what_tensorflow_lite_micro_takes(int8_file):
    # tflite-micro 0.dev20261023182759, print_allocations() on x86-64: "head 704 bytes", "total 3488 bytes".
    assert _arena.planned(_arena.lifetimes(*tflite_file.graph(int8_file))) == 704
    assert _arena.estimate(int8_file) == pytest.approx(3488, rel=0.02)
