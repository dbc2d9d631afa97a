"""Networks of single devices go the whole way: training, files, evaluation beside the general network, prediction."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest

import asc_tf
from asc_tf import dataset, metrics
from asc_tf.chain import per_device
from asc_tf.errors import UserError
from asc_tf.export.tflite import main as export
from asc_tf.predict import main as predict
from asc_tf.recipe import resolve
from asc_tf.runs import device_runs, folder, products
from asc_tf.submission.package import TEAM
from asc_tf.submission.rules import SCENES
from asc_tf.submit import main as submit
from asc_tf.train import main as train
from asc_tf.training.callbacks import EpochCheckpoint
from asc_tf.training.distribution import SINGLE_PROCESS

pytestmark = pytest.mark.slow
SETTINGS = [
    'dataset={name="made_up", root="made_up", train_clips=360, test_clips=60}',
    'model={name="ait_student", width=4, embedding=16, dropout=[0, 0, 0, 0, 0]}',
    'data.prepared_folder="prepared"',
    "normalise={by='bands'}",
    "train.epochs=2",
    'per_device={epochs=2, learning_rate=1e-2, batch_size=8, devices=["a", "s1"], without=["freq_mixstyle"]}',
]
QUANTISED = "quantise={method='ptq', calibration_clips=8}"


def trained(recipe, out, *more):
    options = [option for setting in (*SETTINGS, *more) for option in ("--set", setting)]
    return [str(recipe), "--out", str(out), *options]


@pytest.fixture(scope="module")
def here(tiny_in, tmp_path_factory):
    """The working folder, with the recipe tiny_teacher.toml."""
    folder = tmp_path_factory.mktemp("per_device")
    tiny_in(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield folder


@pytest.fixture(scope="module")
def run(here):
    """A trained run with networks of the devices a and s1."""
    assert train(trained("tiny_teacher.toml", "runs/devices")) == 0
    return asc_tf.load_run("runs/devices")


@pytest.fixture(scope="module")
def quantised(here):
    """The same with int8 files."""
    assert train(trained("tiny_teacher.toml", "runs/quantised", QUANTISED)) == 0
    return asc_tf.load_run("runs/quantised")


@pytest.fixture(scope="module")
def data(run):
    return dataset.load(run.recipe, quiet=True)


def weights(run):
    return {layer.name: layer.get_weights() for layer in run.network.layers if layer.weights}


def changed(one, other):
    """Names of the layers whose weights differ."""
    return {name for name in one if any(not np.array_equal(*pair) for pair in zip(one[name], other[name], strict=True))}


def test_every_device_has_a_run_of_its_own(run):
    assert list(run.devices) == ["a", "s1"]
    for device, own in run.devices.items():
        assert own.path == run.path / f"per_device/device_{device}" and own.labels == run.labels
        assert np.array_equal(
            own.folder.read("normalisation.npz")["mean"], run.folder.read("normalisation.npz")["mean"]
        )
        assert len(own.folder.read("log.csv")) == 2 and "freq_mixstyle" not in (own.path / "recipe.toml").read_text()
    assert changed(weights(run.devices["s1"]), weights(run.devices["a"]))


def test_the_table_has_the_cost_of_every_network(run):
    table = run.folder.read("export/devices.json")
    assert list(table["devices"]) == ["a", "s1"]
    for entry in (table["general"], *table["devices"].values()):
        assert entry["parameters"] == run.network.count_params() - statistics(run.network)
        assert entry["bytes"] == 4 * entry["parameters"] and entry["macs"] == table["general"]["macs"] > 0
        assert "file" not in entry


@pytest.mark.long
def test_the_table_has_the_file_of_every_network(quantised):
    table = quantised.folder.read("export/devices.json")
    assert table["general"]["file"] == "export/model.tflite"
    assert table["devices"]["s1"]["file"] == "per_device/device_s1/export/model.tflite"
    for entry in (table["general"], *table["devices"].values()):
        assert entry["file_bytes"] == len((quantised.path / entry["file"]).read_bytes())
        assert entry["bytes"] == entry["parameters"]  # one byte each


def statistics(network):
    """Parameters that are means and variances of batch norms, which do not count."""
    return sum(int(np.prod(weight.shape)) for weight in network.non_trainable_weights)


def test_the_evaluation_has_both_side_by_side(run, data):
    check_evaluation(run, data, {"float": "float"})


@pytest.mark.long
def test_the_evaluation_of_int8_files_has_both_side_by_side(quantised, data):
    check_evaluation(quantised, data, {"float": "float", "int8": "tflite"})


def check_evaluation(run, data, forms):
    report = json.loads((run.path / "metrics.json").read_text())
    assert list(report) == [f"{name}{kind}" for name in forms for kind in ("", "_per_device")]
    tested, of_clip = run.folder.read("predictions.npz"), data.column("device", data.test)
    files = data.column("file", data.test)
    for name, form in forms.items():
        general, own = tested[name], tested[f"{name}_per_device"]
        other = ~np.isin(of_clip, ["a", "s1"])
        assert other.any() and np.array_equal(general[other], own[other])
        for device in ("a", "s1"):
            rows = np.flatnonzero(of_clip == device)
            for row in rows[:2]:
                expected = run.devices[device].predict(data.listing.root / files[row], form=form)[0]
                np.testing.assert_allclose(own[row], expected, atol=0.02 if form == "tflite" else 1e-3)
            figures = report[f"{name}_per_device"]["by_device"][device]
            labels = data.labels(data.test)[rows]
            assert figures["accuracy"] == np.mean(own[rows].argmax(1) == labels)
        assert report[f"{name}_per_device"]["unseen devices"] == report[name]["unseen devices"]
        assert report[f"{name}_per_device"]["cost"] == report[name]["cost"]  # of equal networks the largest


def test_predict_takes_the_network_of_the_device(run, data, capsys):
    file = str(data.listing.root / data.listing.file[0])

    def answer(*options):
        assert predict([str(run.path), file, "--json", *options]) == 0
        shown = capsys.readouterr()
        return np.array(json.loads(shown.out)[file]["seconds"]), shown.err

    general, own = run.predict(file), run.devices["s1"].predict(file)
    assert not np.allclose(general, own, atol=1e-4)
    np.testing.assert_allclose(answer()[0], general, atol=1e-5)
    found, printed = answer("--device", "s1")
    np.testing.assert_allclose(found, own, atol=1e-5)
    assert not printed
    found, printed = answer("--device", "s6")
    np.testing.assert_allclose(found, general, atol=1e-5)
    assert "device 's6' has no network of its own (a, s1): the general one" in printed
    assert predict([str(run.path / "per_device/device_a"), file, "--device", "a"]) == 2
    assert "has no networks of devices" in capsys.readouterr().err
    assert predict(["some/wave_to_scene.tflite", file, "--device", "a"]) == 2
    assert "a .tflite file is one network" in capsys.readouterr().err


@pytest.mark.long
def test_export_makes_the_files_of_all_devices(quantised, here, capsys):
    run = quantised
    assert export([str(run.path), "--out", "runs/copy"]) == 0
    copy = asc_tf.load_run("runs/copy")
    table = copy.folder.read("export/devices.json")
    for device, own in copy.devices.items():
        assert "wave_tflite" in own.forms and not changed(weights(own), weights(run.devices[device]))
        assert (copy.path / table["devices"][device]["file"]).is_file()
        lines = (own.path / "export/calibration.csv").read_text().splitlines()
        assert len(lines) > 1 and all(line.endswith(f",{device}") for line in lines[1:])
    assert "per_device/device_s1/export/model.tflite" in capsys.readouterr().out
    (copy.path / "per_device/device_a/export/model.json").unlink()
    with pytest.raises(UserError, match="device_a: has another int8 file than export/devices.json describes"):
        device_runs.load(copy.folder)


def test_a_table_of_another_network_is_refused(run, here):
    shutil.copytree(run.path, "runs/other")
    table = run.folder.read("export/devices.json")
    assert products.scores(run.folder).keys() >= {"float_per_device"}
    (here / "runs/other/export/devices.json").write_text(json.dumps(table | {"network_sha256": "0" * 64}))
    other = asc_tf.load_run("runs/other")
    with pytest.raises(UserError, match="is of another general network than the run has now"):
        _ = other.devices
    with pytest.raises(UserError, match="metrics.json is of networks of devices that were replaced since"):
        products.scores(other.folder)


def test_only_the_head_is_trained(run, data, here):
    recipe = resolve.load(run.path / "recipe.toml", ["per_device.train=head", "per_device.devices=['s1']"])
    shutil.copytree(run.path, "runs/head", ignore=shutil.ignore_patterns("per_device"))
    general = folder.RunFolder("runs/head", recipe)
    source = per_device.source_of(recipe, full_source(recipe, data), data, "s1")
    assert set(source.devices) == {"s1"} and len(source) == np.sum(data.column("device", data.train) == "s1")
    own = per_device.fine_tune(
        general, {"s1": source}, data, distribution=SINGLE_PROCESS, teachers=(), embedding_sizes=()
    )["s1"]
    own.write("weights/best.weights.h5", own.read_bytes("weights/last.weights.h5"))
    own.remove(["digests.json"])
    before, after = weights(run), weights(asc_tf.load_run(own.path))
    heads = asc_tf.build.head_layers(recipe, run.network)
    assert changed(before, after) == set(heads)


def full_source(recipe, data):
    return asc_tf.build.training_source(recipe, data)


@pytest.mark.long
def test_a_killed_run_goes_on_with_the_device_that_was_trained(here, capsys, monkeypatch):
    assert train(trained("tiny_teacher.toml", "runs/whole")) == 0
    ends = EpochCheckpoint.on_epoch_end

    def killed(checkpoint, epoch, logs=None):
        ends(checkpoint, epoch, logs)
        if checkpoint.title == "device s1":
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(EpochCheckpoint, "on_epoch_end", killed)
        assert train(trained("tiny_teacher.toml", "runs/killed")) == 130
    with pytest.raises(UserError, match="the networks of the devices are not trained to their end"):
        _ = asc_tf.load_run("runs/killed").devices
    capsys.readouterr()
    assert train([*trained("tiny_teacher.toml", "runs/killed"), "--resume"]) == 0
    shown = capsys.readouterr().out
    assert "device a: reused" in shown and "device s1  goes on after epoch 1" in shown and "teacher  epoch" not in shown
    whole, resumed = (asc_tf.load_run(f"runs/{name}").devices for name in ("whole", "killed"))
    assert all(not changed(weights(whole[device]), weights(resumed[device])) for device in ("a", "s1"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("per_device.devices=['s5']", "no training clip is of 's5'. Did you mean 's3'"),
        ("per_device.batch_size=64", "batch_size = 64 is more than the .* of device 's1'; see per_device.batch_size"),
        ("dataset={name='folder', root='sounds', test_share=0.3}", "the devices of the training clips are not known"),
    ],
)
def test_what_does_not_fit_the_data_is_found_before_training(here, recordings, capsys, change, message):
    change = change.replace("sounds", str(recordings))
    with pytest.raises(UserError, match=message):
        asc_tf.train(resolve.load("tiny_teacher.toml", [*SETTINGS, change]), "runs/wrong")
    assert "epoch" not in capsys.readouterr().out.partition("stage")[2].partition("\n")[2]


@pytest.mark.long
def test_the_whole_way_is_rehearsed(here, capsys):
    assert train([*trained("tiny_teacher.toml", "runs/tried"), "--rehearse"]) == 0
    plan, _, estimate = capsys.readouterr().out.partition("rehearsed")
    assert "then a copy for each device" in plan and "devices" in estimate.partition("s/step")[2]
    assert not (here / "runs/tried").exists()


@pytest.mark.long
def test_an_entry_for_the_challenge_has_outputs_by_device(quantised, data, tmp_path, capsys):
    run = quantised
    of_clip, files = data.column("device", data.test), data.column("file", data.test)
    rows = [row for device in ("a", "s1", "s5") for row in np.flatnonzero(of_clip == device)[:2]]
    (tmp_path / "evaluation_setup").mkdir()
    (tmp_path / "audio").mkdir()
    for row in rows:
        shutil.copy(data.listing.root / files[row], tmp_path / files[row])
    devices = ["unknown" if of_clip[row] == "s5" else of_clip[row] for row in rows]
    lines = [f"{files[row]}\t{device}" for row, device in zip(rows, devices, strict=True)]
    (tmp_path / "evaluation_setup/fold1_test.csv").write_text("\n".join(["filename\tdevice_id", *lines, ""]))
    text = TEAM.replace('email = "TODO"', 'email = "a@b.org"').replace("TODO.", "field.").replace('"TODO"', '"filled"')
    (tmp_path / "team.toml").write_text(text)
    options = ["--label", "Last_Inst_task1_1", "--eval-set", tmp_path, "--out", tmp_path / "out"]
    assert submit([*map(str, [run.path, *options, "--team", tmp_path / "team.toml"])]) == 0, capsys.readouterr().out

    written = (tmp_path / "out/task1/Last_Inst_task1_1/Last_Inst_task1_1.output.csv").read_text().splitlines()[1:]
    found = np.array([line.split("\t")[2:] for line in written], float)
    order = [run.labels.index(scene) for scene in SCENES]
    forms = {device: run.for_device(device) for device in devices}
    expected = [
        forms[device].predict(data.listing.root / files[row], form="tflite")[0][order]
        for row, device in zip(rows, devices, strict=True)
    ]
    np.testing.assert_allclose(found, expected, atol=1e-5)
    calls = (
        "import json, sys; from Last_Inst_task1 import Last_Inst_task1_1 as entry; "
        "print(json.dumps([one.tolist() for one in entry.predict(*json.loads(sys.argv[1]))[0]]))"
    )
    asked = json.dumps([[str(tmp_path / files[row]) for row in rows], devices])
    done = subprocess.run(
        [sys.executable, "-c", calls, asked], capture_output=True, text=True, cwd=tmp_path / "out/inference"
    )
    logits = np.array(json.loads(done.stdout))
    # int8: the front end's last digits may move an input by a step.
    np.testing.assert_allclose(metrics.softmax(logits), expected, atol=0.02)
