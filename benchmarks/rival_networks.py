"""Public networks that are run as their authors published them, with the authors' front ends, for other benchmarks.

Each was established from its authors' code; what was not found there is said where it is assumed.

- The DCASE 2022 Task 1 baseline: github.com/marmoi/dcase2022_task1_baseline (task1_features.yaml, create_h5.py,
  utils.py, task1.py) and github.com/DCASE-REPO/dcase_util (features.py, containers.py).
- SB-CNN for TAU 2019: github.com/MTG/DCASE-models (model.json and parameters.json beside the weights, features.py,
  scaler.py, datasets.py of that time).
- ACDNet: github.com/mohaimenz/acdnet (common/prepare_dataset.py, common/val_generator.py, common/utils.py).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

SCENES = (
    "airport", "bus", "metro", "metro_station", "park", "public_square", "shopping_mall", "street_pedestrian",
    "street_traffic", "tram",
)  # fmt: skip


class Dcase2022Baseline:
    """The int8 file of the DCASE 2022 Task 1 baseline, behind its front end.

    Args:
        file: The TFLite file.
        edges: As of `baseline_input`.
    """

    RATE_HZ = 44_100

    def __init__(self, file: Path, edges: str = "reflect"):
        from asc_tf.tflite.file import TFLiteModel

        self.model, self.edges = TFLiteModel(file), edges

    def predict(self, samples: np.ndarray, rate_hz: int) -> np.ndarray:
        """Probabilities (seconds, classes), the classes as in SCENES, which is their order in the file.

        Args:
            samples: (n, channels), full scale 1.
            rate_hz: Their rate.
        """
        from asc_tf.data import audio

        mono = audio.resample(samples.mean(axis=1).astype(np.float32), rate_hz, self.RATE_HZ)
        return self.model(baseline_input(audio.cut(mono, self.RATE_HZ, 1.0), self.edges))


def baseline_input(waves: np.ndarray, edges: str = "reflect") -> np.ndarray:
    """What the DCASE 2022 baseline takes: ln of 40 mel bands of magnitudes, divided by the second's largest value.

    The front end equals librosa 0.11 with reflection at the edges, to the bit. The authors name no version of librosa;
    one from 0.9 on would have zeros at the edges. The file's input range, -1 to 0.128, fits the division.

    Args:
        waves: (seconds, 44100), full scale 1.
        edges: Half a frame around a second: "reflect" or "constant", zeros.

    Returns:
        (seconds, 40, 51, 1) float32.
    """
    from asc_tf.features import _mel

    window = np.zeros(2048)
    window[142:-142] = 0.54 - 0.46 * np.cos(2 * np.pi * np.arange(1764) / 1764)
    tiny = np.spacing(1)
    centred = np.pad(waves.astype(float) + tiny, ((0, 0), (1024, 1024)), mode=edges)
    magnitudes = np.abs(np.fft.rfft(frames(centred, 2048, 882) * window))
    mel = np.log(magnitudes @ _mel.slaney_bank(40, 2048, 44_100, 0.0, 22_050.0).astype(float) + tiny)
    mel = mel / np.maximum(1.0, np.abs(mel).max(axis=(1, 2), keepdims=True))
    as_stored = np.trunc(mel * 32767) / 32767  # the authors keep features in 16 bits
    return np.swapaxes(as_stored, 1, 2)[..., np.newaxis].astype(np.float32)


class SbCnn:
    """SB-CNN for TAU 2019, a Keras file of weights, behind its front end.

    Args:
        file: The weights.
        range_db: The spectrogram's least and largest value in its training, which become -1 and 1. The authors' file
            of these two numbers is not at hand: see `nearest_range`.
    """

    RATE_HZ = 22_050
    CLASSES = (
        "airport", "shopping_mall", "metro_station", "street_pedestrian", "public_square", "street_traffic", "tram",
        "bus", "metro", "park",
    )  # fmt: skip

    def __init__(self, file: Path, range_db: tuple[float, float] = (-100.0, 20.0)):
        self.network, self.range_db = _sb_cnn(file), range_db

    def predict(self, samples: np.ndarray, rate_hz: int) -> np.ndarray:
        """Probabilities (seconds, classes), the classes as in SCENES; each second is judged with the one after it.

        Args:
            samples: (n, channels), full scale 1; the first channel is taken, as the authors do.
            rate_hz: Their rate.
        """
        low, high = self.range_db
        scaled = 2 * (self.spectrograms(samples, rate_hz) - low) / (high - low) - 1
        outputs = self.network.predict(scaled[..., np.newaxis], verbose=0)
        return outputs[:, [self.CLASSES.index(scene) for scene in SCENES]]

    def spectrograms(self, samples: np.ndarray, rate_hz: int) -> np.ndarray:
        """Windows of two seconds, one for each second of a recording: (seconds, 64 frames, 64 bands) in dB.

        Mel bands of HTK's scale and equal area, not centred, at most 80 dB below the recording's maximum; the end of
        the recording is mirrored. It equals librosa 0.11 to 1e-6 dB, the resampling aside.

        Args:
            samples: (n, channels), full scale 1; the first channel is taken.
            rate_hz: Their rate.
        """
        from asc_tf.data import audio

        wave = audio.resample(samples[:, 0].astype(np.float32), rate_hz, self.RATE_HZ).astype(float)
        window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(1024) / 1024)
        power = np.abs(np.fft.rfft(frames(wave[np.newaxis], 1024, 690)[0] * window)) ** 2
        level_db = 10 * np.log10(np.maximum(power @ htk_bank_of_equal_area(64, 1024, self.RATE_HZ), 1e-10))
        level_db = np.maximum(level_db, level_db.max() - 80)
        level_db = np.pad(level_db, ((0, 64), (0, 0)), mode="reflect")
        return frames(level_db.T, 64, 32).transpose(1, 2, 0)

    def distance(self, spectrograms: np.ndarray, range_db: tuple[float, float]) -> float:
        """How far a range of the spectrograms is from that of the training, by the statistics in the first batch norm.

        Args:
            spectrograms: (windows, frames, bands) in dB.
            range_db: The values that become -1 and 1.

        Returns:
            Kullback-Leibler divergence of normal distributions with the stored mean and variance of a channel and with
            those of these spectrograms, mean over the channels.
        """
        import keras

        low, high = range_db
        norm = self.network.get_layer("batchnorm1")
        before = keras.Model(self.network.inputs, norm.input)
        scaled = 2 * (spectrograms - low) / (high - low) - 1
        values = before.predict(scaled[..., np.newaxis], verbose=0)
        mean, variance = values.mean(axis=(0, 1, 2)), values.var(axis=(0, 1, 2)) + norm.epsilon
        stored_mean = np.asarray(norm.moving_mean)
        stored_variance = np.asarray(norm.moving_variance) + norm.epsilon
        ratio = variance / stored_variance
        return float(np.mean(ratio + (mean - stored_mean) ** 2 / stored_variance - 1 - np.log(ratio)) / 2)


def _sb_cnn(file):
    """The Keras network with the weights of the file, whose layers have the names of the authors' network."""
    import h5py
    import keras
    from keras import layers

    x = image = keras.Input((64, 64, 1))
    x = layers.Conv2D(24, 5, activation="relu", name="conv1")(x)
    x = layers.BatchNormalization(name="batchnorm1")(layers.MaxPooling2D((2, 2))(x))
    x = layers.Conv2D(48, 5, activation="relu", name="conv2")(x)
    x = layers.BatchNormalization(name="batchnorm2")(layers.MaxPooling2D((4, 2))(x))
    x = layers.Conv2D(48, 5, activation="relu", name="conv3")(x)
    x = layers.Flatten()(layers.BatchNormalization(name="batchnorm3")(x))
    x = layers.Dense(64, activation="relu", name="dense1")(x)
    network = keras.Model(image, layers.Dense(10, activation="softmax", name="out")(x))
    with h5py.File(file) as stored:
        for layer in network.layers:
            values = [np.asarray(stored[f"{layer.name}/{layer.name}/{weight.name}:0"]) for weight in layer.weights]
            layer.set_weights(values)
    return network


def htk_bank_of_equal_area(bands: int, fft_samples: int, rate_hz: int) -> np.ndarray:
    """Triangles from 0 to half of the rate on HTK's mel scale, each of area 1: librosa's with htk = True.

    Args:
        bands: Number of triangles.
        fft_samples: Length of the FFT.
        rate_hz: Of the wave.

    Returns:
        (fft_samples // 2 + 1, bands).
    """
    highest_mel = 2595 * np.log10(1 + rate_hz / 2 / 700)
    corners_hz = 700 * (10 ** (np.linspace(0, highest_mel, bands + 2) / 2595) - 1)
    bins_hz = np.fft.rfftfreq(fft_samples, 1 / rate_hz)[:, np.newaxis]
    rising = (bins_hz - corners_hz[:-2]) / np.diff(corners_hz)[:-1]
    falling = (corners_hz[2:] - bins_hz) / np.diff(corners_hz)[1:]
    return np.maximum(0, np.minimum(rising, falling)) * 2 / (corners_hz[2:] - corners_hz[:-2])


def frames(waves: np.ndarray, length: int, hop: int) -> np.ndarray:
    """Frames that lie inside the waves.

    Args:
        waves: (batch, samples).
        length: Samples of a frame.
        hop: Samples between the starts of frames.

    Returns:
        (batch, frames, length).
    """
    return np.lib.stride_tricks.sliding_window_view(waves, length, axis=1)[:, ::hop]


# ESC-50's numbers of the ten classes of ESC-10, by the names of its table.
ESC10 = {
    "dog_bark": 0, "rooster": 1, "rain": 10, "sea_waves": 11, "fire_crackling": 12, "baby_cry": 20,
    "person_sneeze": 21, "clock_tick": 38, "helicopter": 40, "chainsaw": 41,
}  # fmt: skip
ACDNET_RATE_HZ, ACDNET_SAMPLES, ACDNET_CROPS = 20_000, 30_225, 10


def acdnet_wave(samples: np.ndarray, rate_hz: int) -> np.ndarray:
    """A clip as ACDNet's authors keep it: at 20 kHz, in steps of 16 bits, the zeros at both ends cut off.

    Args:
        samples: (n,), full scale 1.
        rate_hz: Their rate.

    Returns:
        (m,), full scale 1.
    """
    from asc_tf.data import audio

    wave = audio.to_int16(audio.resample(samples.astype(np.float32), rate_hz, ACDNET_RATE_HZ))
    (sound,) = wave.nonzero()
    return wave[sound[0] : sound[-1] + 1] / 32768 if len(sound) else wave / 32768


def acdnet_crops(wave: np.ndarray, length: int = ACDNET_SAMPLES, count: int = ACDNET_CROPS) -> np.ndarray:
    """Crops that are evenly spaced over a wave with half a crop of zeros at each end.

    Args:
        wave: (n,) of `acdnet_wave`.
        length: Samples of a crop.
        count: Number of crops.

    Returns:
        (count, length).
    """
    padded = np.pad(wave, length // 2)
    stride = (len(padded) - length) // (count - 1)
    return np.stack([padded[stride * number : stride * number + length] for number in range(count)])


def centred_seconds(wave: np.ndarray, rate_hz: int, length: int) -> np.ndarray:
    """Every second of a wave in the middle of a longer window, with the sound around it; zeros beyond the ends.

    The seconds are those of asc_tf.data.audio.cut: a rest of half a second or more is one of them.

    Args:
        wave: (n,).
        rate_hz: Its rate.
        length: Samples of a window, at least a second.

    Returns:
        (seconds, length).
    """
    from asc_tf.data import audio

    seconds = audio.segment_count(len(wave), rate_hz)
    whole = np.pad(wave, (0, max(0, seconds * rate_hz - len(wave))))
    before = (length - rate_hz) // 2
    padded = np.pad(whole, (before, length - rate_hz - before))[: (seconds - 1) * rate_hz + length]
    return frames(padded[np.newaxis], length, rate_hz)[0]


def among(probabilities: np.ndarray, numbers: Sequence[int]) -> np.ndarray:
    """Outputs of some classes alone.

    Args:
        probabilities: (batch, classes).
        numbers: Of the classes, in the order wanted.
    """
    return probabilities[:, list(numbers)]


def absent(folder: Path, files: Sequence[str]) -> list[str]:
    """Those files that a folder lacks.

    Args:
        folder: The folder.
        files: Paths below it.
    """
    return [file for file in files if not (folder / file).is_file()]


def tflite_cost(content: bytes) -> dict[str, Any]:
    """Cost of a TFLite file as it computes: {"parameters", "macs", "bytes"}.

    Args:
        content: Bytes of the file.
    """
    from asc_tf.cost import rows, tflite_rule

    parameters, macs = rows.total(tflite_rule.rows(content))
    return {"parameters": parameters, "macs": macs, "bytes": len(content)}
