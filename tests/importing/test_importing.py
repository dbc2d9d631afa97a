"""Files of weights as people save them: every wrapping of one network is found; others are refused with the reason."""

import collections

import h5py
import keras
import numpy as np
import pytest
from checkpoints import torch_format

from asc_tf import build
from asc_tf.checkpoints import to_keras
from asc_tf.errors import UserError
from asc_tf.import_weights import main as program
from asc_tf.importing import guessing
from asc_tf.importing.weights import import_weights
from asc_tf.inference.system import load_run
from asc_tf.recipe import resolve

LABELS = ("low", "middle", "high")
pytestmark = pytest.mark.slow  # every import builds networks


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    """A recipe of a small CP-Mobile whose dataset does not exist."""
    recipe = resolve.load("cpjku2023_cp_mobile", ["model.width=8", "model.growth=1.8", "labels=[]"])
    return recipe


@pytest.fixture(scope="module")
def state(recipe):
    """{torch key: float32 array} of a checkpoint of the network of three classes."""
    return _state(recipe, 0)


@pytest.fixture(scope="module")
def other(recipe):
    """Another checkpoint of the same network."""
    return _state(recipe, 1)


def _state(recipe, seed, classes=3):
    rng = np.random.default_rng(seed)
    targets = to_keras.match(build.network(recipe, classes), {}, guessing.torch_name(recipe)).missing
    return {target.key: rng.uniform(0.1, 1, target.shape).astype("<f4") for target in targets}


def _prefixed(prefix, arrays):
    return {f"{prefix}{key}": array for key, array in arrays.items()}


def _write(folder, name, **trees):
    """A checkpoint of {holder: {key: array}}; the holder "" is the file itself."""
    flat = {f"{holder}/{key}": array for holder, arrays in trees.items() for key, array in arrays.items()}
    tensors, storages = torch_format.simple(**flat)
    tree = collections.defaultdict(dict)
    for key, tensor in tensors.items():
        holder, _, name_of_tensor = key.partition("/")
        tree[holder][name_of_tensor] = tensor
    top = tree.pop("top", {})
    return torch_format.write_zip(folder / name, dict(tree) | top, storages)


def _imported(file, recipe, folder, expected, **settings):
    run = import_weights(file, recipe, folder / "run", labels=LABELS, **settings)
    kernel = build.load_network(run).get_layer("b2_project").get_weights()[0]
    np.testing.assert_allclose(kernel[0, 0].T, expected["stages.s1.b2.block.2.0.weight"][..., 0, 0], rtol=1e-2)
    return run


@pytest.mark.parametrize(
    "prefix",
    ["", "module.", "model.", "net.", "student.", "_orig_mod.", "module._orig_mod.", "anything.of.the.kind."],
)
def test_prefixes_are_found_by_the_match(recipe, state, tmp_path, prefix):
    _imported(_write(tmp_path, "a.pt", top=_prefixed(prefix, state)), recipe, tmp_path, state)


@pytest.mark.parametrize("name", ["a.PT", "pytorch_model.bin", "noext", "a.pth.tar", "a.ckpt"])
def test_the_format_is_detected_by_content(recipe, state, tmp_path, name):
    _imported(_write(tmp_path, name, weights=state), recipe, tmp_path, state)


def test_extra_tensors_are_ignored_and_listed(recipe, state, tmp_path, capsys):
    extra = {
        "teacher.conv.weight": np.ones((4, 4), "<f4"),
        "projection.weight": np.ones((2, 2), "<f4"),
        "mel.mel_basis": np.ones(3, "<f4"),
        "model.in_c.0.1.num_batches_tracked": np.array(3, "<i8"),
    }
    file = _write(
        tmp_path, "a.ckpt", state_dict=_prefixed("model.", state) | extra, optimizer=_prefixed("0.exp_avg.", state)
    )
    run = _imported(file, recipe, tmp_path, state)
    lines = run.read("import.txt").splitlines()
    assert "ignored  state_dict.teacher.conv.weight: no part of the network" in lines
    assert "ignored  state_dict.mel.mel_basis: front end, which the recipe has of its own" in lines
    assert sum(line.startswith("ignored  ") for line in lines) == len(extra) + len(state) or any(
        "another  network" in line for line in lines
    )
    assert "no part of the network" in capsys.readouterr().out


def test_of_two_networks_one_must_be_chosen(recipe, state, other, tmp_path):
    file = _write(tmp_path, "a.pt", model=state, model_ema=_prefixed("module.", other))
    size = len(state)
    with pytest.raises(UserError) as error:
        import_weights(file, recipe, tmp_path / "run", labels=LABELS)
    for text in (f"'model.': {size} of {size} weights", f"'model_ema.module.': {size} of {size}", "with --prefix"):
        assert text in str(error.value)
    run = _imported(file, recipe, tmp_path, other, prefix="model_ema.module")
    assert f"another  network in the file, 'model.': {size} of {size} weights fit" in run.read("import.txt")


def test_a_short_prefix_names_a_network_and_an_unknown_one_is_refused(recipe, state, other, tmp_path):
    file = _write(tmp_path, "a.pt", state_dict=_prefixed("student.", state) | _prefixed("device_b.", other))
    _imported(file, recipe, tmp_path, other, prefix="device_b.")
    with pytest.raises(UserError, match="--prefix device_c: no weight of cp_mobile has this prefix. The file's keys"):
        import_weights(file, recipe, tmp_path / "run2", labels=LABELS, prefix="device_c")


def test_two_equal_networks_are_one(recipe, state, tmp_path):
    _imported(_write(tmp_path, "a.pt", model=state, copy=dict(state)), recipe, tmp_path, state)


def test_a_teacher_of_another_size_does_not_disturb(recipe, state, tmp_path):
    wider = resolve.load("cpjku2023_cp_mobile", ["model.width=16", "labels=[]"])
    file = _write(tmp_path, "a.pt", top=_prefixed("student.", state) | _prefixed("teacher.", _state(wider, 2)))
    _imported(file, recipe, tmp_path, state)


@pytest.mark.parametrize("kind", ["<f2", "bfloat16", "<f8"])
def test_other_number_formats(recipe, state, tmp_path, kind):
    if kind == "bfloat16":
        arrays = {key: (array.view("<u4") >> 16).astype("<u2") for key, array in state.items()}
    else:
        arrays = {key: array.astype(kind) for key, array in state.items()}
    _imported(_write(tmp_path, "a.pt", top=arrays), recipe, tmp_path, state)


@pytest.mark.parametrize("name", ["a.keras", "a.weights.h5", "a.h5", "a.npz", "torch.npz"])
def test_keras_and_numpy_files(recipe, state, tmp_path, name):
    network = build.network(recipe, 3)
    match = to_keras.match(network, {key: array.shape for key, array in state.items()}, guessing.torch_name(recipe))
    for target, keys in match.keys:
        target.weight.assign(target.convert([state[key] for key in keys]))
    named = {f"{layer.name}/{weight.name}": weight.numpy() for layer in network.layers for weight in layer.weights}
    file = tmp_path / name
    if name == "a.h5":
        with h5py.File(file, "w") as content:
            for key, array in named.items():
                content[f"model_weights/{key.split('/')[0]}/{key}:0"] = array
    elif name.endswith("npz"):
        np.savez(file, **(state if name == "torch.npz" else named))
    else:
        network.save(file) if name == "a.keras" else network.save_weights(file)
    _imported(file, recipe, tmp_path, state)


def test_the_wrong_recipe_is_answered_with_the_settings_that_fit(recipe, state, tmp_path):
    wrong = resolve.load("cpjku2023_cp_mobile", ["model.width=16", "model.grn=false"])
    file = _write(tmp_path, "a.pt", model=_prefixed("net.", state))
    with pytest.raises(UserError) as error:
        import_weights(file, wrong, tmp_path / "run", labels=LABELS)
    settings = "cp_mobile with width = 8, growth = 1.8, expansion = 3.0, grn = True"
    for text in ("stem1/kernel needs (4, 1, 3, 3), model.net.in_c.0.0.weight has (2, 1, 3, 3);", settings):
        assert text in str(error.value)
    assert "3 classes; strides cannot be seen in shapes. --guess imports" in str(error.value)
    run = _imported(file, wrong, tmp_path, state, guess=True)
    written = resolve.load(tmp_path / "run.toml")
    assert written == run.recipe and written.model.settings | {"strides": 0} == recipe.model.settings | {"strides": 0}
    assert "assumed  strides = " in run.read("import.txt")


def test_a_file_of_no_known_family(recipe, tmp_path):
    file = _write(tmp_path, "a.pt", top={"conv.weight": np.ones((3, 3), "<f4")})
    for guess in (False, True):
        with pytest.raises(UserError, match="settings of a known family fit all shapes"):
            import_weights(file, recipe, tmp_path / "run", labels=LABELS, guess=guess)


def test_names_of_the_classes(recipe, state, tmp_path, capsys):
    file = _write(tmp_path, "a.pt", top=state)
    with pytest.raises(UserError, match="network has 3 classes, and --labels has 2 names"):
        import_weights(file, recipe, tmp_path / "run", labels=("a", "b"))
    with pytest.raises(UserError, match="network has 3 classes, and the recipe's dataset, tau has 10 names"):
        import_weights(file, recipe, tmp_path / "run")
    ten = _write(tmp_path, "ten.pt", top=_state(recipe, 0, classes=10))
    assert import_weights(ten, recipe, tmp_path / "ten").labels[0] == "airport"
    assert "the recipe's dataset, tau, TAKEN BECAUSE THE NUMBER FITS" in capsys.readouterr().out
    named = resolve.load("cpjku2023_cp_mobile", ["model.width=8", "model.growth=1.8", 'labels=["x","y","z"]'])
    assert import_weights(file, named, tmp_path / "named").labels == ("x", "y", "z")
    assert "(x, y, z): the recipe's labels" in capsys.readouterr().out


def test_a_dataset_whose_files_are_absent_is_needed_for_its_names_alone(recipe, state, tmp_path):
    absent = resolve.load(
        "cpjku2023_cp_mobile",
        ["model.width=8", "model.growth=1.8", "labels=[]", 'dataset={name="folder", root="absent", test_share=0.3}'],
    )
    file = _write(tmp_path, "a.pt", top=state)
    with pytest.raises(UserError, match="has 3 classes, and their names cannot be taken .*absent.*with --labels"):
        import_weights(file, absent, tmp_path / "run")
    _imported(file, absent, tmp_path, state)


def test_labels_of_the_program_are_a_list_a_file_or_a_shipped_list(recipe, state, tmp_path, capsys):
    file = str(_write(tmp_path, "a.pt", top=_state(recipe, 0, classes=13)))
    (tmp_path / "names.txt").write_text("\n".join(f"class_{number}" for number in range(13)))
    options = ["--recipe", "cpjku2023_cp_mobile", "--set", "model.width=8", "--set", "model.growth=1.8"]
    for number, labels in enumerate(["cochlscene_13", str(tmp_path / "names.txt"), ",".join("abcdefghijklm")]):
        assert program([file, *options, "--labels", labels, "--out", str(tmp_path / f"run{number}")]) == 0
    assert (tmp_path / "run0/labels.txt").read_text().split()[:2] == ["Bus", "Cafe"]
    assert (tmp_path / "run2/labels.txt").read_text().split() == list("abcdefghijklm")
    assert program([file, *options, "--labels", "absent", "--out", str(tmp_path / "run")]) == 2
    assert "labels 'absent': is neither a list nor a readable file" in capsys.readouterr().err


def test_a_file_that_does_not_fit_leaves_nothing_behind(recipe, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    quickstart = resolve.load("quickstart")
    file = _write(tmp_path, "a.pt", top={"conv.weight": np.ones((3, 3), "<f4")})
    with pytest.raises(UserError, match="is not of the recipe's network"):
        import_weights(file, quickstart, "run")
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.pt"]  # no scenes, no run


def test_weights_of_a_quickstart_network_need_no_scenes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    quickstart = resolve.load("quickstart")
    build.network(quickstart, 10).save_weights("a.weights.h5")
    assert import_weights("a.weights.h5", quickstart, "run").labels[-1] == "tram"
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["a.weights.h5", "run"]


def test_frozen_layers_and_keras_models_that_hold_another(recipe, state, tmp_path):
    network = build.network(recipe, 3)
    inner = keras.Model(network.inputs, network.outputs, name="inner")
    outer = keras.Sequential([keras.Input(network.input_shape[1:]), inner])
    outer.save(tmp_path / "outer.keras")
    run = import_weights(tmp_path / "outer.keras", recipe, tmp_path / "run", labels=LABELS)
    expected = network.get_layer("b2_project").get_weights()[0]
    np.testing.assert_array_equal(build.load_network(run).get_layer("b2_project").get_weights()[0], expected)


def test_a_new_head_gives_embeddings_and_starts_a_training_but_predicts_nothing(recipe, state, tmp_path):
    headless = {key: array for key, array in state.items() if not key.startswith("feed_forward")}
    for number, arrays in enumerate((headless, _state(recipe, 0, classes=7))):
        file = _write(tmp_path, f"{number}.pt", top=arrays)
        run = import_weights(file, recipe, tmp_path / f"run{number}", labels=LABELS, new_head=True)
        assert run.labels == LABELS and "initial  head/kernel, " in run.read("import.txt")
        trained = load_run(run.path)
        assert trained.embeddings(np.zeros(32000, "float32"), 32000).shape[0] == 1
        with pytest.raises(UserError, match=r"its head is not trained; train a recipe that has \[init\] run"):
            trained.predict(np.zeros(32000, "float32"), 32000)
