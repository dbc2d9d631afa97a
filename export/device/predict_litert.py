"""Names the scene of audio files, second by second, without TensorFlow.

Run:    python predict_litert.py SOUND.wav [OTHER.wav ...]
Needs:  pip install numpy soundfile ai-edge-litert
Files:  wave_to_scene.tflite and model.json, in the folder of this script.
"""

import hashlib
import json
import math
import sys
from pathlib import Path

import numpy as np
import soundfile
from ai_edge_litert.interpreter import Interpreter

FOLDER = Path(__file__).resolve().parent


def resample(samples: np.ndarray, rate_hz: int, to_hz: int) -> np.ndarray:
    """Samples (n,) at another rate: their spectrum, cut off or extended, after padding to whole periods of both."""
    if rate_hz == to_hz:
        return samples
    step, length = rate_hz // math.gcd(rate_hz, to_hz), round(len(samples) * to_hz / rate_hz)
    padded = np.pad(samples, (0, -(len(samples) + rate_hz // 10) % step + rate_hz // 10))
    spectrum, new = np.fft.rfft(padded), len(padded) // step * (to_hz // math.gcd(rate_hz, to_hz))
    return (np.fft.irfft(spectrum[: new // 2 + 1], new) * (new / len(padded))).astype(np.float32)[:length]


def cut(samples: np.ndarray, length: int) -> np.ndarray:
    """(segments, length): a rest shorter than half a segment is dropped, a longer one padded with zeros."""
    count = max(1, int(len(samples) / length + 0.5))
    return np.pad(samples, (0, max(0, count * length - len(samples))))[: count * length].reshape(count, length)


def probabilities(file: str, rate_hz: int) -> np.ndarray:
    """Probabilities (segments, classes) of an audio file."""
    interpreter = Interpreter(model_path=str(FOLDER / "wave_to_scene.tflite"))
    network = interpreter.get_signature_runner()
    samples, file_rate_hz = soundfile.read(file, dtype="float32", always_2d=True)
    mono = resample(samples.mean(axis=1), file_rate_hz, rate_hz)
    length = int(network.get_input_details()["wave"]["shape"][1])
    logits = np.concatenate([network(wave=segment[np.newaxis])["logits"] for segment in cut(mono, length)])
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def main() -> int:
    """Prints the scene of every file and of every second of it; returns 2 where a file cannot be read, else 0.

    Raises:
        SystemExit: There are no files, or the network is damaged.
    """
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    status = 0
    try:
        model = json.loads((FOLDER / "model.json").read_text(encoding="utf-8"))
        network = (FOLDER / "wave_to_scene.tflite").read_bytes()
    except (OSError, ValueError) as error:
        sys.exit(f"{FOLDER}: model.json or wave_to_scene.tflite cannot be read: {error}")
    if hashlib.sha256(network).hexdigest() != model.get("wave_to_scene_sha256"):  # LiteRT aborts on some damaged files
        sys.exit(f"{FOLDER}/wave_to_scene.tflite: is not the file that model.json describes; copy both anew")
    labels, seconds = model["labels"], model["segment_s"]
    for file in sys.argv[1:]:
        try:
            scores = probabilities(file, model["feature"]["sample_rate_hz"])
        except (OSError, soundfile.SoundFileError) as error:
            print(f"{file}: cannot be read: {error}", file=sys.stderr)
            status = 2
            continue
        print(f"{file}: {labels[scores.mean(axis=0).argmax()]}")
        for number, row in enumerate(scores):
            print(f"{number * seconds:8.1f} s  {labels[row.argmax()]:20s} {100 * row.max():5.1f} %")
    return status


if __name__ == "__main__":
    sys.exit(main())
