"""A small made-up set of clips in the format of ESC-50: its table, and clips of five seconds in five folds."""

from pathlib import Path

import numpy as np

from asc_tf.data.synthetic import labelled
from asc_tf.data.synthetic.wav import write_wav

RATE_HZ, SECONDS, FOLDS = 44_100, 5.0, 5
CLASSES = (
    "dog", "rooster", "pig", "cow", "frog", "cat", "hen", "insects", "sheep", "crow",
    "rain", "sea_waves", "crackling_fire", "crickets", "chirping_birds",
    "water_drops", "wind", "pouring_water", "toilet_flush", "thunderstorm",
    "crying_baby", "sneezing", "clapping", "breathing", "coughing",
    "footsteps", "laughing", "brushing_teeth", "snoring", "drinking_sipping",
    "door_wood_knock", "mouse_click", "keyboard_typing", "door_wood_creaks", "can_opening",
    "washing_machine", "vacuum_cleaner", "clock_alarm", "clock_tick", "glass_breaking",
    "helicopter", "chainsaw", "siren", "car_horn", "engine",
    "train", "church_bells", "airplane", "fireworks", "hand_saw",
)  # fmt: skip
ESC10 = (
    "dog", "rooster", "rain", "sea_waves", "crackling_fire",
    "crying_baby", "sneezing", "clock_tick", "helicopter", "chainsaw",
)  # fmt: skip


def write(folder: Path, *, clips_a_fold: int = 1, only_esc10: bool = False, seed: int) -> None:
    """Writes meta/esc50.csv and audio/*.wav (44.1 kHz, 16 bits, mono).

    Args:
        folder: A new or empty folder.
        clips_a_fold: Clips of each class in each of the five folds.
        only_esc10: Whether to write only the ten classes of ESC-10.
        seed: Of all random numbers.

    Raises:
        OSError: The folder cannot be written, or the disk is full.
    """
    (folder / "audio").mkdir(parents=True)
    (folder / "meta").mkdir()
    rows = ["filename,fold,target,category,esc10,src_file,take"]
    for fold in range(1, FOLDS + 1):
        for target, category in enumerate(CLASSES):
            if category in ESC10 or not only_esc10:
                rows += [_write_clip(folder, seed, fold, target, clip) for clip in range(clips_a_fold)]
    (folder / "meta/esc50.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")


def _write_clip(folder, seed, fold, target, clip):
    """Writes a clip, a source recording of its own; returns its row."""
    source = 100_000 + (fold * len(CLASSES) + target) * 1000 + clip
    name, esc10 = f"{fold}-{source}-A-{target}.wav", CLASSES[target] in ESC10
    rng = np.random.default_rng([seed, fold, target, clip])
    samples = labelled.sound([target], rng, seconds=SECONDS, rate_hz=RATE_HZ)
    write_wav(folder / "audio" / name, samples, rate_hz=RATE_HZ, sample_bytes=2)
    return f"{name},{fold},{target},{CLASSES[target]},{esc10},{source},A"
