import os
import struct

import numpy as np
import pytest
import soundfile
import soxr

from asc_tf.data import audio, decoding


def sine(rate_hz, *, hz=440.0, seconds=1.0, level=0.5):
    return level * np.sin(2 * np.pi * hz * np.arange(round(rate_hz * seconds)) / rate_hz)


def write(folder, samples, rate_hz=44100, *, name="clip.wav", **options):
    soundfile.write(folder / name, samples, rate_hz, **options)
    return folder / name


@pytest.mark.parametrize(
    ("name", "subtype", "rate_hz", "tolerance"),
    [
        ("clip.wav", "PCM_U8", 8000, 1 / 128),
        ("clip.wav", "PCM_16", 11025, 1 / 32768),
        ("clip.wav", "PCM_24", 44100, 1e-6),
        ("clip.wav", "PCM_32", 48000, 1e-6),
        ("clip.wav", "FLOAT", 96000, 1e-6),
        ("clip.wav", "DOUBLE", 16000, 1e-6),
        ("clip.flac", "PCM_16", 22050, 1 / 32768),
        ("clip.flac", "PCM_24", 44100, 1e-6),
        ("clip.aiff", "PCM_16", 44100, 1 / 32768),
        ("clip.ogg", "VORBIS", 44100, 0.05),
        ("clip.mp3", "MPEG_LAYER_III", 44100, 0.05),
    ],
)
def test_every_format_is_read_as_the_mean_of_its_channels(tmp_path, name, subtype, rate_hz, tolerance):
    left = sine(rate_hz)
    file = write(tmp_path, np.stack([left, 0.5 * left], axis=1), rate_hz, name=name, subtype=subtype)
    samples, read_hz = audio.read(file)
    assert (samples.dtype, read_hz, len(samples)) == (np.float32, rate_hz, rate_hz)
    np.testing.assert_allclose(samples, 0.75 * left, atol=tolerance)


def test_files_longer_than_a_block_are_read(tmp_path, monkeypatch):
    monkeypatch.setattr(decoding, "_BLOCK", 1000)
    wave = sine(8000)
    np.testing.assert_allclose(audio.read(write(tmp_path, wave, 8000, subtype="FLOAT"))[0], wave, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "subtype"),
    [
        ("clip.wav", "PCM_16"),
        ("clip.wav", "PCM_24"),
        ("clip.wav", "FLOAT"),
        ("clip.flac", "PCM_16"),
        ("clip.aiff", "PCM_16"),
        ("clip.au", "PCM_16"),
        ("clip.w64", "PCM_16"),
        ("clip.caf", "PCM_16"),
        ("clip.ogg", "VORBIS"),
        ("clip.mp3", "MPEG_LAYER_III"),
    ],
)
@pytest.mark.parametrize("remaining_share", [0.4, 0.97])
def test_a_truncated_file_is_an_error(tmp_path, name, subtype, remaining_share):
    noise = np.random.default_rng(1).normal(0, 0.1, 44100)
    file = write(tmp_path, noise, name=name, subtype=subtype)
    os.truncate(file, int(file.stat().st_size * remaining_share))
    with pytest.raises(audio.UnreadableAudio, match="truncated"):
        audio.read(file)


def test_one_missing_byte_is_a_truncation(tmp_path):
    file = write(tmp_path, sine(44100), subtype="PCM_24")
    os.truncate(file, file.stat().st_size - 1)
    with pytest.raises(audio.UnreadableAudio, match=r"truncated: at least 1 byte\(s\)"):
        audio.read(file)


def test_a_header_without_a_size_as_streams_write_is_read(tmp_path):
    file = write(tmp_path, sine(8000), 8000, subtype="PCM_16")
    content = bytearray(file.read_bytes())
    offset = content.find(b"data") + 4
    content[offset : offset + 4] = struct.pack("<I", 0xFFFFFFFF)
    file.write_bytes(content)
    assert len(audio.read(file)[0]) == 8000


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty file"),
        (b"these are words, not sound\n" * 400, "not audio"),
        (np.random.default_rng(1).bytes(40_000), "not audio"),
        (b"RIFF\x24\x00\x00\x00WAVEfm", "truncated or damaged"),
    ],
)
def test_content_that_is_not_audio_is_an_error_with_its_reason(tmp_path, content, reason):
    file = tmp_path / "clip.wav"
    file.write_bytes(content)
    with pytest.raises(audio.UnreadableAudio, match=reason):
        audio.read(file)


@pytest.mark.parametrize(
    ("samples", "reason"),
    [
        ([], "no samples"),
        ([0.1, np.nan, 0.2], "NaN"),
        ([0.1, np.inf], "infinite"),
    ],
)
def test_unusable_samples_are_an_error_with_its_reason(tmp_path, samples, reason):
    with pytest.raises(audio.UnreadableAudio, match=reason) as raised:
        audio.read(write(tmp_path, np.array(samples), subtype="FLOAT"))
    assert "clip.wav" in str(raised.value) and "clip.wav" not in raised.value.reason


def test_an_absent_file_and_a_folder_are_errors(tmp_path):
    for path in (tmp_path / "none.wav", tmp_path):
        with pytest.raises(audio.UnreadableAudio, match="cannot be opened"):
            audio.read(path)


RATES = [
    (44100, 32000), (48000, 32000), (44100, 22050), (16000, 32000), (8000, 32000),
    (96000, 32000), (11025, 44100), (48000, 44100), (44101, 32000), (192000, 8000),
]  # fmt: skip


def fit_sine(samples, rate_hz, hz):
    """(amplitude and phase as a complex number, RMS of the rest) of a sine of that frequency, edges left out."""
    inner = slice(len(samples) // 8, -len(samples) // 8)
    phase = 2 * np.pi * hz * np.arange(len(samples))[inner] / rate_hz
    basis = np.stack([np.sin(phase), np.cos(phase)], axis=1)
    (real, imaginary), *_ = np.linalg.lstsq(basis, samples[inner].astype(float), rcond=None)
    rest = samples[inner] - basis @ [real, imaginary]
    return complex(real, imaginary), np.sqrt(np.mean(rest**2))


@pytest.mark.parametrize(("rate_hz", "to_hz"), RATES)
def test_resampling_is_flat_without_delay_and_without_images(rate_hz, to_hz):
    for share in (0.05, 0.5, 0.8, 0.9):
        hz = share * min(rate_hz, to_hz) / 2
        wave = sine(rate_hz, hz=hz).astype(np.float32)
        amplitude, rest = fit_sine(audio.resample(wave, rate_hz, to_hz), to_hz, hz)
        assert abs(20 * np.log10(abs(amplitude) / 0.5)) < 0.1
        assert abs(np.angle(amplitude)) < 1e-4
        assert rest < 0.5 * 10 ** (-80 / 20)


@pytest.mark.parametrize(("rate_hz", "to_hz"), [rates for rates in RATES if rates[1] < rates[0]])
def test_resampling_removes_frequencies_above_the_new_nyquist(rate_hz, to_hz):
    for share in (1.001, 1.02, 1.07):
        wave = sine(rate_hz, hz=share * to_hz / 2).astype(np.float32)
        _, rest = fit_sine(audio.resample(wave, rate_hz, to_hz), to_hz, 1.0)
        assert rest < 0.5 * 10 ** (-80 / 20)


def test_resampling_rounds_the_length():
    for length in (1, 2, 100, 44099, 44100, 44101):
        for rate_hz, to_hz in RATES:
            assert len(audio.resample(np.ones(length, np.float32), rate_hz, to_hz)) == int(
                length * to_hz / rate_hz + 0.5
            )


def test_equal_rates_return_the_argument():
    wave = sine(32000).astype(np.float32)
    assert audio.resample(wave, 32000, 32000) is wave


def test_a_second_equals_librosa(shared):
    # golden/README.md: second 0 of this clip, cut at 44.1 kHz, resampled by librosa (soxr_hq).
    golden = np.load(shared / "golden/feat_waves.npz")
    samples, rate_hz = audio.read(shared / "data/esc10/audio/1-26806-A.ogg")
    second = audio.resample(samples[:44100], rate_hz, 32000)
    np.testing.assert_allclose(second, golden["ex1/wave_32000"], atol=2e-6)


@pytest.mark.parametrize(
    ("samples", "segments"),
    [(1, 1), (499, 1), (1000, 1), (1499, 1), (1500, 2), (2000, 2), (2500, 3), (10_300, 10)],
)
def test_cutting_gives_the_rounded_number_of_segments(samples, segments):
    wave = np.arange(1, samples + 1, dtype=np.float32)
    cut = audio.cut(wave, 1000, 1.0)
    assert cut.shape == (segments, 1000)
    used = min(samples, segments * 1000)
    assert (cut.ravel()[:used] == wave[:used]).all() and not cut.ravel()[used:].any()


def test_int16_to_float_and_back_is_exact():
    every = np.arange(-32768, 32768, dtype=np.int16)
    assert (audio.to_int16(every.astype(np.float32) / audio.FULL_SCALE) == every).all()


def test_samples_above_full_scale_are_clipped_not_wrapped():
    loud = np.array([1.0, 1.5, -1.0, -7.0, 0.6 / 32768], np.float32)
    assert audio.to_int16(loud).tolist() == [32767, 32767, -32768, -32768, 1]


def test_samples_beyond_full_scale_are_clipped_as_a_converter_does(tmp_path):
    file = write(tmp_path, np.array([0.5, 1.5, -3.0, 7.9]), 8000, subtype="FLOAT")
    np.testing.assert_allclose(audio.read(file)[0], [0.5, 1.0, -1.0, 1.0])


@pytest.mark.parametrize("scale", [32767, 20, 2**31])
def test_floats_that_are_not_of_full_scale_1_are_an_error(tmp_path, scale):
    file = write(tmp_path, scale * sine(8000), 8000, subtype="FLOAT")
    with pytest.raises(audio.UnreadableAudio, match="times full scale; divide them so that full scale is 1"):
        audio.read(file)


def test_channels_that_cancel_each_other_are_an_error_and_quiet_or_silent_ones_are_not(tmp_path):
    one = sine(8000)
    file = write(tmp_path, np.stack([one, -0.999 * one], axis=1), 8000, subtype="FLOAT")
    with pytest.raises(audio.UnreadableAudio, match="channels that cancel each other"):
        audio.read(file)
    for other in (0 * one, 1e-6 * one):  # a dead microphone beside a live one; silence
        assert len(audio.read(write(tmp_path, np.stack([one, other], axis=1), 8000, subtype="FLOAT"))[0]) == 8000
        assert len(audio.read(write(tmp_path, np.stack([other, other], axis=1), 8000, subtype="FLOAT"))[0]) == 8000


@pytest.mark.parametrize("rate_hz", [1, 999, 768_001])
def test_rates_that_no_recording_of_scenes_has_are_an_error(tmp_path, rate_hz):
    file = write(tmp_path, sine(8000), rate_hz, subtype="PCM_16")
    with pytest.raises(audio.UnreadableAudio, match="a sample rate of .* Hz, outside of 1,000 to 768,000"):
        audio.read(file)


@pytest.mark.parametrize(("rate_hz", "to_hz"), RATES)
def test_blocks_and_segments_are_those_of_the_whole_file(tmp_path, monkeypatch, rate_hz, to_hz):
    wave = np.random.default_rng(1).normal(0, 0.1, (int(2.6 * rate_hz), 2))
    file = write(tmp_path, wave, rate_hz, subtype="FLOAT")
    whole = soxr.resample(wave.astype(np.float32).mean(axis=1), rate_hz, to_hz, quality="HQ")
    monkeypatch.setattr(decoding, "_BLOCK", 9973)
    with audio.Recording(file) as recording:
        blocks = np.concatenate(list(recording.blocks(to_hz)))
    assert recording.rate_hz == rate_hz and len(blocks) == audio.resampled_length(len(wave), rate_hz, to_hz)
    shared = slice(min(len(whole), len(blocks)))
    np.testing.assert_array_equal(blocks[shared], whole[shared])
    for segment_s in (0.1, 0.7, 1.0, 5.0, 6.0):
        with audio.Recording(file) as recording:
            segments = np.concatenate(list(recording.segments(to_hz, segment_s)))
        np.testing.assert_array_equal(segments, audio.cut(blocks, to_hz, segment_s))


@pytest.mark.parametrize(
    ("samples", "notes"),
    [
        ([0.5, 1.5], ["clipped at full scale"]),
        ([0.0, 0.0], ["digital silence"]),
        ([1e-5, -1e-5], ["quieter than half a step of 16 bits"]),
        ([1.0, -1.0], []),
    ],
)
def test_unusual_levels_are_noted(tmp_path, samples, notes):
    with audio.Recording(write(tmp_path, np.array(samples), 8000, subtype="FLOAT")) as recording:
        assert len(list(recording.blocks())) == 1
    assert recording.notes == notes


def test_a_name_that_is_not_utf8_is_read(tmp_path):
    name = os.fsdecode(b"\xe9t\xe9.wav")
    write(tmp_path, sine(8000), 8000).rename(tmp_path / name)
    assert len(audio.read(tmp_path / name)[0]) == 8000


def test_files_that_are_too_long_are_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(audio, "LONGEST_S", 3600)
    monkeypatch.setattr(decoding, "RATES_HZ", (1, 768_000))
    assert len(audio.read(write(tmp_path, np.zeros(3600), 1))[0]) == 3600
    with pytest.raises(audio.UnreadableAudio, match="longer than 1 hours; divide it"):
        audio.read(write(tmp_path, np.zeros(3601), 1))
