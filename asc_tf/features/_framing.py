"""How does a wave become frames and their power spectrum?

wave (batch, samples), frames (batch, frames, fft_samples), power (batch, frames, fft_samples // 2 + 1). Frames are
as long as the FFT, the window's zeros included: XLA took 0.95 ms a clip so, 1.65 when it padded before the FFT.
flavour: one of _flavours.   settings: those of log_mel.
"""

import numpy as np
import tensorflow as tf

from asc_tf.errors import UserError


def hann(samples, *, symmetric):
    """(samples,) Hann window, float64 rounded once, as librosa makes it; symmetric: both ends are 0."""
    period = samples - 1 if symmetric else samples
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(samples) / period)).astype(np.float32)


def torch_hann(samples, *, symmetric):
    """(samples,) Hann window with the roundings of torch.hann_window in float32.

    Its errors of up to 2e-7 leak from loud bands into weak ones: twice what float32 does otherwise.
    """
    step = np.float32(2 * np.pi / (samples - 1 if symmetric else samples))
    angle = np.float64(np.arange(samples, dtype=np.float32) * step)
    return np.float32(0.5) - np.float32(0.5) * np.cos(angle).astype(np.float32)


def count(samples, name, flavour, settings):
    """How many frames a wave has in the flavour of that name; UserError where it is too short for one."""
    window, taken = settings["window_samples"], int(flavour.pre_emphasis > 0)
    if samples is None:
        raise UserError("features/log_mel: the wave's number of samples must be known: state the input's shape.")
    least = {"NONE": window, "REFLECT": window // 2 + 2 + taken, "CONSTANT": 1}[flavour.edges]
    if samples < least:
        raise UserError(
            f"features/log_mel: a wave of {samples} sample(s) is too short: window_samples = {window} with "
            f'flavour = "{name}" needs at least {least}.'
        )
    if flavour.edges == "NONE":
        return 1 + (samples - window) // settings["hop_samples"]
    return 1 + (samples - taken) // settings["hop_samples"]


def frames(wave, flavour, count, settings):
    """`count` frames of a wave, pre-emphasised, not windowed yet; the window's samples come first."""
    window, hop, fft = settings["window_samples"], settings["hop_samples"], settings["fft_samples"]
    if flavour.edges == "NONE":
        own = sliced(wave, count, fft, hop)
        # The originals subtract the clip's mean before, which changes nothing.
        own -= tf.reduce_mean(own[..., :window], -1, keepdims=True)
        return own - flavour.pre_emphasis * tf.concat([own[..., :1], own[..., :-1]], -1)
    if flavour.pre_emphasis:
        wave = wave[:, 1:] - flavour.pre_emphasis * wave[:, :-1]
    return sliced(centred(wave, window, fft, mode=flavour.edges), count, fft, hop)


def centred(wave, window_samples, fft_samples, *, mode):
    """The wave with edges so that frame k of the window is centred on sample k * hop.

    mode: "REFLECT" as torch.stft(center=True), "CONSTANT" (zeros) as librosa. The originals pad half an
    FFT and put the window into its middle; padding half a window instead changes phases alone.
    """
    edge = fft_samples // 2 - (fft_samples - window_samples) // 2
    return tf.pad(wave, [[0, 0], [edge, edge]], mode=mode)


def sliced(wave, count, frame_samples, hop_samples):
    """`count` overlapping frames, put together from slices of hop_samples; zeros follow the wave."""
    pieces = -(-frame_samples // hop_samples)
    needed = (count - 1 + pieces) * hop_samples
    whole = tf.pad(wave, [[0, 0], [0, max(0, needed - wave.shape[1])]])[:, :needed]
    rows = tf.reshape(whole, (-1, needed // hop_samples, hop_samples))
    return tf.concat([rows[:, piece : piece + count] for piece in range(pieces)], -1)[..., :frame_samples]


def power(frames):
    """|FFT|^2 of frames that are windowed already."""
    spectrum = tf.signal.rfft(frames)
    return tf.math.real(spectrum) ** 2 + tf.math.imag(spectrum) ** 2


def ended(level, frames):
    """(batch, bands, count) cut at its end, or padded there with 0, to `frames`: as AST's and PSLA's loaders do."""
    return tf.pad(level, [[0, 0], [0, 0], [0, max(0, frames - level.shape[2])]])[..., :frames]
