"""Are the made-up scenes laid out as TAU, in its proportions, the same for a seed, and whole or not there?"""

import contextlib
import hashlib
import re
import signal
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest
import soundfile

from asc_tf.data.datasets import made_up
from asc_tf.data.synthetic import devices as _devices
from asc_tf.data.synthetic import places as _places
from asc_tf.data.synthetic import scenes as _scenes
from asc_tf.data.synthetic import sounds as _sources
from asc_tf.data.synthetic import synthesis as _synthesis
from asc_tf.data.synthetic import write as _tree
from asc_tf.errors import UserError

ROOT = Path(__file__).parents[3]
SIZES = {"train_clips": 60, "test_clips": 60}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return made_up.listing(root=str(tmp_path_factory.mktemp("made_up")), **SIZES)


def _digests(folder):
    return {p.relative_to(folder): hashlib.sha256(p.read_bytes()).digest() for p in folder.rglob("*") if p.is_file()}


def _written(folder, places, **settings):
    folder.mkdir()
    _tree.write(folder, places, **settings)
    return _digests(folder)


def _run(root, sizes):
    call = f"made_up.listing(root={str(root)!r}, **{sizes})"
    code = f"from asc_tf.data.datasets import made_up\nif __name__ == '__main__': {call}\n"
    script = root / "run.py"
    script.write_text(f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{code}")
    return subprocess.Popen([sys.executable, script], stderr=subprocess.PIPE)


# The layout


def test_files_are_24_bit_mono_seconds_at_44100_hz(made):
    files = sorted((made.root / "audio").iterdir())
    assert len(files) == 120
    for file in files:
        info = soundfile.info(file)
        assert (info.subtype, info.samplerate, info.channels, info.frames) == ("PCM_24", 44_100, 1, 44_100)


def test_names_and_tables_are_those_of_tau(made):
    name = re.compile(r"audio/[a-z_]+-[a-z]+-[0-9]+-[0-9]+-[0-3]-(a|b|c|s[1-6])\.wav")
    meta = (made.root / "meta.csv").read_text().splitlines()
    assert meta[0] == "filename\tscene_label\tidentifier\tsource_label"
    assert all(name.fullmatch(row.split("\t")[0]) for row in meta[1:])
    setup = {file.name: file.read_text().splitlines() for file in (made.root / "evaluation_setup").iterdir()}
    assert {file: rows[0] for file, rows in setup.items()} == {
        "fold1_train.csv": "filename\tscene_label",
        "fold1_evaluate.csv": "filename\tscene_label",
        "fold1_test.csv": "filename",
    }
    assert [len(rows) for _, rows in sorted(setup.items())] == [61, 61, 61]


def test_all_files_are_listed_once(made):
    assert sorted(clip.file for clip in made.clips) == sorted(
        f"audio/{file.name}" for file in (made.root / "audio").iterdir()
    )


# The shares


@pytest.mark.parametrize("train_clips, test_clips", [(60, 60), (2400, 1200), (2407, 1201), (139_620, 29_680)])
def test_shares_are_those_of_tau(train_clips, test_clips):
    places = _places.plan(train_clips=train_clips, test_clips=test_clips)
    for split, clips in (("train", train_clips), ("test", test_clips)):
        rows = [(p.scene, p.city, device) for p in places if p.split == split for device, _, _ in p.names()]
        scenes, cities, devices = map(Counter, zip(*rows, strict=True))
        shares = _places.DEVICE_SHARES[split]
        assert len(rows) == clips
        assert len(scenes) == 10 and max(scenes.values()) - min(scenes.values()) <= 1
        assert set(cities) == {*_places.CITIES, *(_places.TEST_ONLY_CITIES if split == "test" else ())}
        for device, share in shares.items():
            assert devices.pop(device) == pytest.approx(clips * share / sum(shares.values()), abs=1.01)
        assert not devices


def test_training_is_mostly_device_a_and_the_test_has_all_nine():
    places = _places.plan(train_clips=2400, test_clips=1200)
    devices = {
        split: Counter(d for p in places if p.split == split for d, _, _ in p.names()) for split in ("train", "test")
    }
    # TAU 2022, fold 1: 102,150 of 139,620 clips are of device a (DCASE 2022 Task 1); 2,400 times that is 1,755.9.
    assert devices["train"]["a"] in (1755, 1756, 1757)
    assert sorted(devices["train"]) == ["a", "b", "c", "s1", "s2", "s3"]
    assert sorted(devices["test"]) == ["a", "b", "c", "s1", "s2", "s3", "s4", "s5", "s6"]
    assert set(devices["test"].values()) == {133, 134}


def test_cities_are_even_for_each_scene():
    places = _places.plan(train_clips=2400, test_clips=1200)
    for split, cities in (("train", 10), ("test", 12)):
        for scene in _scenes.SCENES:
            counts = Counter(p.city for p in places if (p.split, p.scene) == (split, scene))
            assert len(counts) == cities and max(counts.values()) - min(counts.values()) <= 1


def test_no_location_is_in_both_splits(made):
    splits = defaultdict(set)
    for clip in made.clips:
        splits[clip.group].add(clip.split)
    assert all(len(parts) == 1 for parts in splits.values())


def test_devices_at_one_place_hear_the_same():
    place = next(p for p in _places.plan(train_clips=2400, test_clips=1200) if p.split == "test")
    assert len(place.takes) == 3
    sound = _scenes.sound(place.scene, _scenes.City(1, 0, 1), np.random.default_rng(1))
    other = _scenes.sound(place.scene, _scenes.City(1, 0, 1), np.random.default_rng(2))
    a, b, c = (_devices.record(x, d, np.random.default_rng(3)) for x, d in ((sound, "a"), (sound, "s2"), (other, "s2")))
    assert np.corrcoef(a, b)[0, 1] > 0.5 > 0.1 > abs(np.corrcoef(a, c)[0, 1])


# The bytes


def test_the_seed_decides_and_the_workers_do_not(tmp_path, monkeypatch):
    monkeypatch.setattr(_tree, "_FEW_LOCATIONS", 0)
    places = _places.plan(**SIZES)[:10]
    one = _written(tmp_path / "one", places, seed=1, workers=1)
    assert _written(tmp_path / "two", places, seed=1, workers=2) == one
    other = _written(tmp_path / "other", places[:3], seed=2, workers=1)
    assert not any(other[file] == one[file] for file in other if file.parts[0] == "audio")


def test_a_place_does_not_depend_on_how_many_there_are(made):
    place = _places.plan(**SIZES)[0]
    city = _scenes.city(np.random.default_rng([1, 0, *place.city.encode()]))
    sound = _scenes.sound(place.scene, city, np.random.default_rng([1, 1, 0]))
    device, second, name = place.names()[0]
    heard = _devices.record(sound, device, np.random.default_rng([1, 2, 0, *device.encode()]))[:44_100]
    assert second == 0
    assert np.abs(soundfile.read(made.root / "audio" / name)[0] - heard).max() <= 2**-23


# The sounds


@pytest.mark.parametrize("name", sorted({name for _, parts in _scenes.SCENES.values() for name in parts}))
def test_a_sound_is_finite_of_unit_level_and_never_the_same(name):
    sounds = [getattr(_sources, name)(np.random.default_rng(seed), 1.1) for seed in (1, 2)]
    for sound in sounds:
        assert sound.shape == (_synthesis.SAMPLES,) and sound.dtype == np.float32
        assert np.sqrt(np.mean(sound**2)) == pytest.approx(1, abs=1e-3)
    assert not np.array_equal(*sounds)


@pytest.mark.parametrize("scene", _scenes.SCENES)
def test_the_level_tells_nothing_about_the_scene(scene, monkeypatch):
    monkeypatch.setattr(_scenes, "LOUDNESS_SPREAD_DB", 0.0)
    heard = _scenes.sound(scene, _scenes.City(1, 0, 1), np.random.default_rng(1))
    assert 20 * np.log10(np.sqrt(np.mean(heard**2))) == pytest.approx(-28, abs=0.01)
    assert abs(np.mean(heard)) < 1e-6


def test_no_device_clips_hard():
    loud = np.float32(3) * _scenes.sound("bus", _scenes.City(1, 0, 1), np.random.default_rng(1))
    for device, settings in _devices.DEVICES.items():
        recorded = _devices.record(loud, device, np.random.default_rng(1))
        assert np.abs(recorded).max() <= np.float32(settings.limit) <= np.float32(0.7)
        assert np.mean(np.abs(recorded) == np.abs(recorded).max()) < 1e-3


def test_a_device_answers_as_its_table_says():
    frequency_hz = 1000
    tone = (0.01 * np.sin(2 * np.pi * frequency_hz * _synthesis.TIME_S)).astype(np.float32)
    gains_db = []
    for seed in range(8):
        recorded = _devices.record(tone, "c", np.random.default_rng(seed))
        amplitude = 2 * abs(np.mean(recorded * np.exp(-2j * np.pi * frequency_hz * _synthesis.TIME_S)))
        gains_db.append(20 * np.log10(amplitude / 0.01))
    # Device c at 1 kHz: response 0 dB, gain -2 dB; the hand's 1 dB at each take averages out.
    assert np.mean(gains_db) == pytest.approx(-2, abs=1.2) and np.std(gains_db) > 0.2


# Whole or not there


def test_a_second_call_writes_nothing(made):
    before = {file: file.stat().st_mtime_ns for file in made.root.rglob("*")}
    again = made_up.listing(root=str(made.root.parent), **SIZES)
    assert again == made
    assert before == {file: file.stat().st_mtime_ns for file in made.root.rglob("*")}


def test_other_sizes_and_seeds_live_side_by_side(made, monkeypatch):
    monkeypatch.setattr(_tree, "_record_location", _silence)
    monkeypatch.setattr(_tree, "_FEW_LOCATIONS", 1000)
    other = made_up.listing(root=str(made.root.parent), seed=2, train_clips=61, test_clips=60)
    assert other.root != made.root and len(other.clips) == 121
    assert made.root.is_dir()


def _silence(job):
    audio, _, place = job
    for _, _, name in place.names():
        (audio / name).touch()


def test_killed_half_way_it_leaves_nothing_running_and_is_made_whole_next_time(tmp_path):
    process = _run(tmp_path, SIZES)
    while not any(tmp_path.glob(".seed*.partial/tree/audio/*.wav")):
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.02)
        assert process.returncode is None
    process.send_signal(signal.SIGKILL)
    # The workers hold this pipe too: it ends only when the last of them has.
    process.communicate(timeout=30)
    assert not any(tmp_path.glob("seed*"))
    assert any(tmp_path.glob(".seed*.partial"))

    made = made_up.listing(root=str(tmp_path), **SIZES)
    assert len(made.clips) == 120
    assert {soundfile.info(made.root / clip.file).frames for clip in made.clips} == {44_100}
    assert not any(tmp_path.glob(".seed*.partial"))


def test_a_failure_leaves_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.setattr(_tree, "_record_location", _disk_full)
    monkeypatch.setattr(_tree, "_FEW_LOCATIONS", 1000)
    with pytest.raises(UserError, match="No space left"):
        made_up.listing(root=str(tmp_path), **SIZES)
    assert [file.suffix for file in tmp_path.iterdir()] == [".lock"]


def _disk_full(job):
    (job[0] / "half.wav").touch()
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("root", ["a_file", "a_file/below"])
def test_a_root_that_cannot_be_written_is_named(tmp_path, root):
    (tmp_path / "a_file").touch()
    with pytest.raises(UserError, match=rf"dataset\.root = '.*{root}'.*cannot be written"):
        made_up.listing(root=str(tmp_path / root), **SIZES)


@pytest.mark.parametrize("wrong", [{"train_clips": 59}, {"test_clips": 0}, {"seed": -1}])
def test_wrong_settings_are_named(tmp_path, wrong):
    with pytest.raises(UserError, match=rf"dataset\.{next(iter(wrong))} = .* must be at least"):
        made_up.listing(root=str(tmp_path), **(SIZES | wrong))
    assert not any(tmp_path.iterdir())
