"""A PyTorch checkpoint becomes a run that predicts; where it does not fit, nothing is written."""

import numpy as np
import pytest
from checkpoints import torch_format

from asc_tf import build
from asc_tf.checkpoints import to_keras
from asc_tf.errors import UserError
from asc_tf.import_weights import main as program
from asc_tf.importing.weights import import_weights
from asc_tf.inference.files import predict_files
from asc_tf.inference.run import TrainedRun
from asc_tf.models import cp_mobile
from asc_tf.recipe import resolve as recipe
from asc_tf.runs import folder as run_folder

CHECKPOINT = "checkpoints/cp_mobile_dcase2023_cpjku.ckpt"
LABELS = ("low", "middle", "high")


@pytest.fixture(scope="module")
def imported(shared, tmp_path_factory):
    out = tmp_path_factory.mktemp("imported") / "run"
    return import_weights(shared / CHECKPOINT, recipe.load("cpjku2023_cp_mobile"), out)


@pytest.fixture
def small(tiny):
    """A recipe of a narrow CP-Mobile with the blocks of the published one, which `tiny` gets too."""
    published = "strides = [[1, 1], [1, 1], [1, 2], [2, 1], [1, 1], [1, 1]]\n"
    for file in (tiny, tiny.parent / "tiny_teacher.toml"):
        before, after = file.read_text().split("blocks = ")
        file.write_text(before + published + after[after.index("grn") :])
    return recipe.load(tiny.parent / "tiny_teacher.toml")


@pytest.mark.slow
def test_the_published_checkpoint_gives_the_originals_logits(imported, shared):
    logits = _logits(imported, np.moveaxis(np.load(shared / "golden/real_cpmobile23_logmel.npz")["x"], 1, -1))
    np.testing.assert_allclose(logits, _golden(shared)["logits"], atol=1e-3)


def test_waves_give_the_originals_logits(imported, shared):
    waves = np.load(shared / "golden/real_cpmobile23_waves.npz")
    logits = _logits(imported, build.network_input(imported)(waves["wave_32000"]))
    np.testing.assert_allclose(logits, _golden(shared)["logits"][waves["index_into_logmel"]], atol=1e-3)


def test_real_scenes_are_predicted_as_by_the_original(imported, shared):
    golden = _golden(shared)
    names = golden["recording_names"].tolist()
    files = [str(shared / f"data/tut2018/{name}.wav") for name in names]
    probabilities = {one.file: one.probabilities for one in predict_files(TrainedRun(imported), files)}
    predictions = np.concatenate([probabilities[file].argmax(axis=1) for file in files])
    assert imported.labels == tuple(golden["class_names"])
    # The golden cuts before it resamples, prediction after.
    assert np.mean(predictions == golden["logits"].argmax(axis=1)) >= 0.99
    assert [imported.labels[probabilities[file].mean(axis=0).argmax()] for file in files] == names


def test_every_tensor_is_accounted_for(imported):
    lines = imported.read("import.txt").splitlines()
    assert lines[0].endswith("all 117 weights of cp_mobile, keys with the prefix 'state_dict.model.'")
    assert lines[1].startswith("assumed  strides = [[1, 1], [2, 2], ")
    assert lines[2].startswith("classes  airport, bus, ") and lines[2].endswith(": the recipe's labels")
    starts = [line.split()[0] for line in lines]
    assert (starts.count("mapped"), starts.count("ignored")) == (117, 21 + 151)  # buffers, the optimizer's state
    assert "mapped   state_dict.model.stages.s2.b4.block.1.0.weight -> b4_depthwise/kernel" in lines


def test_training_into_an_imported_run_raises(imported):
    with pytest.raises(UserError, match="imported"):
        run_folder.create(imported.path, imported.recipe, resume=False)


@pytest.mark.slow
def test_any_wrapper_and_format_gives_the_same_weights(small, tmp_path):
    state = _state(small)
    wrapped = {"state_dict": {f"model.{key}": tensor for key, tensor in torch_format.simple(**state)[0].items()}}
    torch_format.write_zip(tmp_path / "a.ckpt", wrapped, state)
    torch_format.write_legacy(tmp_path / "b.pt", *torch_format.simple(**state))
    for name in ("a.ckpt", "b.pt"):
        run = import_weights(tmp_path / name, small, tmp_path / f"run_{name}", labels=LABELS)
        network = build.load_network(run)
        np.testing.assert_array_equal(
            network.get_layer("b2_project").get_weights()[0][0, 0].T,
            state["stages.s1.b2.block.2.0.weight"][..., 0, 0],
        )
        assert run.labels == LABELS


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"in_c.0.0.weight": None},
            r"104 of 105 weights fit. stem1/kernel needs in_c.0.0.weight \(2, 1, 3, 3\), which is absent",
        ),
        (
            {"in_c.0.0.weight": np.zeros((3, 1, 3, 3), "<f4")},
            r"stem1/kernel needs \(2, 1, 3, 3\), in_c.0.0.weight has \(3, 1, 3, 3\)",
        ),
        ({"in_c.0.0.weight": np.full((2, 1, 3, 3), np.nan, "<f4")}, "'in_c.0.0.weight' holds numbers that are NaN"),
        ({"in_c.0.0.weight": np.full((2, 1, 3, 3), 1e300)}, "'in_c.0.0.weight' holds .* beyond float32"),
        ({"stages.s3.b7.block.0.0.weight": np.zeros((2, 2, 1, 1), "<f4")}, "1 more of the same kind too: stages.s3.b7"),
    ],
)
def test_a_checkpoint_of_another_network_raises_and_nothing_is_written(small, tmp_path, change, message):
    state = {key: value for key, value in (_state(small) | change).items() if value is not None}
    file = torch_format.write_zip(tmp_path / "network.pt", *torch_format.simple(**state))
    with pytest.raises(UserError, match=message):
        import_weights(file, small, tmp_path / "new/run", labels=LABELS)
    assert not (tmp_path / "new").exists()


@pytest.mark.slow
def test_errors_of_the_program_are_one_line(small, tiny, tmp_path, capsys):
    file = torch_format.write_zip(tmp_path / "network.pt", *torch_format.simple(**_state(small)))
    out, taken = str(tmp_path / "run"), tmp_path / "taken"
    taken.mkdir()
    (taken / "file").write_text("text")
    (tmp_path / "cut.pt").write_bytes(file.read_bytes()[:-100])
    expected = {
        (str(file), small.file, "--out", str(taken)): "exists already",
        (str(file), small.file, "--out", str(taken / "file/run")): "cannot be written",
        (str(file), str(tiny), "--out", out): 'by = "constants"',
        (str(file), "cpjku2023_cp_mobile", "--out", out): "is not of the recipe's network",
        (str(tmp_path / "cut.pt"), small.file, "--out", out): "is not a complete file of weights",
        (str(tmp_path), small.file, "--out", out): "is a folder; name the file of weights in it",
    }
    for (checkpoint, name, *rest), message in expected.items():
        assert program([checkpoint, "--recipe", name, *rest, "--labels", ",".join(LABELS)]) == 2
        (line,) = capsys.readouterr().err.strip().splitlines()
        assert line.startswith("import_weights: ") and message in line
    assert program([str(file), "--recipe", small.file, "--out", out, "--labels", "bus,bus,tram"]) == 2
    assert "every class once" in capsys.readouterr().err
    assert not (tmp_path / "run").exists() and [entry.name for entry in taken.iterdir()] == ["file"]


def _state(small):
    """{torch key: float32 array} of a checkpoint that fits the small recipe's network of three classes."""
    rng = np.random.default_rng(0)
    match = to_keras.match(build.network(small, 3), {}, cp_mobile.torch_name)
    shapes = {pair.key: to_keras.torch_shape(pair.layer, pair.weight) for pair in match.missing}
    return {key: rng.uniform(0.1, 1, shape).astype("<f4") for key, shape in shapes.items()}


def _golden(shared):
    return np.load(shared / "golden/real_cpmobile23_state_logits.npz")


def _logits(run, spectrograms):
    return build.forward(build.load_network(run))(spectrograms).numpy()
