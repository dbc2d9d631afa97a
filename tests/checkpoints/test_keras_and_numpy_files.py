"""Weights in Keras's and NumPy's files: read by name or number; nothing outside of the file, and nothing is run."""

import zipfile

import h5py
import keras
import numpy as np
import pytest
from keras import layers

from asc_tf.checkpoints import files, state_dict, to_keras
from asc_tf.errors import UserError

ARRAY = np.arange(6, dtype="<f4").reshape(2, 3)


@pytest.fixture(scope="module")
def network():
    inputs = keras.Input((4, 4, 2))
    x = layers.Conv2D(3, 2, name="stem")(inputs)
    x = layers.Conv2D(3, 1, name="second")(layers.BatchNormalization(name="norm")(x))
    x = layers.GRU(2, name="rnn")(layers.Reshape((9, 3))(x))
    model = keras.Model(inputs, layers.Dense(2, name="head")(x))
    model.set_weights([np.random.default_rng(0).uniform(size=weight.shape) for weight in model.weights])
    return model


@pytest.mark.parametrize("name", ["a.keras", "a.weights.h5"])
def test_keras_files_give_the_same_weights(network, tmp_path, name):
    network.save(tmp_path / name) if name.endswith(".keras") else network.save_weights(tmp_path / name)
    _check_read(network, tmp_path / name)


def test_older_h5_files_of_models_and_of_weights_are_read_by_name(network, tmp_path):
    names = {"rnn": "rnn/gru_cell/"}
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for layer in network.layers:
            for weight in layer.weights:
                path = f"model_weights/{layer.name}/{names.get(layer.name, f'{layer.name}/')}{weight.name}:0"
                file[path] = weight.numpy()
    tensors = state_dict.tensors(files.load(tmp_path / "a.h5"), "a.h5")
    assert {"model_weights.stem.kernel", "model_weights.norm.moving_mean"} < set(tensors)


@pytest.mark.parametrize("style", ["npz", "compressed"])
def test_npz_files_of_named_weights(network, tmp_path, style):
    arrays = {f"{layer.name}/{weight.name}": weight.numpy() for layer in network.layers for weight in layer.weights}
    (np.savez if style == "npz" else np.savez_compressed)(tmp_path / "a.npz", **arrays)
    _check_read(network, tmp_path / "a.npz")


def test_npz_arrays_of_any_order_and_type(tmp_path):
    half, big = ARRAY.astype("<f2"), ARRAY.astype(">f8")
    np.savez(tmp_path / "a.npz", fortran=np.asfortranarray(ARRAY), half=half, big=big, text=np.array(["a"]))
    tensors = state_dict.tensors(files.load(tmp_path / "a.npz"), "a.npz")
    assert list(tensors) == ["fortran", "half", "big"]
    for tensor in tensors.values():
        np.testing.assert_array_equal(tensor.values(), ARRAY)


def test_pickles_in_npz_files_are_left_out(tmp_path):
    np.savez(tmp_path / "a.npz", objects=np.array([{"a": 1}], object), good=ARRAY)
    assert list(files.load(tmp_path / "a.npz")) == ["good"]


def test_an_npz_array_of_another_size_than_its_header_states_raises(tmp_path):
    np.savez(tmp_path / "a.npz", a=ARRAY)
    with zipfile.ZipFile(tmp_path / "a.npz") as archive:
        content = archive.read("a.npy")
    with zipfile.ZipFile(tmp_path / "b.npz", "w") as archive:
        archive.writestr("a.npy", content[:-4])
    with pytest.raises(UserError, match="b.npz: is not a complete file of weights .*'a.npy' holds 148 bytes"):
        files.load(tmp_path / "b.npz")


def test_h5_data_in_other_files_is_not_read(tmp_path):
    (tmp_path / "secret").write_bytes(ARRAY.tobytes())
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["linked"] = h5py.ExternalLink(str(tmp_path / "b.h5"), "/x")
        file["good"] = ARRAY
    assert list(files.load(tmp_path / "a.h5")) == ["good"]
    with h5py.File(tmp_path / "c.h5", "w") as file:
        file.create_dataset("x", (2, 3), "f4", external=[(str(tmp_path / "secret"), 0, 24)])
    with pytest.raises(UserError, match="'x' is stored in another file"):
        files.load(tmp_path / "c.h5")


def test_a_truncated_h5_file_raises(network, tmp_path):
    network.save_weights(tmp_path / "a.weights.h5")
    content = (tmp_path / "a.weights.h5").read_bytes()
    (tmp_path / "cut.h5").write_bytes(content[: len(content) // 2])
    with pytest.raises(UserError, match="cut.h5: (cannot be read|is not a complete)"):
        files.load(tmp_path / "cut.h5")


def _check_read(network, file):
    tensors = state_dict.tensors(files.load(file), file)
    match = to_keras.match(network, {key: tensor.shape for key, tensor in tensors.items()})
    assert match.fits and len(match.keys) == len(network.weights)
    for target, keys in match.keys:
        np.testing.assert_array_equal(target.convert([tensors[key].values() for key in keys]), target.weight)
