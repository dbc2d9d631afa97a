"""A made-up sound of 16 bits and divisions of it into chunks, for the tests of streams."""

import numpy as np

RATE_HZ = 8000


def sound(samples):
    """(samples,) int16: noise of a band and a loudness that change, with silences and full scale."""
    rng, number = np.random.default_rng(3), np.arange(samples) // 5000
    tone = np.sin(np.cumsum(0.05 + 0.55 * (number % 5)))
    wave = 10.0 ** (number % 4 - 3) * tone + 10.0 ** (number % 3 - 5) * rng.normal(size=samples)
    wave[number % 7 == 6], wave[-50:] = 0, 2
    return np.clip(np.round(wave * 32768), -32768, 32767).astype(np.int16)


def divided(samples, lengths):
    """Bytes for stream.c: the samples in chunks of these lengths."""
    parts = np.split(samples, np.cumsum(lengths)[:-1])
    assert sum(map(len, parts)) == len(samples)
    return b"".join(np.uint32(len(part)).tobytes() + part.tobytes() for part in parts)


def random_lengths(total, longest, seed):
    rng, lengths = np.random.default_rng(seed), []
    while total:
        lengths.append(min(total, int(rng.integers(0, longest + 1))))
        total -= lengths[-1]
    return lengths


DIVISIONS = {
    "one sample at a time": lambda total: [1] * total,
    "all at once": lambda total: [total],
    "longer than a window": lambda total: random_lengths(total, 3 * RATE_HZ, 1),
    "short ones and none": lambda total: random_lengths(total, 40, 2),
    "of any length": lambda total: random_lengths(total, RATE_HZ, 3),
    "as long as a window": lambda total: [RATE_HZ] * (total // RATE_HZ) + [total % RATE_HZ],
}
