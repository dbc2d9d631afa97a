"""Any bytes in an audio file end in samples or in a UserError, in bounded memory."""

import tracemalloc

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st
from sounds import ID3, PCM, SOUND, chunk, encoded, wav

from asc_tf.data import audio

MOST_MEMORY = 100_000_000  # bytes at once, for files of some kilobytes
SHORT = SOUND[:2000]


def examples():
    """The bytes of a small file of every container."""
    names = ("WAV", "W64", "RF64", "AIFF", "AU", "CAF", "FLAC", "OGG", "MP3", "NIST", "VOC")
    ordinary = [encoded(name, SHORT) for name in names] + [encoded("WAV", SHORT, subtype="IMA_ADPCM")]
    pcm = PCM[:4000]
    return [*ordinary, ID3 + ordinary[0], encoded("OGG", SHORT, subtype="OPUS"), wav(0xFFFFFFFF, 0, pcm=pcm),
            wav(0, before=(chunk(b"LIST", bytes(21), padded=False),), pcm=pcm)]  # fmt: skip


def read(file):
    """Reads a file; a UserError that names it is a fine end."""
    tracemalloc.start()
    try:
        with audio.Recording(file) as recording:
            for segments in recording.segments(8000, 0.1):
                assert segments.dtype == np.float32 and np.isfinite(segments).all() and segments.shape[1] == 800
    except audio.UnreadableAudio as error:
        assert str(file) in str(error) and error.reason
    finally:
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert most < MOST_MEMORY


def test_damaged_files_of_every_container_are_read_or_named(tmp_path):
    contents = examples()
    file = tmp_path / "clip.wav"

    @hypothesis.settings(max_examples=300, deadline=5000, database=None, derandomize=True)
    @hypothesis.given(
        st.sampled_from(contents),
        st.lists(
            st.tuples(st.one_of(st.integers(0, 60), st.integers(0, 10**4)), st.sampled_from([0, 1, 127, 128, 255])),
            max_size=6,
        ),
        st.sampled_from([None, None, 11, 43, 50, -1, -40]),
        st.sampled_from([b"", b"", b"TAG", bytes(9), b"OggS", b"RIFF", b"ID3\x03\0\0\x7f\x7f\x7f\x7f"]),
    )
    def check(content, changes, cut, tail):
        damaged = bytearray(content)
        for place, value in changes:
            damaged[place % len(damaged)] = value
        file.write_bytes(damaged[:cut] + tail)
        read(file)

    check()


STARTS = [
    b"", b"RIFF\0\0\0\0WAVE", b"RF64\xff\xff\xff\xffWAVEds64", b"FORM\0\0\0\0AIFFSSND", b"caff\0\1\0\0data", b"fLaC\0",
    b"OggS\0\2", b"\xff\xfb\x90\x00", b"ID3\3\0\0", b".snd\0\0\0\x18", b"riff",
]  # fmt: skip


@pytest.mark.parametrize("start", STARTS)
def test_random_bytes_are_read_or_named(tmp_path, start):
    file = tmp_path / "clip.wav"

    @hypothesis.settings(max_examples=60, deadline=5000, database=None, derandomize=True)
    @hypothesis.given(st.binary(max_size=200))
    def check(content):
        file.write_bytes(start + content)
        read(file)

    check()


def test_many_channels_are_read_in_bounded_memory(tmp_path):
    file = tmp_path / "clip.wav"
    file.write_bytes(encoded("WAV", np.tile(SHORT[:, None], (1, 1000))))
    read(file)
