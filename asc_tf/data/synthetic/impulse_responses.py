"""Files of made-up impulse responses of microphones."""

from pathlib import Path

from asc_tf.data.synthetic.wav import write_wav
from asc_tf.microphones import made_up


def write(folder: Path, *, count: int = 12, seed: int) -> None:
    """Writes microphone_01.wav and so on (44.1 kHz, 24 bits, mono, an eighth of a second).

    Args:
        folder: A new or empty folder.
        count: Number of microphones.
        seed: Of all random numbers.

    Raises:
        OSError: The folder cannot be written, or the disk is full.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for number, samples in enumerate(made_up.responses(count, seed), 1):
        write_wav(folder / f"microphone_{number:02}.wav", samples, rate_hz=made_up.RATE_HZ, sample_bytes=3)
