"""A sound of a second, its files in any format, and WAV files put together by hand."""

import io
import struct

import numpy as np
import soundfile

from asc_tf.data import audio

RATE_HZ = 16000
SOUND = np.random.default_rng(1).normal(0, 0.1, RATE_HZ).astype(np.float32)
PCM = (SOUND * 32767).astype("<i2").tobytes()
ID3 = b"ID3\x03\0\0\0\0\0\x0a" + bytes(10)


def encoded(name, samples=SOUND, rate_hz=RATE_HZ, **options):
    """The bytes of a sound in a format of libsndfile."""
    file = io.BytesIO()
    soundfile.write(file, samples, rate_hz, format=name, **options)
    return file.getvalue()


def read(folder, content):
    """(samples, notes) of a file of these bytes."""
    (folder / "clip.wav").write_bytes(content)
    with audio.Recording(folder / "clip.wav") as recording:
        return np.concatenate(list(recording.blocks())), recording.notes


def chunk(name, body, size=None, *, padded=True):
    """A chunk of a RIFF file, with another size than its own where one is given."""
    size = len(body) if size is None else size
    return name + struct.pack("<I", size) + body + bytes(len(body) % 2 if padded else 0)


def format_chunk(tag=1, channels=1, bits=16, extra=b""):
    """A chunk that describes the samples of a RIFF file."""
    frame = channels * bits // 8
    return chunk(b"fmt ", struct.pack("<HHIIHH", tag, channels, RATE_HZ, RATE_HZ * frame, frame, bits) + extra)


def riff(*chunks, size=None, magic=b"RIFF"):
    """A RIFF file, with another size than its own where one is given."""
    body = b"WAVE" + b"".join(chunks)
    return magic + struct.pack("<I", len(body) if size is None else size) + body


def wav(size, total=None, *, magic=b"RIFF", before=(), after=(), pcm=PCM):
    """A WAV file of 16 bits that states a size of its samples, and of all."""
    return riff(*before, format_chunk(), chunk(b"data", pcm, size), *after, size=total, magic=magic)


def put(content, at, form, value):
    """Bytes with a number in another place of them."""
    changed = bytearray(content)
    struct.pack_into(form, changed, at, value)
    return bytes(changed)
