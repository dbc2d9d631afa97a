"""FLAC, Ogg and MP3 files whose headers state another length than they have, or none."""

import struct

import numpy as np
import pytest
from sounds import ID3, RATE_HZ, SOUND, encoded, put, read

from asc_tf.data import audio
from asc_tf.data.containers import mpeg

NO_LENGTH, OTHER_LENGTH = "header without a length", "header with another length than the sound"
OTHER_BYTES, SEVERAL = "bytes that are no sound passed over", "several streams one after another"
ID3V1 = b"TAG" + b"a" * 125
FLAC_COUNT = 22  # position of the last 32 bits of the number of samples


def test_flac_of_unknown_or_wrong_length_is_read_to_its_end(tmp_path):
    content = encoded("FLAC")
    whole, notes = read(tmp_path, content)
    assert len(whole) == RATE_HZ and not notes
    unknown = put(content, FLAC_COUNT, ">I", 0)
    for changed, expected in (
        (unknown, [NO_LENGTH]),
        (unknown + ID3V1, [NO_LENGTH]),
        (put(content, FLAC_COUNT, ">I", 100), [OTHER_LENGTH]),
        (content + b"no sound" * 100, [OTHER_BYTES]),
    ):
        samples, notes = read(tmp_path, changed)
        np.testing.assert_array_equal(samples, whole)
        assert notes == expected
    for cut in (
        content[: len(content) // 2],
        unknown[: len(content) // 2],
        put(content, FLAC_COUNT, ">I", RATE_HZ + 9),
    ):
        with pytest.raises(audio.UnreadableAudio, match="truncated"):
            read(tmp_path, cut)


@pytest.mark.parametrize(
    ("name", "options"),
    [("FLAC", {}), ("OGG", {}), ("OGG", {"subtype": "OPUS"}), ("MP3", {}), ("MP3", {"bitrate_mode": "VARIABLE"})],
)
@pytest.mark.parametrize("between", [b"", ID3, ID3V1 + ID3])
def test_streams_one_after_another_are_read_to_the_end(tmp_path, name, options, between):
    content = encoded(name, **options)
    whole, notes = read(tmp_path, content)
    assert not notes
    samples, notes = read(tmp_path, content + between + content + content)
    np.testing.assert_array_equal(samples, np.tile(whole, 3))
    assert SEVERAL in notes


def pages(content):
    """Positions of the pages of an Ogg file."""
    return [at for at in range(len(content)) if content[at : at + 4] == b"OggS"]


def test_ogg_cut_between_pages_is_read_and_told_and_cut_in_a_page_is_an_error(tmp_path):
    content = encoded("OGG", np.tile(SOUND, 4))
    whole, _ = read(tmp_path, content)
    last = pages(content)[-1]
    samples, notes = read(tmp_path, content[:last])
    assert (samples == whole[: len(samples)]).all() and 0 < len(samples) < len(whole)
    assert notes == ["no end mark: it may be shorter than it was"]
    for cut in (content[: last + 2], content[: last + 20], content[:-1], content[:last] + bytes(5000)):
        with pytest.raises(audio.UnreadableAudio, match="truncated"):
            read(tmp_path, cut)
    samples, notes = read(tmp_path, content + bytes(5000))
    assert len(samples) == len(whole) and notes == [OTHER_BYTES]


def test_ogg_pages_that_are_damaged_missing_or_apart_are_told(tmp_path):
    content = encoded("OGG", np.tile(SOUND, 4))
    whole, _ = read(tmp_path, content)
    third, fourth = pages(content)[2:4]
    _, notes = read(tmp_path, put(content, fourth - 20, "B", content[fourth - 20] ^ 1))
    assert notes == ["damaged or missing pages"]
    _, notes = read(tmp_path, content[:third] + content[fourth:])
    assert notes == ["damaged or missing pages"]
    samples, notes = read(tmp_path, content[:fourth] + b"no page" * 30 + content[fourth:])
    assert (samples == whole).all() and notes == [OTHER_BYTES]


def mp3(mode="VARIABLE", **options):
    """A long quiet, then loud MP3 file: its first frames are shorter than the others."""
    return encoded("MP3", np.concatenate([0.001 * SOUND, SOUND, SOUND, SOUND]), bitrate_mode=mode, **options)


def first_frame(content):
    """Length of the frame that states the number of frames."""
    return mpeg.frame_bytes(content[:4])


@pytest.mark.parametrize("mode", ["VARIABLE", "CONSTANT"])
def test_mp3_without_a_count_is_read_to_its_end(tmp_path, mode):
    content = mp3(mode)
    whole, _ = read(tmp_path, content)
    headless = content[first_frame(content) :]
    for changed in (headless, ID3 + headless, headless + ID3V1):
        samples, notes = read(tmp_path, changed)
        assert notes == [NO_LENGTH]
        # What the encoder adds at both ends is not cut off without its header.
        assert 0 < len(samples) - len(whole) < 3000
        shift = int(np.argmax(np.correlate(samples, whole[: RATE_HZ * 2], "valid")))
        np.testing.assert_allclose(samples[shift + 5000 :][: 3 * RATE_HZ], whole[5000:][: 3 * RATE_HZ], atol=1e-4)


@pytest.mark.parametrize("change", [50, -40, None])
def test_mp3_with_a_wrong_count_is_read_to_its_end(tmp_path, change):
    content = mp3()
    at = max(content.find(b"Xing"), content.find(b"Info")) + 8
    value = struct.unpack_from(">I", content, at)[0] + change if change else 0
    whole, _ = read(tmp_path, content)
    samples, notes = read(tmp_path, put(content, at, ">I", value))
    np.testing.assert_array_equal(samples, whole)
    assert notes == [OTHER_LENGTH if change else NO_LENGTH]


@pytest.mark.parametrize(("change", "expected"), [(0, []), (30, [OTHER_LENGTH]), (-30, [OTHER_LENGTH])])
def test_mp3_with_a_vbri_header_is_read_to_its_end(tmp_path, change, expected):
    content = mp3()
    size, at = first_frame(content), max(content.find(b"Xing"), content.find(b"Info")) + 8
    frames = struct.unpack_from(">I", content, at)[0] + change
    headless = content[size:]
    vbri = content[:4] + bytes(32) + struct.pack(">4sHHHII", b"VBRI", 1, 0, 75, len(content), frames)
    samples, notes = read(tmp_path, vbri.ljust(size, b"\0") + headless)
    np.testing.assert_array_equal(samples, read(tmp_path, headless)[0])
    assert notes == expected


def test_mp3_that_is_cut_is_an_error_with_and_without_a_count(tmp_path):
    content = mp3()
    for cut in (content[:-100], content[first_frame(content) : -100]):
        with pytest.raises(audio.UnreadableAudio, match="truncated: at least"):
            read(tmp_path, cut)


def test_mp3_with_bytes_before_between_and_behind_its_frames_is_read(tmp_path):
    content = mp3("CONSTANT")
    whole, _ = read(tmp_path, content)
    samples, notes = read(tmp_path, bytes(5000) + content + bytes(2000))
    assert (samples == whole).all() and notes == [OTHER_BYTES]
    half = len(content) // 2
    samples, notes = read(tmp_path, content[:half] + bytes(3000) + content[half:])
    assert 0.95 * len(whole) < len(samples) <= len(whole) and OTHER_BYTES in notes


def layer_2(bits):
    """MPEG layer II frames of silence with these indices of bit rates."""
    heads = [bytes([0xFF, 0xFD, index << 4, 0xC0]) for index in bits]
    return b"".join(head.ljust(mpeg.frame_bytes(head), b"\0") for head in heads)


def test_layer_2_of_constant_rate_is_read_and_of_variable_rate_is_an_error(tmp_path):
    samples, _ = read(tmp_path, layer_2([8] * 50))
    assert len(samples) == 50 * 1152
    for bits in ([2] * 20 + [12] * 30, [12] * 20 + [2] * 30):
        with pytest.raises(audio.UnreadableAudio, match="layer I or II of variable rate"):
            read(tmp_path, layer_2(bits))
