"""Clips decoded in every step by tensorflow-io: samples of soundfile, resampling, remote files, errors."""

import functools
import http.server
import io
import re
import threading

import numpy as np
import pytest
import soundfile

from asc_tf import dataset
from asc_tf.data import audio, direct
from asc_tf.data.datasets.listing import Clip, Listing
from asc_tf.data.tensorflow_io_package import tensorflow_io
from asc_tf.errors import UserError
from asc_tf.recipe import resolve

FORMATS = {
    "8bit.wav": ("PCM_U8", 8),
    "16bit.wav": ("PCM_16", 16),
    "24bit.wav": ("PCM_24", 24),
    "32bit.wav": ("PCM_32", 24),  # float32 has 24 bits
    "float.wav": ("FLOAT", 24),
    "16bit.flac": ("PCM_16", 16),
    "24bit.flac": ("PCM_24", 24),
    "vorbis.ogg": ("VORBIS", 20),
    "layer3.mp3": ("MPEG_LAYER_III", 16),
}


@pytest.fixture(scope="module", autouse=True)
def _kernels():
    try:
        tensorflow_io("this test")
    except UserError as error:
        pytest.skip(f"tensorflow-io is absent or made for another TensorFlow: {error}")


def noise(seconds=1.5, rate_hz=44_100, channels=2):
    rng = np.random.default_rng(0)
    return np.clip(0.2 * rng.standard_normal((round(seconds * rate_hz), channels)), -0.99, 0.99)


def clips(folder, names, **settings):
    """The indexed clips of some files, all of class x."""
    listing = Listing.from_clips(folder, ("x",), [Clip(name, "x", "train") for name in names])
    return direct.index(listing, **{"sample_rate_hz": 44_100, "segment_s": 1.0, **settings})


@pytest.mark.parametrize("name", FORMATS)
def test_samples_are_those_of_soundfile(name, tmp_path):
    subtype, bits = FORMATS[name]
    soundfile.write(tmp_path / name, noise(), 44_100, subtype=subtype)
    found = clips(tmp_path, [name])
    expected, _ = soundfile.read(tmp_path / name, dtype="float64")
    expected = audio.cut(expected.mean(axis=1), 44_100, 1.0)
    waves = found.read(np.arange(len(found)))
    assert waves.shape == expected.shape == (2, 44_100) and waves.dtype == np.float32
    np.testing.assert_allclose(waves, expected, atol=2.0 ** (1 - bits))


def swelling_tone(hz, rate_hz):
    """Two seconds of a tone that begins and ends softly."""
    seconds = np.arange(2 * rate_hz) / rate_hz
    return 0.5 * np.sin(2 * np.pi * hz * seconds) * np.sin(np.pi * seconds / 2) ** 2


@pytest.mark.parametrize(("rate_hz", "to_hz"), [(44_100, 32_000), (48_000, 32_000), (22_050, 44_100), (8_000, 16_000)])
def test_resampling_is_flat_without_delay_and_without_aliases(rate_hz, to_hz, tmp_path):
    lower = min(rate_hz, to_hz) / 2
    tones = [0.01 * lower, 0.5 * lower, 0.9 * lower, 0.99 * lower] + ([1.05 * lower] if rate_hz > to_hz else [])
    for number, hz in enumerate(tones):
        soundfile.write(tmp_path / f"{number}.wav", swelling_tone(hz, rate_hz), rate_hz, subtype="FLOAT")
    found = clips(tmp_path, [f"{number}.wav" for number in range(len(tones))], sample_rate_hz=to_hz, segment_s=2.0)
    for wave, hz in zip(found.read(np.arange(len(tones))), tones, strict=True):
        expected = swelling_tone(hz, to_hz) if hz < lower else np.zeros(2 * to_hz)
        error_db = 20 * np.log10(np.sqrt(np.mean(np.square(wave - expected))) / 0.2 + 1e-12)
        assert error_db < -110, (hz, error_db)


def test_resampled_sound_is_that_of_prepared_clips(shared, tmp_path):
    files = sorted((shared / "data/esc10/audio").glob("*.ogg"))[:8]
    found = clips(files[0].parent, [file.name for file in files], sample_rate_hz=32_000)
    waves = found.read(np.arange(len(found)))
    expected = np.concatenate([audio.cut(audio.resample(*audio.read(file), 32_000), 32_000, 1.0) for file in files])
    assert waves.shape == expected.shape
    # The filters differ above 0.9 of the Nyquist frequency only.
    difference = np.abs(np.fft.rfft(waves - expected))[:, :14_000].max()
    assert difference < 1e-3 * np.abs(np.fft.rfft(expected)).max()


def test_segments_are_those_of_audio_cut_and_rows_are_in_order(tmp_path):
    for name, seconds in (("a.wav", 2.4), ("b.wav", 0.2), ("c.wav", 2.6)):
        soundfile.write(tmp_path / name, noise(seconds, 8000, 1), 8000, subtype="FLOAT")
    found = clips(tmp_path, ["c.wav", "a.wav", "b.wav"], sample_rate_hz=8000)
    assert found.clip.tolist() == [0, 0, 0, 1, 1, 2] and found.segment.tolist() == [0, 1, 2, 0, 1, 0]
    whole = audio.cut(soundfile.read(tmp_path / "c.wav", dtype="float32")[0], 8000, 1.0)
    np.testing.assert_allclose(found.read([2, 0, 2]), whole[[2, 0, 2]], atol=1e-6)
    assert not found.read([5])[0, 1600:].any()


def test_files_that_cannot_be_decoded_are_named(tmp_path, capsys):
    soundfile.write(tmp_path / "a.wav", noise(), 44_100)
    soundfile.write(tmp_path / "b.aiff", noise(), 44_100)
    (tmp_path / "c.wav").write_bytes(b"nothing of the kind")
    with pytest.raises(UserError, match=r"2 of 3 file\(s\) cannot be read .*AIFF PCM_16, which tensorflow-io does not"):
        clips(tmp_path, ["a.wav", "b.aiff", "c.wav"])
    assert len(clips(tmp_path, ["a.wav", "b.aiff", "c.wav"], max_bad_share=0.7)) == 2
    assert "data.read = 'direct': 2 of 3 file(s)" in capsys.readouterr().err


def test_a_file_that_changed_or_was_cut_off_is_an_error_when_it_is_read(tmp_path):
    soundfile.write(tmp_path / "a.wav", noise(), 44_100)
    found = clips(tmp_path, ["a.wav"])
    soundfile.write(tmp_path / "a.wav", noise(0.7), 44_100)
    with pytest.raises(UserError, match="a.wav: has 30870 frames where its header states 66150"):
        found.read([0])
    (tmp_path / "a.wav").unlink()
    with pytest.raises(UserError, match="a.wav: cannot be decoded"):
        found.read([0])


@pytest.fixture
def served(tmp_path):
    """(folder, address) of a web server on this machine that answers requests for parts of a file."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def send_head(self):
            content = (tmp_path / self.path.lstrip("/")).read_bytes()
            asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
            start, end = (int(asked[1]), int(asked[2] or len(content) - 1)) if asked else (0, len(content) - 1)
            part = content[start : end + 1]
            self.send_response(206 if asked else 200)
            self.send_header("Content-Length", str(len(part)))
            self.send_header("Accept-Ranges", "bytes")
            if asked:
                self.send_header("Content-Range", f"bytes {start}-{start + len(part) - 1}/{len(content)}")
            self.end_headers()
            return io.BytesIO(part)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=functools.partial(server.serve_forever, 0.01), daemon=True).start()
    yield tmp_path, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("scheme", ["http", "file"])
def test_files_may_be_remote(scheme, served):
    folder, address = served
    soundfile.write(folder / "a.wav", noise(), 44_100, subtype="PCM_24")
    soundfile.write(folder / "b.flac", noise(), 44_100, subtype="PCM_16")
    local = clips(folder, ["a.wav", "b.flac"])
    url = address if scheme == "http" else f"file://{folder}"
    remote = clips("nowhere", ["a.wav", "b.flac"], audio_url=url)
    np.testing.assert_array_equal(remote.clip, local.clip)
    np.testing.assert_array_equal(remote.read(np.arange(4)), local.read(np.arange(4)))


def test_a_recipe_trains_on_them_as_on_prepared_clips(tiny):
    prepared = dataset.load(resolve.load(tiny), quiet=True)
    decoded = dataset.load(resolve.load(tiny, ["data.read=direct"]), quiet=True)
    assert isinstance(decoded.prepared, direct.DirectClips)
    rows = np.concatenate([prepared.train, prepared.validation, prepared.test])
    assert all(np.array_equal(getattr(prepared, s), getattr(decoded, s)) for s in ("train", "validation", "test"))
    expected = prepared.prepared.read(rows) / audio.FULL_SCALE
    np.testing.assert_allclose(decoded.prepared.read(rows), expected, atol=1 / audio.FULL_SCALE)
