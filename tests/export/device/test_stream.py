"""Streams in C: the decisions of a whole recording, to the bit, however its samples are divided into chunks."""

import ctypes
import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile
from c_programs import compile_program, outputs, sanitizers, write_front_end
from docs.markdown_pages import ROOT, blocks
from front_end_sounds import CASES
from sound_chunks import DIVISIONS, divided, random_lengths, sound

import asc_tf
from asc_tf import build
from asc_tf.export.device import micro_sources
from asc_tf.export.quantisation import convert as tflite
from asc_tf.export.quantisation import qat
from asc_tf.export.quantisation.to_tf_keras import to_tf_keras
from asc_tf.inference import windows
from asc_tf.listen import main as listen
from asc_tf.predict import main as predict
from asc_tf.recipe import resolve
from asc_tf.tflite import interpreter

HERE = Path(__file__).parent
NO_DECISION, DECISION, NULL_POINTER, NO_HOP, NOT_BEGUN, ENDED, NETWORK_FAILED = 0, 1, -1, -2, -3, -4, -5


class Network(ctypes.Structure):
    RUN = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)
    _fields_ = [("input", ctypes.c_void_p), ("run", RUN), ("context", ctypes.c_void_p)]


class Decision(ctypes.Structure):
    _fields_ = [("start", ctypes.c_uint64), ("best", ctypes.c_int), ("logits", ctypes.POINTER(ctypes.c_int8))]


@pytest.fixture
def programs(tmp_path):
    """Function from a run to programs: its stream under the sanitizers, and its front end for whole windows."""

    def compile_both(run):
        write_front_end(run, tmp_path)
        features = tmp_path / "asc_tf_features.c"
        whole, stream = tmp_path / "whole", tmp_path / "stream"
        compile_program("gcc", tmp_path, "-std=c99", "-pedantic", "-o", whole, features, HERE / "front_end.c", "-lm")
        options = ["-std=c99", "-pedantic", *sanitizers(tmp_path)]
        sources = [features, tmp_path / "asc_tf_stream.c", HERE / "stream.c"]
        compile_program("gcc", tmp_path, *options, "-o", stream, *sources, "-lm")
        return whole, stream

    return compile_both


def whole_file(program, samples, length, hop):
    """Starts, classes and inputs of the windows of a whole recording, by the front end of one window."""
    # Samples of 16 bits are exact in float32, so that the windows are those of predict.
    cut = [window.astype(np.int16) for window in windows.windows([samples.astype(np.float32)], length, hop)]
    inputs = outputs(program, ["input_int16"], np.stack(cut).tobytes(), np.int8).reshape(len(cut), -1)
    sums = np.stack([inputs[:, label::3].sum(1, dtype=np.int64) for label in range(3)], 1)
    return hop * np.arange(len(cut)), (sums % 256).argmax(1), inputs


def check(programs, samples, length, hop, divisions):
    """Checks what a stream decides on; returns the number of windows."""
    whole, stream = programs
    starts, best, inputs = whole_file(whole, samples, length, hop)
    assert len({bytes(row) for row in inputs}) == len(inputs)  # another window would be another row
    row = np.dtype([("start", "<i8"), ("best", "<i8"), ("input", "i1", inputs.shape[1])])
    for name in divisions:
        rows = outputs(stream, [hop], divided(samples, DIVISIONS[name](len(samples))), row)
        np.testing.assert_array_equal(rows["start"], starts, name)
        np.testing.assert_array_equal(rows["best"], best, name)
        np.testing.assert_array_equal(rows["input"], inputs, name)
    return len(starts)


# Of 3.7 s at 8 kHz: those of which at least half is sound.
@pytest.mark.parametrize("hop, count", [(8000, 4), (3000, 9), (977, 27), (11000, 3)])
def test_any_division_into_chunks_has_the_windows_of_the_whole_recording(run_of, programs, hop, count):
    assert check(programs(run_of()), sound(29_600), 8000, hop, DIVISIONS) == count


@pytest.mark.parametrize("samples, hop, count", [(1, 8000, 1), (3999, 8000, 1), (8000, 500, 9), (12_000, 8000, 2)])
def test_short_recordings_and_whole_windows(run_of, programs, samples, hop, count):
    divisions = ["one sample at a time", "all at once"]
    assert check(programs(run_of()), sound(samples), 8000, hop, divisions) == count


@pytest.mark.parametrize("name", ["kaldi of 2023", "slaney against its maximum, deltas", "ast cut, three-point deltas"])
def test_front_ends_that_need_the_whole_clip_or_its_edges(name, run_of, programs):
    rate_hz = CASES[name]["sample_rate_hz"]
    divisions = ["short ones and none", "longer than a window"]
    assert check(programs(run_of(CASES[name])), sound(3 * rate_hz), rate_hz, rate_hz // 2, divisions) == 6


@pytest.fixture
def run(run_of, small, write_int8):
    """A run that programs can load, with an int8 file whose three classes are about as frequent in the sound."""
    result, network = run_of(), small()
    waves = np.stack(list(windows.windows([sound(100_000).astype(np.float32) / 32768], 8000, 500)))
    x = np.array(build.network_input(result)(waves))
    gamma, beta, *statistics = network.get_layer("head_bn").get_weights()
    logits = np.array(network(x))
    gamma /= logits.std(0)
    beta = -(gamma * (logits.mean(0) - beta))
    network.get_layer("head_bn").set_weights([gamma, beta, *statistics])
    result.write("recipe.toml", resolve.to_toml(result.recipe))
    write_int8(result, tflite.convert(qat.quantise(to_tf_keras(network), x)))
    return result


@pytest.fixture
def library(tmp_path):
    """Function from a run to its exported front end and stream, as a library."""

    def compile_library(run):
        micro_sources.export(run, tmp_path / "c")
        sources = [tmp_path / "c" / name for name in ("asc_tf_features.c", "asc_tf_stream.c")]
        compile_program("gcc", tmp_path / "c", "-std=c99", "-shared", "-fPIC", "-o", tmp_path / "c.so", *sources, "-lm")
        result = ctypes.CDLL(str(tmp_path / "c.so"))
        result.asc_tf_stream_begin.argtypes = [ctypes.c_void_p, Network, ctypes.c_uint32]
        pointers = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p, ctypes.c_void_p]
        result.asc_tf_stream_feed.argtypes = pointers
        return result

    return compile_library


def network_of(run):
    """The int8 file of a run as a network of C."""
    int8 = interpreter.create(run.read_bytes("export/model.tflite"), threads=1)
    ends = int8.get_input_details()[0], int8.get_output_details()[0]
    x, logits = (np.zeros(end["shape"], np.int8) for end in ends)

    def invoke(_):
        int8.set_tensor(ends[0]["index"], x)
        int8.invoke()
        logits[:] = int8.get_tensor(ends[1]["index"])
        return logits.ctypes.data

    return Network(x.ctypes.data, Network.RUN(invoke), None)


def stream_decisions(library, network, samples, hop, longest):
    """(start in samples, class, int8 logits) of every decision, fed in chunks of random lengths."""
    stream, taken, decision = ctypes.create_string_buffer(1 << 16), ctypes.c_size_t(), Decision()
    assert library.asc_tf_stream_begin(stream, network, hop) == NO_DECISION
    for length in random_lengths(len(samples), longest, 4):
        rest, samples = samples[:length], samples[length:]
        while len(rest):
            pointer = rest.ctypes.data, len(rest), ctypes.byref(taken), ctypes.byref(decision)
            if library.asc_tf_stream_feed(stream, *pointer) == DECISION:
                yield decision.start, decision.best, decision.logits[:3]
            else:
                assert taken.value == len(rest)
            rest = rest[taken.value :]
    while library.asc_tf_stream_end(stream, ctypes.byref(decision)) == DECISION:
        yield decision.start, decision.best, decision.logits[:3]


def test_decisions_are_those_of_the_c_form_of_predict_and_of_listen(library, run, tmp_path, capsys):
    samples, wav, hop = sound(100_000), str(tmp_path / "sound.wav"), 2000
    soundfile.write(wav, samples, 8000)
    starts, best, logits = zip(*stream_decisions(library(run), network_of(run), samples, hop, 20_000), strict=True)

    c = asc_tf.load_run(run.path).form("c")
    waves = np.stack(list(windows.windows([samples.astype(np.float32) / 32768], 8000, hop)))
    scale, zero_point = micro_sources.quantisation_parameters(run.read_bytes("export/model.tflite"))[1]
    expected = np.rint(c(waves) / scale + zero_point)
    np.testing.assert_array_equal(logits, expected)
    np.testing.assert_array_equal(best, expected.argmax(1))
    assert set(best) == {0, 1, 2}

    options = [str(run.path), "--tflite", "--json", "--hop_s", str(hop / 8000)]
    assert listen([*options, "--wav", wav]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert predict([*options, wav]) == 0
    seconds = json.loads(capsys.readouterr().out)[wav]["seconds"]
    np.testing.assert_allclose([row["start_s"] for row in rows], np.array(starts) / 8000)
    probabilities = np.array([[row["probabilities"][label] for label in run.labels] for row in rows])
    np.testing.assert_allclose(seconds, probabilities, rtol=1e-5)
    # The front end there is in TensorFlow: a value of the input may be rounded to the next integer.
    shares = np.exp((np.array(logits) - zero_point) * scale)
    shares /= shares.sum(1, keepdims=True)
    np.testing.assert_allclose(probabilities, shares, atol=0.02)
    clear = np.sort(shares, 1)[:, -1] - np.sort(shares, 1)[:, -2] > 0.04
    assert clear.mean() > 0.8 and (probabilities.argmax(1) == best)[clear].all()


def test_return_codes(library, int8_run):
    library, network = library(int8_run), network_of(int8_run)
    stream, taken, decision = ctypes.create_string_buffer(1 << 16), ctypes.c_size_t(9), Decision()
    samples = sound(8001)
    rest = samples.ctypes.data, len(samples), ctypes.byref(taken), ctypes.byref(decision)
    feed, end = library.asc_tf_stream_feed, library.asc_tf_stream_end
    assert feed(stream, *rest) == end(stream, ctypes.byref(decision)) == NOT_BEGUN and taken.value == 0
    assert library.asc_tf_stream_begin(None, network, 1) == NULL_POINTER
    assert library.asc_tf_stream_begin(stream, Network(None, network.run), 1) == NULL_POINTER
    assert library.asc_tf_stream_begin(stream, Network(network.input), 1) == NULL_POINTER
    assert library.asc_tf_stream_begin(stream, network, 0) == NO_HOP
    assert feed(stream, *rest) == NOT_BEGUN
    failing = Network(network.input, Network.RUN(lambda _: None))
    assert library.asc_tf_stream_begin(stream, failing, 1) == NO_DECISION
    assert feed(stream, *rest) == NETWORK_FAILED and taken.value == 8000
    assert feed(stream, samples[8000:].ctypes.data, 1, *rest[2:]) == NETWORK_FAILED and decision.start == 1
    assert library.asc_tf_stream_begin(stream, network, 8000) == NO_DECISION
    for index in (0, 1, 3, 4):
        pointers = [stream, *rest]
        pointers[index] = None
        assert feed(*pointers) == NULL_POINTER
    assert end(None, ctypes.byref(decision)) == end(stream, None) == NULL_POINTER
    assert end(stream, ctypes.byref(decision)) == NO_DECISION  # there was no sound
    assert feed(stream, *rest) == ENDED
    assert library.asc_tf_stream_begin(stream, network, 8000) == NO_DECISION
    assert feed(stream, None, 0, *rest[2:]) == NO_DECISION
    assert feed(stream, *rest) == DECISION and (taken.value, decision.start) == (8000, 0)


def test_nothing_is_allocated_and_the_ring_has_the_size_of_its_macro(int8_run, tmp_path):
    if shutil.which("nm") is None:
        pytest.skip("nm is absent: the symbols of the objects are not read")
    micro_sources.export(int8_run, tmp_path / "c")
    used = set()
    for name in ("asc_tf_features", "asc_tf_stream"):
        compile_program("gcc", tmp_path / "c", "-std=c99", "-c", "-o", tmp_path / f"{name}.o", tmp_path / f"c/{name}.c")
        lines = subprocess.run(["nm", "-u", tmp_path / f"{name}.o"], capture_output=True, text=True, check=True).stdout
        used |= {line.split()[-1] for line in lines.splitlines()}
    assert used <= {"asc_tf_input_ring", "logf", "rintf", "memset", "memcpy", "_GLOBAL_OFFSET_TABLE_"}
    source = tmp_path / "size.c"
    source.write_text(
        '#include "asc_tf_stream.h"\n#include <stdio.h>\nint main(void) { printf("%d %d %d", ASC_TF_RING_SAMPLES, '
        "ASC_TF_RING_BYTES, (int)sizeof(asc_tf_stream)); return 0; }\n"
    )
    compile_program("gcc", tmp_path / "c", "-std=c99", "-o", tmp_path / "size", source)
    ring, size, stream = map(int, subprocess.run([tmp_path / "size"], capture_output=True, check=True).stdout.split())
    assert (ring, size) == (8000, 16_000) and size < stream <= size + 64


def test_the_loop_in_the_documentation_compiles_and_all_codes_are_there(int8_run, tmp_path):
    micro_sources.export(int8_run, tmp_path)
    page = ROOT / "docs/onto-a-device.md"
    (loop,) = [block.text for block in blocks(page) if block.language == "c"]
    (tmp_path / "loop.c").write_text(loop)
    compile_program("gcc", tmp_path, "-std=c99", "-pedantic", "-fsyntax-only", tmp_path / "loop.c")
    codes = re.findall(r"^  (ASC_TF_\w+) = (-?\d)", (tmp_path / "asc_tf_stream.h").read_text(), re.MULTILINE)
    assert codes == re.findall(r"^\| `(ASC_TF_\w+)` \| (-?\d) \|", page.read_text(), re.MULTILINE)
