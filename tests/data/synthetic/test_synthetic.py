"""The synthetic scenes: their shares, their bytes and their sounds."""

import hashlib
from collections import Counter

import numpy as np
import pytest
import soundfile

from asc_tf.data.synthetic import devices, places, scenes, sounds, synthesis, write

SIZES = {"train_clips": 60, "test_clips": 60}


def rng(seed):
    return np.random.default_rng(seed)


def write_scenes(folder, locations, **settings):
    """{file: digest} of the scenes written to a new folder."""
    folder.mkdir()
    write.write(folder, locations, **settings)
    return {p.relative_to(folder): hashlib.sha256(p.read_bytes()).digest() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("train_clips, test_clips", [(60, 60), (2400, 1200), (2407, 1201), (139_620, 29_680)])
def test_shares_are_those_of_tau(train_clips, test_clips):
    locations = places.plan(train_clips=train_clips, test_clips=test_clips)
    for split, clips in (("train", train_clips), ("test", test_clips)):
        rows = [(at.scene, at.city, device) for at in locations if at.split == split for device, _, _ in at.names()]
        of_scene, of_city, of_device = map(Counter, zip(*rows, strict=True))
        shares = places.DEVICE_SHARES[split]
        assert len(rows) == clips
        assert len(of_scene) == 10 and max(of_scene.values()) - min(of_scene.values()) <= 1
        assert set(of_city) == {*places.CITIES, *(places.TEST_ONLY_CITIES if split == "test" else ())}
        for device, share in shares.items():
            assert of_device.pop(device) == pytest.approx(clips * share / sum(shares.values()), abs=1.01)
        assert not of_device


def test_training_is_mostly_device_a_and_the_test_has_all_nine():
    locations = places.plan(train_clips=2400, test_clips=1200)
    clips = {
        split: Counter(device for at in locations if at.split == split for device, _, _ in at.names())
        for split in ("train", "test")
    }
    # TAU 2022, fold 1: 102,150 of 139,620 clips are of device a (DCASE 2022 Task 1); 2,400 times that is 1,755.9.
    assert clips["train"]["a"] in (1755, 1756, 1757)
    assert sorted(clips["train"]) == ["a", "b", "c", "s1", "s2", "s3"]
    assert sorted(clips["test"]) == ["a", "b", "c", "s1", "s2", "s3", "s4", "s5", "s6"]
    assert set(clips["test"].values()) == {133, 134}


def test_cities_are_even_for_each_scene():
    locations = places.plan(train_clips=2400, test_clips=1200)
    for split, cities in (("train", 10), ("test", 12)):
        for scene in scenes.SCENES:
            counts = Counter(at.city for at in locations if (at.split, at.scene) == (split, scene))
            assert len(counts) == cities and max(counts.values()) - min(counts.values()) <= 1


def test_devices_at_one_location_record_the_same_sound():
    location = next(at for at in places.plan(train_clips=2400, test_clips=1200) if at.split == "test")
    assert len(location.takes) == 3
    sound, other = (scenes.sound(location.scene, scenes.City(1, 0, 1), rng(seed)) for seed in (1, 2))
    a, b, c = (devices.record(x, device, rng(3)) for x, device in ((sound, "a"), (sound, "s2"), (other, "s2")))
    assert np.corrcoef(a, b)[0, 1] > 0.5 > 0.1 > abs(np.corrcoef(a, c)[0, 1])


def test_the_bytes_depend_on_the_seed_and_not_on_the_workers(tmp_path, monkeypatch):
    monkeypatch.setattr(write, "_FEW_LOCATIONS", 0)
    locations = places.plan(**SIZES)[:10]
    one = write_scenes(tmp_path / "one", locations, seed=1, workers=1)
    assert write_scenes(tmp_path / "two", locations, seed=1, workers=2) == one
    other = write_scenes(tmp_path / "other", locations[:3], seed=2, workers=1)
    assert not any(other[file] == one[file] for file in other if file.parts[0] == "audio")


def test_a_location_does_not_depend_on_the_others(made_up_listing):
    location = places.plan(**SIZES)[0]
    city = scenes.city(rng([1, 0, *location.city.encode()]))
    sound = scenes.sound(location.scene, city, rng([1, 1, 0]))
    device, second, name = location.names()[0]
    expected = devices.record(sound, device, rng([1, 2, 0, *device.encode()]))[:44_100]
    assert second == 0
    assert np.abs(soundfile.read(made_up_listing.root / "audio" / name)[0] - expected).max() <= 2**-23


@pytest.mark.parametrize("name", sorted({name for _, parts in scenes.SCENES.values() for name in parts}))
def test_a_sound_is_finite_has_unit_level_and_differs_between_seeds(name):
    drawn = [getattr(sounds, name)(rng(seed), 1.1) for seed in (1, 2)]
    for sound in drawn:
        assert sound.shape == (synthesis.SAMPLES,) and sound.dtype == np.float32
        assert np.sqrt(np.mean(sound**2)) == pytest.approx(1, abs=1e-3)
    assert not np.array_equal(*drawn)


@pytest.mark.parametrize("scene", scenes.SCENES)
def test_every_scene_has_the_same_level(scene, monkeypatch):
    monkeypatch.setattr(scenes, "LOUDNESS_SPREAD_DB", 0.0)
    sound = scenes.sound(scene, scenes.City(1, 0, 1), rng(1))
    assert 20 * np.log10(np.sqrt(np.mean(sound**2))) == pytest.approx(-28, abs=0.01)
    assert abs(np.mean(sound)) < 1e-6


def test_no_device_clips_hard():
    loud = np.float32(3) * scenes.sound("bus", scenes.City(1, 0, 1), rng(1))
    for device, settings in devices.DEVICES.items():
        recorded = devices.record(loud, device, rng(1))
        assert np.abs(recorded).max() <= np.float32(settings.limit) <= np.float32(0.7)
        assert np.mean(np.abs(recorded) == np.abs(recorded).max()) < 1e-3


def test_a_device_has_the_response_of_its_table():
    frequency_hz = 1000
    tone = (0.01 * np.sin(2 * np.pi * frequency_hz * synthesis.TIME_S)).astype(np.float32)
    gains_db = []
    for seed in range(8):
        recorded = devices.record(tone, "c", rng(seed))
        amplitude = 2 * abs(np.mean(recorded * np.exp(-2j * np.pi * frequency_hz * synthesis.TIME_S)))
        gains_db.append(20 * np.log10(amplitude / 0.01))
    # Device c at 1 kHz: response 0 dB, gain -2 dB; the random 1 dB of each take averages out.
    assert np.mean(gains_db) == pytest.approx(-2, abs=1.2) and np.std(gains_db) > 0.2
