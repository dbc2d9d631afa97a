"""Hann windows, with the roundings of librosa and of torch."""

import numpy as np


def hann(samples: int, *, symmetric: bool) -> np.ndarray:
    """Hann window computed in float64 and rounded once, as librosa does.

    Args:
        samples: Length.
        symmetric: Both ends are 0; else the window is periodic.

    Returns:
        (samples,) float32.
    """
    period = samples - 1 if symmetric else samples
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(samples) / period)).astype(np.float32)


def torch_hann(samples: int, *, symmetric: bool) -> np.ndarray:
    """Hann window with the roundings of torch.hann_window in float32.

    Its errors of up to 2e-7 leak from loud bands into weak ones: twice what float32 does otherwise.

    Args:
        samples: Length.
        symmetric: Both ends are 0; else the window is periodic.

    Returns:
        (samples,) float32.
    """
    step = np.float32(2 * np.pi / (samples - 1 if symmetric else samples))
    angle = np.float64(np.arange(samples, dtype=np.float32) * step)
    return np.float32(0.5) - np.float32(0.5) * np.cos(angle).astype(np.float32)
