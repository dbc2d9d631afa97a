"""Every file of a run, damaged in every way: each reader ends in one line that names the file and what to do."""

import csv
import gzip
import io
import json
import re
import shutil

import numpy as np
import pytest

from asc_tf import build
from asc_tf.chain.train import ALL_READ, train
from asc_tf.errors import UserError
from asc_tf.evaluation import compare, evaluate
from asc_tf.export.device import micro_sources, tflite_files
from asc_tf.export.quantisation.run import quantised_run, write_float16
from asc_tf.inference.run import TrainedRun
from asc_tf.inference.system import load_run
from asc_tf.recipe import resolve
from asc_tf.runs import clip_record, digests, files, layout, products, times
from asc_tf.runs import folder as run_folder
from asc_tf.runs.folder import RunFolder
from asc_tf.training.callbacks import EpochCheckpoint
from asc_tf.training.fit import compiled_student

pytestmark = pytest.mark.slow

STORE = f"{layout.TEACHER_OUTPUTS}/train-1_crops/0000000.npz"
FEW = ["train.epochs=1", "quantise.epochs=1", "quantise.frozen_epochs=0"]


@pytest.fixture(scope="module")
def whole(tiny_in, tmp_path_factory):
    """A finished run with all files that a run can have."""
    folder = tmp_path_factory.mktemp("whole")
    alone = resolve.load(tiny_in(folder).with_name("tiny_teacher.toml"), ["train.epochs=1"])
    path = train(alone, folder / "run").path
    tiny = resolve.load(folder / "tiny.toml", FEW)
    assert not tflite_files.write_int8(TrainedRun(run_folder.load(path)), tiny)
    write_float16(TrainedRun(run_folder.load(path)))
    run = run_folder.load(path)
    run.write_arrays(STORE, {"logits": np.zeros((3, 3), np.float16), "clip list": np.array("3 clips")})
    return path


@pytest.fixture(scope="module")
def student(whole):
    """A student of the run's recipe, into which its state is read."""
    run = run_folder.load(whole)
    return compiled_student(run.recipe, classes=run.labels, steps=2)


@pytest.fixture
def run(whole, tmp_path):
    """A copy of that run."""
    return shutil.copytree(whole, tmp_path / "run")


def form(name):
    return lambda path, _: load_run(path).form(name)


def resumed(path, student):
    run = run_folder.load(path)
    EpochCheckpoint(run, student.network, None, np.array([]), title="").resume(student)


def checked(path, _):
    """As train --resume, and train with this run as teacher, read it before any work."""
    run = run_folder.load(path)
    digests.check(run)
    run.check([*ALL_READ, STORE])


def sources(path, _):
    micro_sources.export(run_folder.load(path), path.parent / "sources")


def read_report(path, _):
    compare.load([path])


READERS = {
    layout.RECIPE: [form("float"), lambda path, _: digests.check(RunFolder(path, None))],
    layout.LABELS: [form("float"), form("tflite"), checked],
    layout.BEST_WEIGHTS: [form("float"), form("quantised"), form("tflite"), form("wave_tflite"), checked],
    layout.DIGESTS: [form("float"), checked],
    layout.STATE: [resumed, checked],
    layout.METRICS: [checked],
    layout.TIMES: [lambda path, _: times.read(run_folder.load(path)), checked],
    layout.LOG: [lambda path, _: evaluate.load_forms(load_run(path)), checked],
    layout.PARITY: [lambda path, _: evaluate.load_forms(load_run(path)), checked],
    layout.PREDICTIONS: [read_report],
    layout.CLIPS: [lambda path, _: clip_record.read(run_folder.load(path))],
    layout.QAT_STATE: [form("quantised"), checked],
    layout.QUANTISE_RECIPE: [lambda path, _: quantised_run(load_run(path))],
    layout.METADATA: [form("tflite"), form("wave_tflite"), sources],
    layout.INT8: [form("tflite"), sources],
    layout.WAVE: [form("wave_tflite")],
    layout.FLOAT16: [form("float16_tflite")],
    layout.FLOAT16_METADATA: [form("float16_tflite")],
    STORE: [checked],
}
CASES = [(name, reader) for name, readers in READERS.items() for reader in readers]


def replaced(file, content):
    file.unlink()
    file.write_bytes(content)


def as_folder(file):
    file.unlink()
    file.mkdir()


def flipped(file):
    content = bytearray(file.read_bytes())
    for place in range(len(content) // 3, len(content), max(1, len(content) // 7)):
        content[place] ^= 0x55
    replaced(file, bytes(content))


DAMAGES = {
    "empty": lambda file: replaced(file, b""),
    "cut": lambda file: replaced(file, file.read_bytes()[: file.stat().st_size // 2]),
    "random": lambda file: replaced(file, np.random.default_rng(1).bytes(300)),
    "flipped": flipped,
    "null": lambda file: replaced(file, b"null"),
    "list": lambda file: replaced(file, b"[1, 2]"),
    "text": lambda file: replaced(file, "“hello”\n".encode("utf-16")),
    "folder": as_folder,
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize(("name", "reader"), CASES)
def test_a_damaged_file_is_named_with_what_to_do(name, reader, damage, run, student):
    DAMAGES[damage](run / name)
    with pytest.raises(UserError, match=re.escape(name.rpartition("/")[2])) as raised:
        reader(run, student)
    assert "\n" not in str(raised.value) and re.search(r"(?i)restore|remove|anew|again|move", str(raised.value))


@pytest.mark.parametrize(("name", "reader"), CASES)
def test_a_missing_file_is_named_or_not_needed(name, reader, run, student):
    (run / name).unlink()
    optional = {layout.LOG, layout.PARITY, layout.DIGESTS, layout.TIMES, layout.METRICS, STORE, layout.QUANTISE_RECIPE}
    if name in optional or reader is checked and name in (layout.STATE, layout.QAT_STATE):
        reader(run, student)
    elif name == layout.STATE:
        resumed(run, student)  # from the first epoch
    elif name == layout.CLIPS:
        assert not run_folder.load(run).has(name)
    elif name == layout.RECIPE:
        with pytest.raises(UserError, match="is not a run folder|recipe.toml: is missing"):
            reader(run, student)
    else:
        with pytest.raises(UserError, match=f"{re.escape(name)}: is missing"):
            reader(run, student)


@pytest.mark.parametrize("name", [layout.INT8, layout.WAVE, layout.FLOAT16])
def test_a_product_that_was_lost_is_not_passed_over(name, run):
    (run / name).unlink()
    with pytest.raises(
        UserError, match=rf"{re.escape(name)}: is missing, though export/model\S* describes it. Make it"
    ):
        evaluate.load_forms(load_run(run))


def edit_json(run, name, **changes):
    run.write_json(name, run.read(name) | changes)


def edit_arrays(run, name, **changes):
    run.write_arrays(name, run.read(name) | changes)


def other_weights(run):
    network = build.load_network(run)
    network.set_weights([weights + 1e-3 for weights in network.get_weights()])
    build.save_weights(run, network, layout.BEST_WEIGHTS)


def of_networks(run, name="float", **changes):
    """metrics.json of one network, as the float network's with changes."""
    return {name: run.read(layout.METRICS)["float"] | changes}


def as_table(rows):
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return gzip.compress(text.getvalue().encode())


# what is of another run or type, though it can be read -> (change, file named, readers that must refuse)
FOREIGN = {
    "weights": (other_weights, "best.weights.h5", [form("float"), form("tflite"), form("wave_tflite"), checked]),
    "labels": (lambda run: run.write(layout.LABELS, "low\nhigh\nmiddle\n"), "labels.txt", [form("float"), checked]),
    "recipe": (
        lambda run: run.write(layout.RECIPE, run.read(layout.RECIPE).replace("min_hz = 0.0", "min_hz = 50.0")),
        "recipe.toml", [form("float"), form("tflite"), checked],
    ),
    "state of other classes": (
        lambda run: edit_arrays(run, layout.STATE, made_from=np.array("0" * 64)), "state.npz", [resumed]
    ),
    "state of another network": (
        lambda run: edit_arrays(run, layout.STATE, **{"variable 0": np.zeros((1, 2, 3))}), "state.npz", [resumed]
    ),
    "state that is not finite": (
        lambda run: run.write_arrays(layout.STATE, run.read(layout.STATE) | {"variable 0": np.full(3, np.nan)}),
        "state.npz", [resumed, checked],
    ),
    "state of objects": (
        lambda run: run.write(layout.STATE, files.packed({"rows": np.array([None], object)})), "state.npz", [checked]
    ),
    "recipe of quantisation": (
        lambda run: run.write(layout.QUANTISE_RECIPE, run.read(layout.RECIPE).replace("width = 8", "width = 16")),
        "recipe.toml", [READERS[layout.QUANTISE_RECIPE][0]],
    ),
    "state of quantisation": (
        lambda run: edit_arrays(run, layout.QAT_STATE, made_from=np.array("0" * 64)), "state.npz", [form("quantised")]
    ),
    "int8 file": (
        lambda run: run.write(layout.INT8, run.read(layout.FLOAT16)), "model.tflite", [form("tflite"), sources]
    ),
    "file from waveform": (
        lambda run: run.write(layout.WAVE, run.read(layout.INT8)), "wave_to_scene.tflite", [form("wave_tflite")]
    ),
    "float16 file": (
        lambda run: run.write(layout.FLOAT16, run.read(layout.INT8)), "model_float16.tflite", [form("float16_tflite")]
    ),
    "description of another network": (
        lambda run: edit_json(run, layout.METADATA, network_sha256="0" * 64), "model.tflite", [form("tflite"), sources]
    ),
    "text for a number": (
        lambda run: edit_json(run, layout.METADATA, macs="many"), "model.json", [form("tflite"), sources]
    ),
    "a list for a table": (
        lambda run: edit_json(run, layout.METADATA, feature=[]), "model.json", [form("tflite"), sources]
    ),
    "true for a number": (lambda run: edit_json(run, layout.METADATA, macs=True), "model.json", [form("tflite")]),
    "not finite": (lambda run: edit_json(run, layout.METADATA, segment_s=np.inf), "model.json", [form("tflite")]),
    "report of another network": (
        lambda run: run.write_json(layout.METRICS, of_networks(run, network_sha256="0" * 64)), "metrics.json",
        [checked, read_report],
    ),
    "report of another int8 file": (
        lambda run: run.write_json(layout.METRICS, of_networks(run) | of_networks(run, "int8", sha256="0" * 64)),
        "metrics.json is of an int8 file that was replaced", [read_report],
    ),
    "times": (lambda run: run.write_json(layout.TIMES, {"data": {"seconds": "1"}}), "times.json", [checked]),
    "clips": (lambda run: run.write(layout.CLIPS, as_table([["file"], ["a"]])), "clips.csv.gz",
              [lambda path, _: clip_record.read(run_folder.load(path))]),
}  # fmt: skip


@pytest.mark.parametrize("case", FOREIGN)
def test_a_file_of_another_run_or_with_other_content_is_refused(case, run, student):
    change, name, readers = FOREIGN[case]
    change(run_folder.load(run))
    for reader in readers:
        with pytest.raises(UserError, match=f"{re.escape(name)}") as raised:
            reader(run, student)
        assert "\n" not in str(raised.value)


def test_the_whole_run_is_read_by_all_readers(run, student):
    for _, reader in CASES:
        reader(run, student)
    folder = run_folder.load(run)
    assert all(products.read(folder, name) for name in products.DESCRIPTIONS)
    assert json.loads((run / layout.DIGESTS).read_text()).keys() == {"recipe.toml", "labels.txt", layout.BEST_WEIGHTS}


@pytest.mark.parametrize("place", ["quantise", "write_report", "convert"])
def test_an_export_that_is_interrupted_leaves_the_files_of_the_one_before(place, run, monkeypatch):
    recipe = quantised_run(load_run(run)).recipe
    before = {file: file.read_bytes() for file in run.rglob("*") if file.is_file()}

    def stop(*_, **__):
        raise KeyboardInterrupt

    modules = {"quantise": tflite_files.quantisation, "write_report": tflite_files.comparison}
    monkeypatch.setattr(modules.get(place, tflite_files.wave), place, stop)
    if place != "quantise":
        quick = lambda run, recipe, folder, *_: (_copied(run, folder), None)  # noqa: E731
        monkeypatch.setattr(tflite_files.quantisation, "quantise_anew", quick)
    if place == "convert":
        monkeypatch.setattr(tflite_files.comparison, "write_report", lambda *_, **__: None)
    with pytest.raises(KeyboardInterrupt):
        tflite_files.write_int8(load_run(run), recipe)
    assert {file: file.read_bytes() for file in run.rglob("*") if file.is_file()} == before
    load_run(run).form("tflite")


def _copied(run, folder):
    """A run in the folder of the new files, in place of one that was quantised."""
    for name in (layout.INT8, layout.METADATA):
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copy(run.path / name, folder / name)
    return TrainedRun(run_folder.RunFolder(folder, run.recipe))
