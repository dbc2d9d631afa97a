"""Clips that are decoded from their files whenever they are read, with no prepared copy and no rounding to 16 bits.

Files may be remote: s3://, gs://, hdfs:// and http:// are opened by tensorflow-io's file systems.
Source: tensorflow-io's decoders of WAV, FLAC, Ogg Vorbis and MP3. Its resampler is not used: it delays by a fraction of
        a sample (-17 dB of error at 10 kHz) and is 0.4 dB down at 14 kHz from 44.1 to 32 kHz. Here the spectrum of the
        whole file is cut off or extended.
"""

import functools
import math
import os
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import soundfile
import tensorflow as tf

from asc_tf.data import audio, decoding, levels
from asc_tf.data.containers import streams
from asc_tf.data.datasets.listing import Listing
from asc_tf.data.prepared import report
from asc_tf.data.tensorflow_io_package import tensorflow_io
from asc_tf.errors import UserError

READERS = 16  # threads that read headers
WHAT = "data.read = 'direct'"
GUARD_S = 0.1  # silence after a file, so that its end does not ring into its beginning
# (format, subtype) of libsndfile -> decoder of tensorflow-io, type that it returns. It takes the integers of 32 bits in
# a WAV file for floats: their bits are right.
DECODERS = {
    ("WAV", "PCM_U8"): ("wav", tf.uint8),
    ("WAV", "PCM_16"): ("wav", tf.int16),
    ("WAV", "PCM_24"): ("wav", tf.int32),
    ("WAV", "PCM_32"): ("wav", tf.float32),
    ("WAV", "FLOAT"): ("wav", tf.float32),
    ("FLAC", "PCM_16"): ("flac", tf.int16),
    ("FLAC", "PCM_24"): ("flac", tf.int32),
    ("OGG", "VORBIS"): ("vorbis", tf.float32),
    ("MP3", "MPEG_LAYER_III"): ("mp3", tf.float32),
}
ONE = {tf.uint8: 128.0, tf.int16: 2.0**15, tf.int32: 2.0**31}  # full scale of integers; of 24 bits too


class Header(NamedTuple):
    """What the header of a file states.

    Args:
        frames: Samples of a channel.
        rate_hz: Sample rate.
        kind: A key of DECODERS.
    """

    frames: int
    rate_hz: int
    kind: tuple[str, str]


@dataclass(frozen=True, eq=False)
class DirectClips:
    """The segments of a listing's readable clips, ordered as the listing, then by time; as PreparedClips.

    Args:
        samples: Samples in a segment.
        clip: (segments,) int64, position of the segment's clip in the listing.
        segment: (segments,) int64, number of the segment in its clip, from 0.
        paths: Path or address of every clip of the listing.
        headers: Header of every clip, None for one that cannot be read.
        sample_rate_hz: Rate of the segments.
    """

    samples: int
    clip: np.ndarray
    segment: np.ndarray
    paths: Sequence[str]
    headers: Sequence[Header | None]
    sample_rate_hz: int

    full_scale = 1.0  # of what `read` returns

    def __len__(self):
        return len(self.clip)

    def read(self, rows: Sequence[int] | np.ndarray) -> np.ndarray:
        """Samples of some segments, in the order of `rows`; every file is decoded once.

        Args:
            rows: (rows,) indices into `clip` and `segment`.

        Returns:
            (rows, samples) float32.

        Raises:
            UserError: A file is not what its header states.
        """
        rows = np.asarray(rows, np.int64)
        waves = np.zeros((len(rows), self.samples), np.float32)
        of_clip = defaultdict(list)
        for position, row in enumerate(rows.tolist()):
            of_clip[int(self.clip[row])].append((position, int(self.segment[row]) * self.samples))
        for clip, places in of_clip.items():
            whole = _decoded(self.paths[clip], self.headers[clip], self.sample_rate_hz)
            for position, start in places:
                part = whole[start : start + self.samples]
                waves[position, : len(part)] = part
        return waves


def index(
    listing: Listing,
    *,
    sample_rate_hz: int,
    segment_s: float,
    max_bad_share: float = 0.01,
    audio_url: str = "",
    quiet: bool = False,
) -> DirectClips:
    """The segments of a listing, from the headers of its files; no sample is read.

    Args:
        listing: The clips.
        sample_rate_hz: Rate that clips are resampled to when they are read.
        segment_s: Length in seconds of the segments that clips are cut into (see audio.cut).
        max_bad_share: Share of the files that may be unreadable, 0 to 1; these are reported and left out.
        audio_url: Address of the folder of the files instead of the listing's.
        quiet: Whether to leave out the summary of unreadable files.

    Raises:
        UserError: tensorflow-io is not installed or not for this TensorFlow, or too many files are unreadable.
    """
    tensorflow_io(WHAT)
    folder = audio_url.rstrip("/") or str(listing.root)
    paths = [f"{folder}/{name}" for name in listing.file]
    with ThreadPoolExecutor(READERS) as pool:
        found = list(pool.map(_header, paths))
    bad = [(name, one) for name, one in zip(listing.file, found, strict=True) if isinstance(one, str)]
    report.check_bad(bad, len(paths), max_bad_share, "", quiet=quiet, program="data.read = 'direct'")
    headers = [None if isinstance(one, str) else one for one in found]
    samples = round(sample_rate_hz * segment_s)
    counts = [_segments(header, sample_rate_hz, samples) if header else 0 for header in headers]
    clip = np.repeat(np.arange(len(paths)), counts)
    segment = np.concatenate([np.arange(count) for count in counts])
    return DirectClips(samples, clip, segment, paths, headers, sample_rate_hz)


def _header(path):
    """Header of a file, or the reason why it cannot be read."""
    remote = "://" in path
    try:
        with tf.io.gfile.GFile(path, "rb") if remote else open(path, "rb") as opened:
            with soundfile.SoundFile(opened) as file:
                kind = (file.format.removesuffix("EX"), file.subtype)
                header = Header(file.frames, file.samplerate, kind)
            fault = None if remote else _fault(opened)  # a remote file is not read as a whole for that
    except soundfile.LibsndfileError as error:
        return error.error_string
    except (OSError, tf.errors.OpError, TypeError) as error:
        return str(error).strip().splitlines()[0]
    if kind not in DECODERS:
        return f"{' '.join(kind)}, which tensorflow-io does not decode; leave data.read out to prepare it"
    if rate_fault := decoding.rate_fault(header.rate_hz):
        return rate_fault
    if not 0 < header.frames < 1 << 40:
        fault = "its header states no length"
    return f"{fault}; leave data.read out to prepare it" if fault else header


def _fault(file):
    """Why the samples of an open file are not those that its header states."""
    found, notes = streams.find(file)
    return next((one.fault for one in found if one.fault), next(iter(notes), None))


def _segments(header, sample_rate_hz, samples):
    return audio.segment_count(audio.resampled_length(header.frames, header.rate_hz, sample_rate_hz), samples)


def _decoded(path, header, to_hz):
    """The whole file as one channel at another rate, (samples,) float32."""
    divisor = math.gcd(header.rate_hz, to_hz)
    step, new_step = header.rate_hz // divisor, to_hz // divisor
    periods = -(-(header.frames + round(GUARD_S * header.rate_hz)) // step)
    try:
        wave, frames, level_values = _decoder(header.kind)(os.fsencode(path), periods * step, periods * new_step)
    except tf.errors.OpError as error:
        raise UserError(f"{path}: cannot be decoded ({str(error).strip().splitlines()[0]}).") from error
    if frames != header.frames:
        raise UserError(f"{path}: has {int(frames)} frames where its header states {header.frames}; mend or remove it.")
    if fault := levels.fault_of(*level_values.numpy()):
        raise audio.UnreadableAudio(path, fault)
    return wave.numpy()[: audio.resampled_length(header.frames, header.rate_hz, to_hz)]


@functools.cache
def _decoder(kind) -> Callable:
    """A graph function of a kind of file: (path, samples after padding, after resampling) -> (wave, frames, levels)."""
    name, dtype = DECODERS[kind]
    decoders = tensorflow_io(WHAT).audio
    number = tf.TensorSpec((), tf.int32)

    @tf.function(input_signature=[tf.TensorSpec((), tf.string), number, number])
    def decode(path, padded, new):
        content = tf.io.read_file(path)
        if name == "wav":
            samples = decoders.decode_wav(content, dtype=dtype)
        elif name == "flac":
            samples = decoders.decode_flac(content, dtype=dtype)
        else:
            samples = decoders.decode_vorbis(content) if name == "vorbis" else decoders.decode_mp3(content)
        channels = _in_float(samples, kind)
        wave = tf.reduce_mean(tf.clip_by_value(channels, -1.0, 1.0), axis=1)
        channel_rms = tf.sqrt(tf.reduce_max(tf.reduce_mean(tf.square(channels), axis=0)))
        level_values = tf.stack(
            [tf.reduce_max(tf.abs(channels)), channel_rms, tf.sqrt(tf.reduce_mean(tf.square(wave)))]
        )
        resampled = tf.cond(padded == new, lambda: wave, lambda: _resampled(wave, padded, new))
        return resampled, tf.shape(wave)[0], level_values

    return decode


def _in_float(samples, kind):
    """Samples of full scale 1; those of integers of 32 bits are rounded to the 24 bits of float32."""
    if kind == ("WAV", "PCM_32"):
        samples = tf.bitcast(samples, tf.int32)
    if samples.dtype not in ONE:
        return samples
    middle = 128.0 if samples.dtype == tf.uint8 else 0.0
    return (tf.cast(samples, tf.float32) - middle) / ONE[samples.dtype]


def _resampled(wave, padded, new):
    """`padded` samples at one rate as `new` ones at another, by their spectrum."""
    wave = tf.pad(wave[:padded], [(0, tf.maximum(padded - tf.shape(wave)[0], 0))])
    spectrum = tf.signal.rfft(wave)[: tf.minimum(padded, new) // 2]  # without the lower Nyquist frequency
    spectrum = tf.pad(spectrum, [(0, new // 2 + 1 - tf.shape(spectrum)[0])])
    return tf.signal.irfft(spectrum, [new]) * (tf.cast(new, tf.float32) / tf.cast(padded, tf.float32))
