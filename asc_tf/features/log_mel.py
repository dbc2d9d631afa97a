"""Logarithm of a mel spectrogram, as six originals of the field compute it.

Source, by `flavour` (the numbers are what the source uses, and settings here):
    htk     torchaudio MelSpectrogram + ln(x + 1e-5): the DCASE 2024 Task 1 baseline.
            32 kHz, window 3072, hop 500, FFT 4096, 256 bands, 0-16000 Hz: 256 x 65 a second.
    slaney  librosa.feature.melspectrogram and power_to_db (`reference`, `top_db`).
    kaldi   AugmentMelSTFT of CP-JKU 2023, PaSST, EfficientAT, before their (x + 4.5) / 5, which is
            [normalise] mean = -4.5, std = 5.0 in a recipe. Pre-emphasis takes one sample: 256 x 64.
    ast     torchaudio kaldi.fbank as AST and PSLA call it, before their normalisation. Frames are not
            centred: 16 kHz, window 400, hop 160, FFT 512, 128 bands, 20-8000 Hz: 128 x 98.
    htsat   torchlibrosa as HTS-AT calls it: 32 kHz, window 1024, hop 320, 64 bands, 50-14000 Hz: 64 x 101.
    yamnet  tf.signal as YAMNet calls it, on magnitudes: ln(x + 1e-3). Frames are not centred: 16 kHz, window 400,
            hop 160, FFT 512, 64 bands, 125-7500 Hz: 64 x 98, of which YAMNet takes 96.
Input:   wave (batch, samples), full scale 1.
Output:  (batch, bands, frames, channels), natural logarithm; dB with slaney and htsat. A clip with NaN gives NaN.
"""

from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf

from asc_tf.features import _clip_by_clip, _delta, _framing, _levels, _mel, _mel_settings
from asc_tf.features._flavours import FLAVOURS
from asc_tf.features._mel_settings import MelSettings


def build(
    *,
    flavour: Literal["htk", "slaney", "kaldi", "ast", "htsat", "yamnet"],
    sample_rate_hz: int,
    window_samples: int,
    hop_samples: int,
    fft_samples: int,
    bands: int,
    min_hz: float,
    max_hz: float,
    min_hz_range: int = 1,
    max_hz_range: int = 1,
    reference: Literal["one", "maximum"] = "one",
    top_db: float = 0.0,
    frames: int = 0,
    deltas: _delta.Deltas = "none",
) -> "LogMel":
    """The front end as a Keras layer.

    Args:
        flavour: The original that is reproduced: "htk", "slaney", "kaldi", "ast", "htsat" or "yamnet".
        sample_rate_hz: Of the wave; librosa's sr.
        window_samples: Length of the window; librosa's win_length.
        hop_samples: Between frames; librosa's hop_length.
        fft_samples: Length of the FFT, even; librosa's n_fft.
        bands: Number of mel bands; librosa's n_mels.
        min_hz: Lower end of the lowest band; librosa's fmin.
        max_hz: Upper end of the highest band; librosa's fmax.
        min_hz_range: Kaldi, ast and yamnet draw the lower end from min_hz + {0 ... min_hz_range - 1} for every training
            batch.
        max_hz_range: And the upper end from max_hz + max_hz_range // 2 - {0 ... max_hz_range - 1}.
        reference: Slaney and htsat: 0 dB is an energy of 1 ("one") or the clip's maximum ("maximum"); librosa's ref.
        top_db: Slaney and htsat: range below the clip's maximum, as in librosa; 0 for no such limit.
        frames: 0 leaves them as they are; ast and yamnet cut at the end, or pad with the value 0, to this many; for the
            others see _delta.
        deltas: "none", "interpolated", "valid" or "three_point", see _delta.

    Returns:
        wave (batch, samples) to (batch, bands, frames, 1 or 3) float32.

    Raises:
        UserError: Settings that do not fit together.
    """
    settings = MelSettings(
        flavour=flavour,
        sample_rate_hz=sample_rate_hz,
        window_samples=window_samples,
        hop_samples=hop_samples,
        fft_samples=fft_samples,
        bands=bands,
        min_hz=min_hz,
        max_hz=max_hz,
        min_hz_range=min_hz_range,
        max_hz_range=max_hz_range,
        reference=reference,
        top_db=top_db,
        frames=frames,
        deltas=deltas,
    )
    return LogMel(settings, name="log_mel")


@keras.saving.register_keras_serializable("asc_tf")
class LogMel(keras.layers.Layer):
    """wave (batch, samples) to log-mel (batch, bands, frames, channels).

    Args:
        settings: The arguments of `build`.
        name: Of the layer.
        trainable: Without effect; for Keras.
        dtype: Of the outputs.

    Raises:
        UserError: Settings that do not fit together.
    """

    def __init__(
        self, settings: MelSettings, *, name: str | None = None, trainable: bool = False, dtype: Any = "float32"
    ):
        super().__init__(name=name, trainable=trainable, dtype=dtype)
        _mel_settings.check(settings)
        self.settings, self.flavour = settings, FLAVOURS[settings["flavour"]]
        window = self.flavour.window(settings["window_samples"])
        self.window = np.pad(window, (0, settings["fft_samples"] - len(window)))
        bank, *drawn = (self._bank(*limits) for limits in _mel_settings.limits_hz(settings))
        self.groups = _mel.grouped(bank, sum(drawn, bank) > 0)
        self.clip_by_clip = _clip_by_clip.compiled(self._clips)

    def call(self, wave: tf.Tensor) -> tf.Tensor:
        """(batch, samples) to (batch, bands, frames, channels)."""
        return self._run(wave, [weights for _, weights in self.groups])

    def plain(self, wave: tf.Tensor) -> tf.Tensor:
        """The same without loop and compiler, in operations that can be converted to TFLite."""
        return self._clips(wave, *[weights for _, weights in self.groups])

    def varied(self, wave: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """The same with a random filter bank, one for all clips: for training.

        Args:
            wave: (batch, samples) float32.
            seed: (2,) int32.

        Returns:
            (batch, bands, frames, channels) float32.
        """
        rates = self.settings["fft_samples"], self.settings["sample_rate_hz"]
        return self._run(wave, _mel.kaldi_weights(self.groups, *rates, *self.drawn_hz(seed)))

    def drawn_hz(self, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """(min_hz, max_hz) of the filter bank of a (2,) int32 seed."""
        settings, seeds = self.settings, tf.unstack(tf.random.experimental.stateless_split(seed, 2))
        up, down = (
            tf.cast(tf.random.stateless_uniform([], draw, 0, settings[key], tf.int32), tf.float32)
            for draw, key in zip(seeds, ("min_hz_range", "max_hz_range"), strict=True)
        )
        return settings["min_hz"] + up, settings["max_hz"] + settings["max_hz_range"] // 2 - down

    @property
    def varies(self) -> bool:
        """Whether training draws filter banks."""
        return self.settings["min_hz_range"] > 1 or self.settings["max_hz_range"] > 1

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """Shape of the outputs.

        Args:
            input_shape: (batch, samples).

        Returns:
            (batch, bands, frames, channels).

        Raises:
            UserError: The wave is too short for a frame or the deltas.
        """
        frames, deltas = self.settings["frames"], self.settings["deltas"]
        count = _delta.output_frames(self._count(input_shape[1]), deltas=deltas, frames=frames)
        return (input_shape[0], self.settings["bands"], count, _delta.channels(deltas))

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return super().get_config() | {"settings": dict(self.settings)}

    @property
    def silence(self) -> float:
        """The value of a cell without energy."""
        return float(self.flavour.level(0.0, self.flavour.floor))

    def _run(self, wave, weights):
        return self.clip_by_clip(wave, self.compute_output_shape(wave.shape)[1:], *weights)

    def _clips(self, wave, *weights):
        settings, flavour = self.settings, self.flavour
        frames = _framing.frames(wave, flavour, self._count(wave.shape[1]), settings)
        spectrum = _framing.power(frames * self.window)  # (batch, frames, bins)
        if flavour.magnitude:
            spectrum = tf.sqrt(spectrum)
        groups = [(low, drawn) for (low, _), drawn in zip(self.groups, weights, strict=True)]
        level = flavour.level(_mel.apply_bank(spectrum, groups), flavour.floor)  # (batch, bands, frames)
        if flavour.level is _levels.decibels:
            level = _levels.against_maximum(level, reference=settings["reference"], top_db=settings["top_db"])
        if flavour.edges == "NONE" and settings["frames"]:
            level = _framing.fit_length(level, settings["frames"])
        return _delta.with_deltas(level, deltas=settings["deltas"], frames=settings["frames"])

    def _count(self, samples):
        return _framing.count(samples, self.settings["flavour"], self.flavour, self.settings)

    def _bank(self, min_hz, max_hz):
        settings = self.settings
        return self.flavour.bank(settings["bands"], settings["fft_samples"], settings["sample_rate_hz"], min_hz, max_hz)
