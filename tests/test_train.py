"""The main program on sounds that are easy to tell apart: the whole way, resumed ways, and wrong ways."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from asc_tf.evaluate import main as evaluate
from asc_tf.export.parity import main as parity
from asc_tf.export.tflite import main as tflite
from asc_tf.inference.system import load_run
from asc_tf.predict import main as predict
from asc_tf.runs import folder as run_folder
from asc_tf.train import main as train

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parent.parent


def weights(run):
    return {key: array for key, array in run_folder.load(run).read("state.npz").items() if key.startswith("var")}


def assert_same(one, other):
    assert one.keys() == other.keys()
    for key in one:
        np.testing.assert_array_equal(one[key], other[key], err_msg=key)


def started(*arguments):
    command = [sys.executable, "-m", "asc_tf.train", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)


def killed_after(line, *arguments, by=signal.SIGKILL):
    """Runs the program until a line of its output holds `line`, then kills it; its exit status."""
    process = started(*arguments)
    seen = []
    for text in process.stdout:
        seen.append(text)
        if line in text:
            break
    else:
        raise AssertionError(f"'{line}' never came: {seen} {process.stderr.read()}")
    os.kill(process.pid, by)
    process.communicate(timeout=120)
    return process.returncode


@pytest.fixture(scope="module")
def never_stopped(tiny_in, tmp_path_factory):
    """A student's run, its teacher's beside it, that nothing disturbed."""
    folder = tmp_path_factory.mktemp("never_stopped")
    assert train([str(tiny_in(folder)), "--out", str(folder / "runs/student")]) == 0
    return folder / "runs/student"


def its_teacher(run):
    (teacher,) = run.parent.glob("tiny_teacher-1-*")
    return teacher


def test_the_whole_way(never_stopped, tiny, recordings, tmp_path, capsys):
    out = never_stopped
    report = json.loads((out / "metrics.json").read_text())
    forms = json.loads((out / "export/parity.json").read_text())
    assert report["float"]["macro_accuracy"] > 0.9 and report["int8"]["macro_accuracy"] > 0.9
    assert list(forms) == ["float", "qat", "int8", "network_sha256"] and set(forms["qat"]["by_class"]) == {
        "high",
        "low",
        "middle",
    }
    assert forms["int8"]["agreement"] >= 0.97
    assert report["int8"]["cost"]["bytes"] < report["float"]["cost"]["bytes"] / 3
    for name in ("recipe.toml", "labels.txt", "log.csv", "weights/best.weights.h5", "confusion_int8.png"):
        assert (out / name).is_file(), name
    exported = json.loads((out / "export/model.json").read_text())["normalisation"]
    assert exported["mean"] == run_folder.load(out).read("normalisation.npz")["mean"].ravel().tolist()
    assert (out / "labels.txt").read_text().split() == ["high", "low", "middle"]

    # evaluate and predict stand on the run folder alone; a second student reuses the teacher
    assert evaluate([str(out)]) == 0
    assert "macro accuracy" in capsys.readouterr().out
    again = json.loads((out / "metrics.json").read_text())
    assert again == report
    file = str(recordings / "high/high3.wav")
    for extra in ([], ["--tflite"]):
        capsys.readouterr()
        assert predict([str(out), file, "--json", *extra]) == 0
        answer = json.loads(capsys.readouterr().out)[file]
        assert answer["labels"][int(np.argmax(answer["mean"]))] == "high"
        assert len(answer["seconds"]) == 2 and sum(answer["mean"]) == pytest.approx(1)
    short = ["--set", "seed=2", "--set", "train.epochs=1", "--set", "quantise.epochs=1"]
    assert train([str(tiny), "--out", str(out.parent / "second"), *short]) == 0
    shown = capsys.readouterr().out
    assert "reused" in shown and "student  epoch   1/1" in shown and "macro accuracy" in shown

    # the two students judged as one: a member's figures are those of its own report
    runs, fused = [str(out), str(out.parent / "second")], tmp_path / "fused"
    assert evaluate([*runs, "--fuse", "prod", "--out", str(fused)]) == 0
    assert f"  of {out}" in capsys.readouterr().out and (fused / "confusion_int8.png").is_file()
    together = json.loads((fused / "metrics.json").read_text())
    for name in ("float", "int8"):
        own = [json.loads((Path(run) / "metrics.json").read_text())[name] for run in runs]
        members = together[name]["members"]
        assert list(members) == runs
        assert all(members[run].items() <= figures.items() for run, figures in zip(runs, own, strict=True))
        assert together[name]["cost"]["bytes"] == sum(figures["cost"]["bytes"] for figures in own)


def test_data_that_changed_are_noticed_by_every_program(never_stopped, tiny_in, recordings, tmp_path, capsys):
    root = tmp_path / "sounds"
    shutil.copytree(recordings, root)
    recipe = tiny_in(tmp_path).parent / "tiny_teacher.toml"
    command = [
        str(recipe),
        "--out",
        str(tmp_path / "run"),
        "--set",
        f'dataset.root="{root}"',
        "--set",
        "train.epochs=2",
    ]
    assert killed_after("epoch   1/2", *command) == -signal.SIGKILL

    (root / "low").rename(root / "zlow")  # the class of outputs 1 and 2 would be exchanged
    capsys.readouterr()
    for program in ([train, *command, "--resume"], [train, *command, "--resume", "--accept-data-change"]):
        assert program[0](program[1:]) == 2
        assert "other classes than its data have now (new: 'zlow'; gone: 'low')" in capsys.readouterr().err
    (root / "zlow").rename(root / "low")

    shutil.copy(root / "low/low1.wav", root / "high/low1.wav")
    assert train([*command, "--resume"]) == 2
    assert "1 new (the first is 'high/low1.wav')" in capsys.readouterr().err
    (root / "high/low1.wav").unlink()
    assert train([*command, "--resume"]) == 0

    capsys.readouterr()
    report = (tmp_path / "run/metrics.json").read_bytes()
    (root / "high/high3.wav").rename(root / "middle/high3.wav")
    assert evaluate([str(tmp_path / "run")]) == 2
    error = capsys.readouterr().err
    assert "high3.wav" in error and "--accept-data-change" in error
    assert (tmp_path / "run/metrics.json").read_bytes() == report
    assert evaluate([str(tmp_path / "run"), "--accept-data-change"]) == 0
    assert "accepted: " in capsys.readouterr().out
    assert evaluate([str(tmp_path / "run")]) == 0


def test_a_run_becomes_int8_anew_on_other_sounds_without_training(never_stopped, tiny, recordings, tmp_path, capsys):
    fewer = tmp_path / "sounds"
    for label in ("low", "high"):
        shutil.copytree(recordings / label, fewer / label)
    sounds = [f'dataset.root="{fewer}"', 'quantise={method="ptq",calibration_clips=9}']
    overrides = [part for text in sounds for part in ("--set", text)]
    command = [str(never_stopped), "--out", str(tmp_path / "runs/ptq"), "--on", str(tiny), *overrides]
    assert tflite(command) == 0
    shown = capsys.readouterr().out
    assert "zero point" in shown and "of the DCASE challenge" in shown
    run = run_folder.load(tmp_path / "runs/ptq")
    card = run.read("export/model.json")
    assert card["labels"] == ["high", "low", "middle"] and card["float_layers"] == []
    assert run.read("export/parity.json")["int8"]["agreement"] >= 0.9
    header, *rows = (run.path / "export/calibration.csv").read_text().splitlines()
    labels = [row.split(",")[1] for row in rows]
    assert header == "clip,label,device" and sorted(map(labels.count, ("high", "low"))) == [4, 5]
    assert not run.has("quantise/state.npz") and not run.has("metrics.json")

    # All its forms on the clips it was quantised with, whose classes are not the run's: how far they agree.
    assert tflite([str(run.path), "--float16"]) == 0
    capsys.readouterr()
    assert parity([str(run.path)]) == 0
    shown, found = capsys.readouterr().out, run.read("export/parity.json")
    forms = ["float", "int8", "float16", "waveform", "C front end"]
    counts, _, *table = shown.splitlines()
    assert counts == "recordings: 40 files of 2 classes"
    assert list(found) == [*forms, "layers", "network_sha256"] and [line[:11].strip() for line in table[:5]] == forms
    assert min(found[form]["agreement"] for form in forms) >= 0.9
    assert found["float16"]["agreement"] == 1 and "accuracy" not in found["int8"]
    assert found["int8"]["bytes"] == (run.path / "export/model.tflite").stat().st_size
    for form in forms[:4]:
        assert min(found[form]["latency_ms"].values()) > 0 and found[form]["memory_bytes"] > 0
    assert "What int8 loses most" in shown and len(found["layers"]) > 10
    assert (run.path / "export/parity.png").read_bytes().startswith(b"\x89PNG")

    # What would be made of guesses is not made.
    for extra, message in (
        (["--set", "quantise.label_weight=0.5"], "its classes are not the run's"),
        (["--set", 'quantise.float_layers=["b3_ad"]'], "Did you mean 'b3_add'"),
        (["--set", "quantise.distil_from=teachers"], "teachers are computed by asc_tf.train only"),
        (["--out", str(never_stopped)], "exists already; choose another --out"),
    ):
        taught = [*sounds[:1], 'quantise={epochs=1,frozen_epochs=1,learning_rate=1e-4,distil_from="float"}']
        overrides = [part for text in taught for part in ("--set", text)]
        assert tflite([str(run.path), "--on", str(tiny), *overrides, *extra]) == 2
        assert message in capsys.readouterr().err


def test_same_seed_same_weights_bit_for_bit(never_stopped, tiny, tmp_path):
    recipe = str(tiny.parent / "tiny_teacher.toml")
    assert train([recipe, "--out", str(tmp_path / "same")]) == 0
    assert train([recipe, "--out", str(tmp_path / "other"), "--set", "seed=2", "--set", "train.epochs=1"]) == 0
    first = weights(its_teacher(never_stopped))
    assert_same(first, weights(tmp_path / "same"))
    assert np.abs(first["variable 0"] - weights(tmp_path / "other")["variable 0"]).max() > 1e-3


@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGINT])
def test_a_run_stopped_in_an_epoch_ends_as_one_never_stopped(never_stopped, tiny, tmp_path, by):
    recipe = tiny.parent / "tiny_teacher.toml"
    status = killed_after("epoch   7/16", recipe, "--out", tmp_path / "stopped", by=by)
    assert status == (-signal.SIGKILL if by == signal.SIGKILL else 130)
    assert not run_folder.load(tmp_path / "stopped").finished
    assert train([str(recipe), "--out", str(tmp_path / "stopped"), "--resume"]) == 0
    assert_same(weights(tmp_path / "stopped"), weights(its_teacher(never_stopped)))
    assert len((tmp_path / "stopped/log.csv").read_text().splitlines()) == 17


@pytest.mark.slow
def test_a_run_in_half_precision_ends_as_one_never_stopped(tiny, tmp_path):
    recipe = tiny.parent / "tiny_teacher.toml"
    half = ("--set", "train.precision=mixed_float16", "--set", "train.layer_decay=0.8", "--set", "train.epochs=4")
    assert train([str(recipe), "--out", str(tmp_path / "whole"), *half]) == 0
    killed_after("epoch   2/4", recipe, "--out", tmp_path / "stopped", *half)
    assert train([str(recipe), "--out", str(tmp_path / "stopped"), "--resume", *half]) == 0
    assert_same(weights(tmp_path / "stopped"), weights(tmp_path / "whole"))
    network = load_run(tmp_path / "whole").network
    assert {str(weight.dtype) for weight in network.weights} == {"float32"}


def test_a_run_killed_in_quantisation_aware_training_ends_as_one_never_stopped(never_stopped, tiny, tmp_path):
    teacher = its_teacher(never_stopped)
    shutil.copytree(teacher, tmp_path / "runs" / teacher.name)  # the same by another test: trained once
    assert killed_after("int8 training  epoch   1/2", tiny, "--out", tmp_path / "runs/stopped") == -signal.SIGKILL
    assert train([str(tiny), "--out", str(tmp_path / "runs/stopped"), "--resume"]) == 0
    states = [run_folder.load(r).read("quantise/state.npz") for r in (never_stopped, tmp_path / "runs/stopped")]
    assert_same(*states)
    assert (tmp_path / "runs/stopped/export/model.tflite").is_file()


def test_a_loss_that_is_not_a_number_stops_and_keeps_what_was_good(tiny, tmp_path, capsys):
    recipe = tiny.parent / "tiny_teacher.toml"
    arguments = [str(recipe), "--out", str(tmp_path / "run"), "--set", "train.learning_rate=1e30"]
    assert train(arguments) == 2
    message = capsys.readouterr().err
    assert "lower train.learning_rate" in message and len(message.strip().splitlines()) == 1


def test_an_ensemble_teaches(never_stopped, tiny):
    """Two teachers, the first there already, merged in every step."""
    before, after = tiny.read_text().split("[quantise]")
    tiny.write_text(before + after[after.index("[train]") :])
    out = never_stopped.parent
    two = 'teacher=[{recipe="tiny_teacher",runs=2,ensemble="bayesian"}]'
    assert train([str(tiny), "--out", str(out / "bayesian"), "--set", two]) == 0
    assert json.loads((out / "bayesian/metrics.json").read_text())["float"]["macro_accuracy"] > 0.9


def test_mixed_clips_are_learnt_with_their_teachers_and_groups(never_stopped, tiny):
    before, after = tiny.read_text().split("[quantise]")
    tiny.write_text(before + after[after.index("[train]") :])
    mixed = 'augmentation=[{name="mixup",alpha=0.3},{name="fmix",alpha=1,decay=3,p=0.3}]'
    groups = 'hierarchy={groups={a=["high","low"],b=["middle"]},branches="two",layer="b3_relu"}'
    moving = "distill.label_weight={start=1,end=0.5,last_epoch=5}"
    out = never_stopped.parent / "mixed"
    settings = [mixed, groups, moving, "train.epochs=32"]
    assert train([str(tiny), "--out", str(out), *(part for text in settings for part in ("--set", text))]) == 0
    assert json.loads((out / "metrics.json").read_text())["float"]["macro_accuracy"] > 0.9
    log = np.genfromtxt(out / "log.csv", delimiter=",", names=True)
    for term in ("label_loss", "group_loss", "teacher_loss"):
        assert log[term][-1] < 0.8 * log[term][0]
