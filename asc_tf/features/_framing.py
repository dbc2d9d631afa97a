"""Frames of a wave and their power spectrum.

wave (batch, samples), frames (batch, frames, fft_samples), power (batch, frames, fft_samples // 2 + 1). Frames are
as long as the FFT, the window's zeros included: XLA took 0.95 ms a clip so, 1.65 when it padded before the FFT.
"""

import tensorflow as tf

from asc_tf.errors import UserError
from asc_tf.features._flavours import Flavour
from asc_tf.features._mel_settings import MelSettings


def count(samples: int | None, name: str, flavour: Flavour, settings: MelSettings) -> int:
    """Number of frames of a wave.

    Args:
        samples: Of the wave; None where it is not known.
        name: Of the flavour.
        flavour: The Flavour of that name.
        settings: Of log_mel.

    Returns:
        Frames, at least 1.

    Raises:
        UserError: The wave is too short for a frame, or its length is not known.
    """
    window, differenced = settings["window_samples"], int(flavour.pre_emphasis > 0)  # which takes one sample
    if samples is None:
        raise UserError("features/log_mel: the wave's number of samples must be known: state the input's shape.")
    least = {"NONE": window, "REFLECT": window // 2 + 2 + differenced, "CONSTANT": 1}[flavour.edges]
    if samples < least:
        raise UserError(
            f"features/log_mel: a wave of {samples} sample(s) is too short: window_samples = {window} with "
            f'flavour = "{name}" needs at least {least}.'
        )
    if flavour.edges == "NONE":
        return 1 + (samples - window) // settings["hop_samples"]
    return 1 + (samples - differenced) // settings["hop_samples"]


def frames(wave: tf.Tensor, flavour: Flavour, count: int, settings: MelSettings) -> tf.Tensor:
    """Frames of a wave, pre-emphasised and not windowed yet; the window's samples come first.

    Args:
        wave: (batch, samples) float32.
        flavour: The Flavour of the settings.
        count: Frames to take.
        settings: Of log_mel.

    Returns:
        (batch, count, fft_samples) float32.
    """
    window, hop, fft = settings["window_samples"], settings["hop_samples"], settings["fft_samples"]
    if flavour.edges == "NONE":
        x = overlapping(wave, count, fft, hop)
        if not flavour.pre_emphasis:
            return x
        # The originals subtract the clip's mean before, which changes nothing.
        x -= tf.reduce_mean(x[..., :window], -1, keepdims=True)
        return x - flavour.pre_emphasis * tf.concat([x[..., :1], x[..., :-1]], -1)
    if flavour.pre_emphasis:
        wave = wave[:, 1:] - flavour.pre_emphasis * wave[:, :-1]
    return overlapping(centred(wave, window, fft, mode=flavour.edges), count, fft, hop)


def centred(wave: tf.Tensor, window_samples: int, fft_samples: int, *, mode: str) -> tf.Tensor:
    """Pads a wave so that the window of frame k is centred on sample k * hop.

    The originals pad half an FFT and put the window into its middle; padding half a window changes phases alone.

    Args:
        wave: (batch, samples).
        window_samples: Length of the window.
        fft_samples: Length of the FFT.
        mode: "REFLECT" as torch.stft(center=True), "CONSTANT" (zeros) as librosa.

    Returns:
        (batch, padded samples).
    """
    edge = fft_samples // 2 - (fft_samples - window_samples) // 2
    return tf.pad(wave, [[0, 0], [edge, edge]], mode=mode)


def overlapping(wave: tf.Tensor, count: int, frame_samples: int, hop_samples: int) -> tf.Tensor:
    """Overlapping frames, concatenated from slices of hop_samples; zeros follow the wave.

    Args:
        wave: (batch, samples).
        count: Frames to take.
        frame_samples: Length of a frame.
        hop_samples: Between the starts of frames.

    Returns:
        (batch, count, frame_samples).
    """
    pieces = -(-frame_samples // hop_samples)
    needed = (count - 1 + pieces) * hop_samples
    whole = tf.pad(wave, [[0, 0], [0, max(0, needed - wave.shape[1])]])[:, :needed]
    rows = tf.reshape(whole, (-1, needed // hop_samples, hop_samples))  # (batch, hops, hop_samples)
    return tf.concat([rows[:, piece : piece + count] for piece in range(pieces)], -1)[..., :frame_samples]


def power(frames: tf.Tensor) -> tf.Tensor:
    """Power spectrum |FFT|^2 of windowed frames, (..., samples) to (..., samples // 2 + 1)."""
    spectrum = tf.signal.rfft(frames)
    return tf.math.real(spectrum) ** 2 + tf.math.imag(spectrum) ** 2


def fit_length(level: tf.Tensor, frames: int) -> tf.Tensor:
    """Cuts a spectrogram at its end, or pads it there with 0, as the data loaders of AST and PSLA do.

    Args:
        level: (batch, bands, count).
        frames: Of the result.

    Returns:
        (batch, bands, frames).
    """
    return tf.pad(level, [[0, 0], [0, 0], [0, max(0, frames - level.shape[2])]])[..., :frames]
