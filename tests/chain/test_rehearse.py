"""A rehearsal goes the whole way, leaves nothing behind, names what is wrong, and estimates the real run."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from asc_tf.chain import rehearse as rehearsal
from asc_tf.chain.estimate import Measured, estimate, steady
from asc_tf.chain.plan import Sizes
from asc_tf.chain.rehearsal_data import Preparation, RehearsalData
from asc_tf.chain.stages import stages
from asc_tf.errors import UserError
from asc_tf.recipe import resolve
from asc_tf.train import main as train

DONE = Preparation("folder at 8,000 Hz", 0, 0.0, 0)


def files_below(folder):
    return {file: file.stat().st_mtime_ns for file in folder.rglob("*")}


@pytest.mark.slow
@pytest.mark.long
def test_the_whole_way_for_a_few_steps(tiny, recordings, tmp_path, capsys):
    before = files_below(tmp_path), files_below(recordings.parent)
    assert train([str(tiny), "--out", str(tmp_path / "runs/student"), "--rehearse"]) == 0
    shown = capsys.readouterr().out
    assert (files_below(tmp_path), files_below(recordings.parent)) == before
    plan, measured = shown.split("rehearsed", 1)
    assert [line.split()[0] for line in plan.splitlines()] == ["stage", "teacher", "student"]
    assert "16+2" in plan and "tiny_teacher-1-" in plan
    for phase in ("data", "teachers", "training", "quantisation", "evaluation"):
        assert phase in measured
    assert "in all: " in measured and "GB of disk" in measured


@pytest.mark.slow
@pytest.mark.long
def test_the_int8_file_and_what_fails_late_are_rehearsed_too(tiny, tmp_path, monkeypatch):
    def fails(*_, **__):
        raise ValueError("no kernel for this operation\nand so on")

    monkeypatch.setattr("asc_tf.export.quantisation.convert.convert", fails)
    recipe = resolve.load(tiny, ["quantise={method='ptq', calibration_clips=8}"])
    with pytest.raises(UserError, match="rehearsal: student tiny, phase quantisation: no kernel for this operation"):
        rehearsal.rehearse(recipe, tmp_path / "runs/student", budget_s=0.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("tiny_teacher:model.width=7", "tiny_teacher.toml: .*width = 7"),
        ("tiny_teacher:augmentation=[{name='freq_mask', max_bands=99, fill=0.0}]", "tiny_teacher.toml: .*max_bands"),
        ("tiny_teacher:train.batch_size=5000", "tiny_teacher.toml: train.batch_size = 5000 is more than"),
        ("teacher.tiny_teacher.layer=absent", "distill: embedding distillation needs all three"),
        ("quantise.float_layers=['absent']", "there is no layer 'absent'"),
        ("tracking.mlflow='unknown://host'", "tiny.toml: tracking.mlflow"),
        ("quantise.distil_from=nobody", "distil_from = 'nobody' is not a choice"),
        ("init={recipe='wide', same_data=true}", "recipe 'wide': there is no such file"),
        ("model.strides=[[1, 1]]", "tiny.toml: .*strides"),
        ("dataset.root=absent", "dataset.root = 'absent': there is no such folder"),
    ],
)
def test_a_recipe_broken_in_one_stage_is_found_before_training(change, message, tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(rehearsal.Rehearsal, "run", lambda self: pytest.fail("nothing was found"))
    with pytest.raises(UserError, match=message):
        rehearsal.rehearse(resolve.load(tiny, [change]), tmp_path / "runs/student")


def test_a_step_is_the_mean_without_the_first_ones():
    assert steady([9.0, 1.0, 1.0, 2.0, 4.0]) == 3.0  # two of the four after the first are skipped
    assert steady([9.0] + 8 * [0.0] + 8 * [5.0] + 8 * [7.0]) == 6.0


def test_an_estimate_is_what_was_measured_plus_what_is_missing(tiny, tmp_path):
    stage = stages(resolve.load(tiny), tmp_path / "runs/student")
    phases = {"data": 1.0, "teachers": 2.0, "training": 30.0, "quantisation": 40.0, "evaluation": 3.0}
    measured = Measured(
        clip_s={"float": 0.02, "quantised": 0.03, "tflite": 0.04, "front end": 0.01},
        phases={name: {"seconds": seconds, "peak_memory_bytes": 5} for name, seconds in phases.items()},
        clips=Sizes(96, 32, 48),
        steps_s=[10.0, 0.5, 0.5, 0.5, 0.5],
        epoch_s=2.0,
        quantisation_steps_s=[0.7, 0.7, 0.7],
        bytes=1000,
    )
    result = estimate(stage, Sizes(960, 132, 148), [DONE], measured, [0.1], stored=70)
    assert result.steps == 16 * (960 // 16) and result.step_s == 0.5 and result.memory_bytes == 5
    assert result.bytes == 1000 + 960 * 70 * 2
    # [normalise] by bands passes all training clips through the front end, the teacher and the network compute theirs
    assert result.phases["data"] == pytest.approx(1 + 864 * 0.01)
    assert result.phases["teachers"] == pytest.approx(2 + 864 * 0.1)
    fixed = 30 - 4 * 0.5 - 2 * 0.5 - 2.0
    assert result.phases["training"] == pytest.approx(fixed + 960 * 0.5 + 15 * 2 + 16 * 100 * 0.02)
    assert result.phases["quantisation"] == pytest.approx(40 + 100 * 0.07 + (2 * 60 - 4) * 0.7)
    assert result.phases["evaluation"] == pytest.approx(3 + 100 * 0.05)


@pytest.mark.slow
def test_the_disk_of_stored_logits_and_embeddings_is_counted(tiny, tmp_path):
    layers = ["distill.embedding_weight=1", 'distill.layer="head_bn"', 'teacher.tiny_teacher.layer="stem2_relu"']
    recipe = dataclasses.replace(resolve.load(tiny, layers), quantise=None)
    data = RehearsalData(tmp_path / "scratch")
    student = rehearsal.rehearse(recipe, tmp_path / "runs/student", budget_s=0.0, data=data)[-1]
    (file,) = (tmp_path / "scratch").rglob("teacher_outputs/*/0000000.npz")
    with np.load(file) as stored:
        of_clip = sum(stored[name][0].nbytes for name in ("logits", "embedding"))
    folder = data.measured[tmp_path / "scratch/runs/student"].bytes
    assert student.bytes == folder + data.sizes(recipe).train * of_clip and of_clip > 2 * 3


@pytest.mark.slow
@pytest.mark.long
def test_absent_data_is_made_up_in_its_own_format(tmp_path, capsys):
    file = tmp_path / "scenes.toml"
    quick = resolve.load("quickstart_teacher").file
    text = Path(quick).read_text().replace('name = "made_up"', 'name = "tau"\nsplit = "split5"')
    text = text.replace("train_clips = 2400\n", "").replace("test_clips = 1200\n", "")
    file.write_text(text + '[[augmentation]]\nname = "device_impulse"\np = 0.5\nfolder = "absent"\nonly_device = "a"\n')
    recipe = resolve.load(file, ["dataset.root=tau2022"])
    (result,) = rehearsal.rehearse(recipe, tmp_path / "runs/scenes", budget_s=0.0)
    shown = capsys.readouterr().out
    assert "note: dataset.root = 'tau2022' is absent: made-up clips of the format of tau instead" in shown
    assert "note: augmentation.device_impulse.folder = 'absent' is absent" in shown
    clips = 6980 - round(0.1 * 6980)  # of the official list of 5 %, less those held out
    assert result.steps == 16 * (clips // 32)
    assert json.dumps(dict(result.phases)) and sorted(tmp_path.iterdir()) == [file]
