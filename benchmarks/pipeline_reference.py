"""Training pipelines of the reference codes, as rivals of ours in pipeline.py.

Source: cpjku_dcase23 and the DCASE 2024 Task 1 baseline: a WAV file is read for each clip, convolved with a
        device impulse response (scipy.signal.convolve, full, cut) and rolled; the batch then becomes log-mels,
        is masked and mixed. To the rivals' advantage the files are at 32 kHz already: nothing is resampled.
Output: functions without arguments that compute one batch a call and return its number of clips.
"""

import functools
from collections.abc import Callable, Sequence
from multiprocessing.pool import Pool
from pathlib import Path

import numpy as np
import scipy.signal
import soundfile

RATE_HZ, BATCH = 32000, 256
P_DEVICE, P_MIXSTYLE, ALPHA, MAX_SHIFT, MAX_BANDS = 0.6, 0.4, 0.3, 3200, 48
FLOOR = np.log(1e-5)


def wave(file: Path, responses: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(32000,) float32 of a file, augmented."""
    samples, _ = soundfile.read(file, dtype="float32")
    if rng.random() < P_DEVICE:
        samples = scipy.signal.convolve(samples, responses[rng.integers(len(responses))], "full")[: len(samples)]
    return np.roll(samples, rng.integers(-MAX_SHIFT, MAX_SHIFT + 1)).astype(np.float32)


class Files:
    """Dataset for torch: a file a clip.

    Args:
        files: WAV files.
        responses: (count, taps) impulse responses.
    """

    def __init__(self, files: Sequence[Path], responses: np.ndarray):
        self.files, self.responses = files, responses

    def __len__(self):
        return len(self.files)

    def __getitem__(self, index):
        return wave(self.files[index], self.responses, np.random.default_rng())


def torch_pipelines(files: Sequence[Path], responses: np.ndarray) -> dict[str, Callable[[], int]]:
    """{name: function} of torch's DataLoader without and with two processes, the spectrograms in this one."""
    import torch

    torch.set_num_threads(2)
    dataset = Files(files * 100, responses)  # long epochs: loading processes start once

    def pipeline(workers):
        loader = torch.utils.data.DataLoader(
            dataset, BATCH, shuffle=True, drop_last=True, num_workers=workers, multiprocessing_context=_spawn(workers)
        )
        batches = iter(loader)

        def run():
            return len(_torch_spectrograms(next(batches)))

        return run

    return {f"torch, {workers} loading processes": pipeline(workers) for workers in (0, 2)}


def librosa_pipeline(files: Sequence[Path], responses: np.ndarray, pool: Pool) -> dict[str, Callable[[], int]]:
    """{name: function}: soundfile, scipy and librosa for each clip in two processes, the rest on the batch."""
    rng = np.random.default_rng(0)

    def run():
        chosen = [files[index] for index in rng.integers(len(files), size=BATCH)]
        mel = np.stack(pool.map(functools.partial(_librosa_mel, responses=responses), chosen, 16))
        for spectrogram, width, start in zip(mel, rng.integers(0, MAX_BANDS, BATCH), rng.random(BATCH), strict=True):
            first = int(start * (mel.shape[1] - width))
            spectrogram[first : first + width] = FLOOR
        return len(_mixed(mel, rng))

    return {"soundfile + librosa, two processes": run}


def _spawn(workers):
    return "spawn" if workers else None


def _librosa_mel(file, responses):
    import librosa

    samples = wave(file, responses, np.random.default_rng())
    power = librosa.feature.melspectrogram(
        y=samples, sr=RATE_HZ, n_fft=4096, win_length=3072, hop_length=500, n_mels=256, htk=True, norm=None
    )
    return np.log(power + 1e-5)


def _mixed(mel, rng):
    if rng.random() >= P_MIXSTYLE:
        return mel
    mean, std = mel.mean(2, keepdims=True), np.sqrt(mel.var(2, ddof=1, keepdims=True) + 1e-6)
    share, pairs = rng.beta(ALPHA, ALPHA, (len(mel), 1, 1)).astype("f"), rng.permutation(len(mel))
    style = share * std + (1 - share) * std[pairs]
    return (mel - mean) / std * style + share * mean + (1 - share) * mean[pairs]


@functools.cache
def _torch_constants():
    import torch

    from asc_tf.features import _mel

    bank = torch.from_numpy(_mel.htk_bank(256, 4096, RATE_HZ, 0.0, 16000.0))  # torchaudio's
    return torch.hann_window(3072), bank, torch.distributions.Beta(ALPHA, ALPHA)


def _torch_spectrograms(waves):
    """(batch, 256, 65) of (batch, 32000): log-mel, masked a clip, mixed with probability P_MIXSTYLE."""
    import torch

    window, bank, share_of = _torch_constants()
    spectrum = torch.stft(waves, 4096, 500, 3072, window, center=True, pad_mode="reflect", return_complex=True)
    mel = torch.log(torch.matmul(spectrum.abs().pow(2).transpose(1, 2), bank).transpose(1, 2) + 1e-5)
    width = torch.rand(len(mel), 1, 1) * MAX_BANDS
    start, band = torch.rand(len(mel), 1, 1) * (256 - width), torch.arange(256)[None, :, None]
    mel = mel.masked_fill((band >= start.floor()) & (band < start.floor() + width.floor()), FLOOR)
    if torch.rand(()) >= P_MIXSTYLE:
        return mel
    mean, std = mel.mean(2, keepdim=True), torch.sqrt(mel.var(2, keepdim=True) + 1e-6)
    share, pairs = share_of.sample((len(mel), 1, 1)), torch.randperm(len(mel))
    style = share * std + (1 - share) * std[pairs]
    return (mel - mean) / std * style + share * mean + (1 - share) * mean[pairs]
