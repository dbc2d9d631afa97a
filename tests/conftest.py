"""Fixtures of all tests: goldens and real audio, which may be absent, and a tiny recipe; the order of the tests."""

import os
import signal
from pathlib import Path

# Two test processes share two processors: more threads would only wait for each other.  TensorFlow reads this once.
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")

import numpy as np
import pytest
import soundfile

import asc_tf  # noqa: F401  before TensorFlow, as in the programs: it chooses TensorFlow's kernels

ROOT = Path(__file__).parent.parent

# A shell starts background jobs so that they ignore SIGINT, and what they start inherits that; some tests send it.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def shared():
    """The folder with goldens and real audio; tests that need it skip, saying so, where it is absent."""
    folder = ROOT / os.environ.get("ASC_TF_SHARED", "../shared")
    if not folder.is_dir():
        pytest.skip(f"goldens and real audio are absent: {folder} (set ASC_TF_SHARED)")
    return folder.resolve()


TINY = """
seed = 1
[dataset]
name = "folder"
root = "{root}"
test_share = 0.3
[data]
prepared_folder = "{root}/../prepared"
validation_share = 0.2
[feature]
name = "log_mel"
flavour = "htk"
sample_rate_hz = 8000
window_samples = 512
hop_samples = 250
fft_samples = 512
bands = 64
min_hz = 0.0
max_hz = 4000.0
[[augmentation]]
name = "time_roll"
max_shift_s = 0.1
[[augmentation]]
name = "freq_mixstyle"
p = 0.2
alpha = 0.3
[model]
name = "cp_mobile"
width = 8
growth = 1.5
expansion = 2.0
blocks = [1, 2]
strides = [[1, 2], [2, 1], [1, 1]]
grn = false
{teacher}
[train]
epochs = 16
batch_size = 16
learning_rate = 1e-2
warmup_steps = 3
weight_decay = 1e-3
"""
TAUGHT = """
[normalise]
by = "bands"
[[teacher]]
recipe = "tiny_teacher"
[distill]
temperature = 2.0
label_weight = 0.5
[quantise]
epochs = 2
frozen_epochs = 1
learning_rate = 1e-4
distil_from = "float"
calibration_clips = 32
"""


@pytest.fixture(scope="session")
def recordings(tmp_path_factory):
    """A folder of three classes that sound different: low, middle and high bands of noise; 20 files each."""
    root = tmp_path_factory.mktemp("recordings") / "sounds"
    for number, (label, low) in enumerate((("low", 100), ("middle", 800), ("high", 2500))):
        (root / label).mkdir(parents=True)
        for take in range(20):
            rng = np.random.default_rng([number, take])
            spectrum = np.fft.rfft(rng.standard_normal(16000))
            hz = np.fft.rfftfreq(16000, 1 / 8000)
            wave = np.fft.irfft(spectrum * ((hz > low) & (hz < 2 * low))) * 10 ** rng.uniform(-1, 0)
            noisy = wave + 0.01 * rng.standard_normal(16000)
            soundfile.write(root / label / f"{label}{take}.wav", 0.2 * noisy / np.abs(noisy).max(), 8000)
    return root


@pytest.fixture(scope="session")
def tiny_in(recordings):
    """Writes, into a folder, a recipe of the whole way that trains in seconds, beside its teacher's."""

    def write(folder):
        (folder / "tiny_teacher.toml").write_text(TINY.format(root=recordings, teacher=""))
        (folder / "tiny.toml").write_text(TINY.format(root=recordings, teacher=TAUGHT))
        return folder / "tiny.toml"

    return write


@pytest.fixture
def tiny(tiny_in, tmp_path):
    """That recipe in the test's own folder."""
    return tiny_in(tmp_path)


def pytest_collection_modifyitems(items):
    """Files with slow tests first: what takes longest must not begin last in one of two processes."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    order = {"test_train.py": 0, "test_distribution.py": 1}
    items.sort(key=lambda item: order.get(item.path.name, len(order) + (item.path not in slow)))
