import json

import numpy as np
import pytest
import real_sound
import real_sound_tables
import soundfile

from asc_tf.recipe import resolve

LOSSES = (("clean", 0.0), ("microphones", 4.0), ("made_up", 10.0))


def entry(seconds, clips=90.0, forms=("float", "int8")):
    scores = {kind: {"seconds": seconds - lost, "with sound": seconds + 5, "clips": clips} for kind, lost in LOSSES}
    cost = {"parameters": 61148, "bytes": 61148, "macs": 21453460}
    cost |= {"file_bytes": 120000, "latency_ms": 1.5} if "int8" in forms else {}
    return {"cost": dict.fromkeys(forms, cost), **dict.fromkeys(forms, scores)}


def test_a_figure_of_a_seed_is_the_mean_over_its_folds_and_the_spread_is_over_the_seeds():
    record = {"1 1": entry(70.0), "2 1": entry(80.0), "1 2": entry(71.0), "2 2": entry(85.0)}
    assert real_sound_tables.of_seeds(record, "float", "clean", "seconds") == [75.0, 78.0]
    assert real_sound_tables.spread([75.0, 78.0]) == "76.5 ± 2.1" and real_sound_tables.spread([75.0]) == "75.0"
    assert real_sound_tables.spread([1.5], sign="+") == "+1.5"


def test_seeds_that_are_not_finished_are_left_out():
    record = {"1 1": entry(70.0), "2 1": entry(80.0), "1 2": entry(90.0)}
    assert list(real_sound_tables.whole_seeds(record)) == ["1 1", "2 1"]
    assert "| 75.0 | 75.0 | 90.0 | 90.0 | - | - | - | 2 | 1 |" in real_sound_tables.tables({"one": record})


def test_tables_have_fold_4_by_itself_and_what_unseen_microphones_cost():
    records = {"one": {"3 1": entry(70.0), "4 1": entry(80.0)}, "float alone": {"4 1": entry(85.0, forms=["float"])}}
    of_clips, of_microphones = real_sound_tables.tables(records).split("Seconds, clean")
    assert (
        "| one | 61,148 | 61,148 | 120,000 | 21,453,460 | 1.5 | 75.0 | 75.0 | 90.0 | 90.0 | - | 80.0 | 90.0 | 2 | 1 |"
        in of_clips
    )
    float_alone = (
        "| float alone | 61,148 | 61,148 | - | 21,453,460 | - | 85.0 | - | 90.0 | - | - | 85.0 | 90.0 | 1 | 1 |"
    )
    assert float_alone in of_clips
    assert "| one | int8 | 75.0 | 71.0 | 4.0 | 65.0 | 10.0 |" in of_microphones
    assert "| float alone | float | 85.0 | 81.0 | 4.0 | 75.0 | 10.0 |" in of_microphones


def test_clips_by_overlapping_seconds_are_shown_where_every_fold_has_them():
    record = {"3 1": entry(70.0), "4 1": entry(80.0)}
    record["3 1"]["int8"] |= {"overlapping": {"clips": 91.0}}
    assert "| 90.0 | 90.0 | - | 80.0 |" in real_sound_tables.tables({"one": record})
    record["4 1"]["int8"] |= {"overlapping": {"clips": 92.0}}
    assert "| 90.0 | 90.0 | 91.5 | 80.0 |" in real_sound_tables.tables({"one": record})


class Decides:
    """A run that decides class 1 for windows of which the second half is louder than 0.5, else class 0."""

    def predict(self, sound, rate_hz, *, form, hop_s):
        starts = range(0, len(sound) - rate_hz // 2, round(hop_s * rate_hz))
        louder = [np.max(sound[start + rate_hz // 2 : start + rate_hz], initial=0) > 0.5 for start in starts]
        return np.eye(2)[np.array(louder, int)]


def test_seconds_overlap_by_the_hop_and_are_silent_where_their_own_samples_are(tmp_path):
    sound = np.zeros(3000, np.float32)
    sound[1100:1200] = 0.9
    clip = (tmp_path / "clip.wav", 0)
    probabilities, labels, names, silent = real_sound._predicted(
        Decides(), "float", [clip], lambda *_: [(sound, 1000)], real_sound.OVERLAPPING_S
    )
    assert probabilities.argmax(axis=1).tolist() == [0, 1, 0, 0, 0]
    assert silent.tolist() == [True, False, False, True, True] and set(labels) == {0}
    assert names == ["clip.wav 0"] * 5


def test_seconds_of_digital_silence_are_left_out_of_those_with_sound():
    probabilities, labels = np.eye(2)[[0, 1, 1, 1]], np.array([0, 0, 1, 1])
    found = real_sound.accuracies(probabilities, labels, ["a", "a", "b", "b"], np.array([False, True, False, False]))
    assert found == {"seconds": 75.0, "with sound": 100.0, "clips": 100.0}


def test_no_maker_of_microphones_is_on_both_sides(shared, tmp_path):
    training, test = real_sound.responses(shared / "data/micirp", tmp_path)
    names = [{file.name for file in folder.iterdir()} for folder in (training, test)]
    assert list(map(len, names)) == [34, 16] and not names[0] & names[1]
    makers = [{file.removeprefix("IR_").replace("_", " ").split()[0][:3] for file in part} for part in names]
    assert not makers[0] & makers[1]


def test_clips_by_microphones_are_their_convolutions_in_turn(tmp_path):
    rng, folder = np.random.default_rng(0), tmp_path / "responses"
    folder.mkdir()
    responses = rng.normal(0, 0.1, (5, 40)).astype(np.float32)
    for number, response in enumerate(responses):
        soundfile.write(folder / f"{number}.wav", response, 16000, subtype="FLOAT")
    sound = rng.normal(0, 0.1, 16000).astype(np.float32)
    soundfile.write(tmp_path / "clip.wav", sound, 16000, subtype="FLOAT")
    found = list(real_sound._microphones(folder)(tmp_path / "clip.wav", 3))
    assert len(found) == real_sound.RESPONSES_A_CLIP
    for (convolved, rate_hz), number in zip(found, (3, 4, 0, 1), strict=True):
        expected = np.convolve(sound, responses[number])[:16000]
        assert rate_hz == 16000
        np.testing.assert_allclose(convolved, expected, atol=1e-6)


def test_made_up_devices_change_every_second_and_keep_the_length(tmp_path):
    rng = np.random.default_rng(1)
    soundfile.write(tmp_path / "clip.wav", rng.normal(0, 0.05, 2 * 44100), 44100)
    found = [sound for sound, _ in real_sound._made_up(tmp_path / "clip.wav", 0)]
    assert len(found) == len(real_sound.MADE_UP) and {len(sound) for sound in found} == {2 * 44100}
    levels = [np.sqrt(np.mean(sound**2)) for sound in found]
    assert len({round(float(level), 4) for level in levels}) == len(levels)


@pytest.mark.parametrize("name", real_sound.ROWS)
def test_the_recipe_of_every_row_holds_a_fold_out_and_nothing_for_validation(name):
    row = real_sound.ROWS[name]
    recipe = resolve.load(row.recipe, [*real_sound.CHANGES, *row.overrides, "dataset.test_fold=2"])
    assert recipe.data.validation_share == 0 and recipe.dataset.settings["test_fold"] == 2
    folders = [part.settings["folder"] for part in recipe.augmentation if part.name == "device_impulse"]
    assert set(folders) <= {"micirp_training"}


def test_page_and_readme_are_made_from_the_record():
    records, rival = (json.loads(file.read_text()) for file in (real_sound_tables.RECORD, real_sound_tables.RIVAL))
    page = real_sound_tables.PAGE.read_text(encoding="utf-8")
    assert page.endswith(f"{real_sound_tables.BELOW}\n\n{real_sound_tables.tables(records)}\n")
    start, end = real_sound_tables.README_ENDS
    readme = real_sound_tables.README.read_text(encoding="utf-8")
    assert readme.count(start + real_sound_tables.short_table(records, rival) + end) == 1
    for record in records.values():  # three folds train wherever one is tested
        assert {key.split()[0] for key in record} <= {"1", "2", "3", "4"}


def test_the_rival_has_its_one_fold_and_no_other():
    rival = json.loads(real_sound_tables.RIVAL.read_text())
    four = {f"{fold} 1": entry(70.0) for fold in (1, 2, 3)} | {"4 1": entry(80.0)}
    table = real_sound_tables.short_table({"one": four, "not finished": {"4 1": entry(80.0)}}, rival)
    assert (
        "| one | 61,148 | 21,453,460 | 120,000 | 72.5 | 90.0 | 80.0 | 90.0 | 4.0 | 1 |" in table
        and "not fin" not in table
    )
    assert "| 156,288 | - | - | 82.0 | 96.2 | - | - |" in table
