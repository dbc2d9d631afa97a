"""Files are scored in batches that they share, each as if it were alone; with a scorer whose scores are known."""

import numpy as np
import pytest
import soundfile

from asc_tf.data import audio, sound_files
from asc_tf.errors import UserError
from asc_tf.inference import sounds
from asc_tf.inference.scorer import Scorer, Scores


def scorer(rates_hz=(8000,), segment_s=1.0):
    """Probabilities are mean and peak of a window at the first rate; embeddings its first samples at all rates."""
    batches = []

    def score(waves):
        batches.append(len(waves[0]))
        probabilities = np.stack([waves[0].mean(1), waves[0].max(1)], 1).astype(np.float64)
        return Scores(probabilities, np.concatenate([wave[:, :3] for wave in waves], 1))

    one = Scorer(score, ("mean", "peak"), rates_hz, segment_s)
    return one, batches


@pytest.fixture
def folder(tmp_path):
    """Files of many lengths and rates, and two that cannot be read: one at once, one at its end."""
    rng = np.random.default_rng(0)
    for number, seconds in enumerate([0.2, 1.0, 40.3, 3.5, 16.0]):
        rate_hz = (8000, 44_100)[number % 2]
        soundfile.write(tmp_path / f"{number}.wav", rng.uniform(-0.1, 0.1, (round(seconds * rate_hz), 2)), rate_hz)
    (tmp_path / "3a.wav").write_bytes(b"nothing")
    half = rng.uniform(-0.1, 0.1, 20 * 8000)
    soundfile.write(tmp_path / "4a.wav", np.stack([half, -half], 1), 8000, subtype="FLOAT")
    return tmp_path


@pytest.mark.parametrize("hop_s", [None, 0.25, 2.5])
def test_files_together_are_scored_as_each_alone(folder, hop_s):
    one, batches = scorer()
    predictions = list(sounds.by_file(sounds.score_files(one, sound_files.find([folder]), hop_s=hop_s)))
    assert [prediction.file for prediction in predictions] == [
        str(folder / name) for name in ("0.wav", "1.wav", "2.wav", "3.wav", "3a.wav", "4.wav", "4a.wav")
    ]
    assert set(batches[:-1]) == {one.batch_size} and batches[-1] <= one.batch_size
    for prediction in predictions:
        if prediction.error:
            with pytest.raises(UserError) as error:
                sounds.score_sound(one, prediction.file, hop_s=hop_s)
            assert str(error.value) == str(prediction.error)
            continue
        samples = audio.resample(*audio.read(prediction.file), 8000)
        alone = sounds.score_sound(one, samples, 8000, hop_s=hop_s)
        np.testing.assert_array_equal(prediction.probabilities, alone.probabilities)
        np.testing.assert_array_equal(prediction.embeddings, alone.embeddings)
        np.testing.assert_allclose(prediction.start_s, np.arange(len(alone.probabilities)) * (hop_s or 1.0))
    errors = {prediction.file[-6:]: str(prediction.error) for prediction in predictions if prediction.error}
    assert errors.keys() == {"3a.wav", "4a.wav"} and "cancel each other" in errors["4a.wav"]


def test_a_long_file_comes_in_parts(folder):
    one, _ = scorer()
    parts = list(sounds.score_files(one, sound_files.find([folder / "2.wav"])))
    assert [len(part.start_s) for part in parts] == [16, 16, 8] and [part.ended for part in parts] == [
        False,
        False,
        True,
    ]
    assert parts[2].start_s.tolist() == list(range(32, 40))


def test_a_file_is_opened_when_its_turn_comes(folder):
    one, _ = scorer()
    parts = sounds.score_files(one, sound_files.find([folder / "2.wav", folder / "late.wav"]))
    first = next(parts)
    soundfile.write(folder / "late.wav", np.ones(8000) / 2, 8000)
    *_, late = sounds.by_file([first, *parts])
    assert late.error is None and late.probabilities.tolist() == [[0.5, 0.5]]


def test_each_of_several_rates_has_its_own_samples(folder):
    one, _ = scorer((8000, 16_000))
    (prediction,) = sounds.by_file(sounds.score_files(one, sound_files.find([folder / "3.wav"])))
    for rate_hz, embeddings in ((8000, prediction.embeddings[:, :3]), (16_000, prediction.embeddings[:, 3:])):
        segments = audio.cut(audio.resample(*audio.read(folder / "3.wav"), rate_hz), rate_hz, 1.0)
        np.testing.assert_array_equal(embeddings, segments[:, :3])


def test_what_is_unusual_in_a_file_comes_with_its_end(tmp_path):
    soundfile.write(tmp_path / "silent.wav", np.zeros(30 * 8000), 8000)
    one, _ = scorer()
    (prediction,) = sounds.by_file(sounds.score_files(one, sound_files.find([tmp_path])))
    assert prediction.notes == ("digital silence",) and len(prediction.start_s) == 30


def test_no_failure_of_a_file_stops_the_others(folder, monkeypatch):
    one, _ = scorer()
    read = audio.Recording.blocks

    def blocks(recording, to_hz):
        if recording.file.endswith("1.wav"):
            raise MemoryError("too much")
        return read(recording, to_hz)

    monkeypatch.setattr(audio.Recording, "blocks", blocks)
    names = [folder / "1.wav", folder / "3.wav"]
    failed, other = sounds.by_file(sounds.score_files(one, sound_files.find(names)))
    assert str(failed.error).endswith("1.wav: cannot be read (MemoryError: too much).") and other.error is None


def test_only_files_that_cannot_be_read(tmp_path):
    one, batches = scorer()
    (prediction,) = sounds.by_file(sounds.score_files(one, sound_files.find([tmp_path / "absent.wav"])))
    assert "cannot be opened" in str(prediction.error) and not len(prediction.start_s) and not batches
