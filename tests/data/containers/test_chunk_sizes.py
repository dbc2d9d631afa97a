import struct

import numpy as np
import pytest
from sounds import ID3, PCM, RATE_HZ, SOUND, chunk, encoded, format_chunk, put, read, riff, wav

from asc_tf.data import audio
from asc_tf.data.containers import streams

NO_LENGTH, OTHER_LENGTH = "header without a length", "header with another length than the sound"
LIST = chunk(b"LIST", b"INFOISFT\x06\0\0\0Lavf\0\0")
DS64 = "<QQQI"
EXACT = (np.frombuffer(PCM, "<i2") / 32768).astype(np.float32)


@pytest.mark.parametrize("size", [len(PCM) + 44, len(PCM) + 36, len(PCM) + 16, len(PCM) + 2])
def test_a_size_that_counts_a_header_is_not_a_truncation(tmp_path, size):
    for total in (None, size + 36):
        samples, notes = read(tmp_path, wav(size, total))
        np.testing.assert_array_equal(samples, EXACT)
        assert notes == [OTHER_LENGTH]


def test_a_size_beyond_a_file_that_is_as_long_as_it_states_is_not_a_truncation(tmp_path):
    samples, notes = read(tmp_path, wav(len(PCM) + 5000))
    assert (samples == EXACT).all() and notes == [OTHER_LENGTH]


@pytest.mark.parametrize(
    ("size", "total"),
    [(0, 0), (0, 36), (0, None), (0xFFFFFFFF, 0xFFFFFFFF), (0xFFFFFFFF - 36, 0xFFFFFFFF), (0x7FFFF000, 0x7FFFF024),
     (0x80000000, 0x80000024), (0, 0xFFFFFFFF)],
)  # fmt: skip
@pytest.mark.parametrize("after", [(), (LIST,)])
def test_sound_behind_a_size_of_nothing_is_read_to_its_end(tmp_path, size, total, after):
    samples, notes = read(tmp_path, wav(size, total, after=after))
    np.testing.assert_array_equal(samples, EXACT)
    assert notes == [NO_LENGTH]


def test_more_sound_than_stated_in_a_container_that_is_complete_is_read(tmp_path):
    samples, notes = read(tmp_path, wav(1000, len(PCM) + 36))
    assert (samples == EXACT).all() and notes == [OTHER_LENGTH]


def test_bytes_behind_a_container_are_told_and_a_file_without_samples_has_none(tmp_path):
    samples, notes = read(tmp_path, wav(len(PCM)) + b"garbage" * 100)
    assert (samples == EXACT).all() and notes == ["bytes that are no sound passed over"]
    for after in ((), (LIST,)):
        with pytest.raises(audio.UnreadableAudio, match="no samples"):
            read(tmp_path, wav(0, pcm=b"", after=after))


@pytest.mark.parametrize(
    "content",
    [
        riff(format_chunk(), chunk(b"LIST", b"INFOISFT\x05\0\0\0Lavf\0", padded=False), chunk(b"data", PCM)),
        riff(format_chunk(), chunk(b"LIST", bytes(21), 12), chunk(b"data", PCM)),
        riff(format_chunk(), chunk(b"data", PCM + b"\1", padded=False), LIST),
    ],
)
def test_chunks_that_are_not_where_they_should_be_are_found(tmp_path, content):
    samples, notes = read(tmp_path, content)
    np.testing.assert_array_equal(samples, EXACT)
    assert notes == ["header whose parts are not where it states"]


@pytest.mark.parametrize("magic", [b"RF64", b"BW64"])
@pytest.mark.parametrize(
    ("long", "expected"),
    [((len(PCM) + 72, len(PCM)), []), ((0, 0), [NO_LENGTH]), ((2**64 - 1,) * 2, [NO_LENGTH]), (None, [NO_LENGTH])],
)
def test_long_wav_files_of_known_and_unknown_size_are_read(tmp_path, magic, long, expected):
    before = () if long is None else (chunk(b"ds64", struct.pack(DS64, *long, RATE_HZ, 0)),)
    samples, notes = read(tmp_path, wav(0xFFFFFFFF, 0xFFFFFFFF, magic=magic, before=before))
    assert (samples == EXACT).all() and notes == expected


SIZES = {  # format: (name of the chunk of the sound, offset of its size from there, form, values for unknown)
    "AIFF": (b"SSND", 4, ">I", (0, 0xFFFFFFFF)),
    "W64": (b"data", 16, "<Q", (0, 24, 2**63 - 1)),
    "CAF": (b"data", 4, ">q", (0, -1, 4)),
    "AU": (b".snd", 8, ">I", (0, 0xFFFFFFFF)),
}


@pytest.mark.parametrize("name", SIZES)
def test_other_containers_of_unknown_or_wrong_size_are_read_and_cut_ones_are_not(tmp_path, name):
    content = encoded(name, subtype="PCM_16")
    chunk_name, offset, form, unknown = SIZES[name]
    at = content.find(chunk_name) + offset
    whole, notes = read(tmp_path, content)
    assert len(whole) == RATE_HZ and not notes
    for value in unknown:
        samples, notes = read(tmp_path, put(content, at, form, value))
        assert (samples == whole).all() and notes == [NO_LENGTH], value
    stated = struct.unpack_from(form, content, at)[0]
    samples, notes = read(tmp_path, put(content, at, form, stated + 16))
    assert (samples == whole).all() and notes == [OTHER_LENGTH]
    with pytest.raises(audio.UnreadableAudio, match=r"truncated: at least \d+ byte"):
        read(tmp_path, content[: len(content) * 2 // 3])


@pytest.mark.parametrize("name", ["WAV", "AIFF", "FLAC", "OGG"])
def test_tags_in_front_are_passed_over(tmp_path, name):
    content = encoded(name)
    whole, _ = read(tmp_path, content)
    samples, notes = read(tmp_path, ID3 + ID3 + content)
    np.testing.assert_array_equal(samples, whole)
    assert notes == ["tag in front of the sound"]


def test_files_put_together_are_read_one_after_another(tmp_path):
    stereo = encoded("WAV", np.stack([SOUND, SOUND], axis=1))
    faster = encoded("WAV", np.repeat(SOUND, 2), 2 * RATE_HZ)
    samples, notes = read(tmp_path, wav(len(PCM)) + stereo + faster)
    assert len(samples) == 3 * RATE_HZ and notes == ["several streams one after another"]
    np.testing.assert_allclose(samples[: 2 * RATE_HZ], np.tile(EXACT, 2), atol=2 / 32768)


def test_mp3_in_a_wav_file_is_read_as_mp3(tmp_path):
    content = encoded("MP3")
    head = format_chunk(0x55, extra=struct.pack("<HHIHHH", 12, 1, 2, 576, 1, 0))
    samples, _ = read(tmp_path, riff(head, chunk(b"data", content)))
    np.testing.assert_array_equal(samples, read(tmp_path, content)[0])


@pytest.mark.parametrize("after", [b"", LIST])
@pytest.mark.parametrize(("size", "note"), [(len(PCM), OTHER_LENGTH), (0xFFFFFFFF, NO_LENGTH), (0, NO_LENGTH)])
def test_sizes_of_more_than_4_gb_that_32_bits_cannot_hold_are_found(tmp_path, after, size, note):
    file, more = tmp_path / "long.wav", 1 << 32
    file.write_bytes(wav(size, size))
    with open(file, "r+b") as opened:
        opened.truncate(44 + more)  # a hole, which takes no room
        opened.seek(44 + len(PCM))
        opened.write(PCM)
        opened.seek(44 + more)
        opened.write(PCM + after)
        (found,), notes = streams.find(opened)
    assert found.pieces[-1] == range(44, 44 + more + len(PCM)) and notes == [note]
    assert found.pieces[0][:4] == b"RF64"


@pytest.mark.parametrize(("name", "form", "size"), [("W64", "<Q", 0), ("CAF", ">q", -12)])
def test_a_second_chunk_of_sound_of_negative_size_ends(tmp_path, name, form, size):
    content = encoded(name, subtype="PCM_16")
    chunk_name, offset, *_ = SIZES[name]
    at = content.find(chunk_name)
    second = put(content[at : at + 64], offset, form, size)
    samples, notes = read(tmp_path, content + second)
    assert len(samples) == RATE_HZ and notes == ["bytes that are no sound passed over"]
