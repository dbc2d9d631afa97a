import json
import os
import pickle
import struct
import zipfile

import numpy as np
import pytest
from checkpoints import torch_format
from checkpoints.torch_format import Call, Global

from asc_tf.checkpoints import _pickled, files, state_dict
from asc_tf.errors import UserError

NUMBERS = np.arange(6, dtype="<f4")


@pytest.mark.parametrize("write", [torch_format.write_zip, torch_format.write_legacy])
def test_torch_tensors_are_views_of_storages(tmp_path, write):
    tree = {
        "whole": torch_format.tensor("0", NUMBERS, shape=(2, 3), strides=(3, 1)),
        "turned": torch_format.tensor("0", NUMBERS, shape=(3, 2), strides=(1, 3)),
        "part": torch_format.tensor("0", NUMBERS, shape=(2,), strides=(2,), offset=3),
        "repeated": torch_format.tensor("0", NUMBERS, shape=(2, 2), strides=(0, 1)),
        "scalar": torch_format.tensor("0", NUMBERS, shape=(), strides=(), offset=5),
        "empty": torch_format.tensor("0", NUMBERS, shape=(0, 4), strides=(4, 1)),
    }
    values = _values(write(tmp_path / "network.pt", tree, {"0": NUMBERS}))
    assert values == {
        "whole": [[0, 1, 2], [3, 4, 5]],
        "turned": [[0, 3], [1, 4], [2, 5]],
        "part": [3, 5],
        "repeated": [[0, 1], [0, 1]],
        "scalar": 5,
        "empty": [],
    }


@pytest.mark.parametrize("write", [torch_format.write_zip, torch_format.write_legacy])
def test_all_types_become_float32(tmp_path, write):
    # bfloat16 is the upper half of a float32: 0x3fc0 is 1.5, 0xc000 is -2.
    halves = np.array([0x3FC0, 0xC000], "<u2")
    arrays = {"half": np.array([0.5, -2], "<f2"), "double": np.array([1e-3]), "long": np.array([7]), "bfloat": halves}
    values = _values(write(tmp_path / "network.pth", *torch_format.simple(**arrays)))
    assert values == {"half": [0.5, -2], "double": [float(np.float32(1e-3))], "long": [7], "bfloat": [1.5, -2]}


def test_safetensors_values_are_read(tmp_path):
    header = {
        "b": {"dtype": "BF16", "shape": [2], "data_offsets": [24, 28]},
        "a": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]},
        "__metadata__": {"format": "pt"},
    }
    content = NUMBERS.tobytes() + np.array([0x3FC0, 0xC000], "<u2").tobytes()
    file = _safetensors(tmp_path / "network.safetensors", header, content)
    assert _values(file) == {"a": [[0, 1, 2], [3, 4, 5]], "b": [1.5, -2]}


@pytest.mark.parametrize("format", ["zip", "legacy", "safetensors"])
def test_files_that_torch_writes_are_read_as_torch_reads_them(tmp_path, format):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: its files are those of torch_format.py")
    x = torch.arange(24, dtype=torch.float32).reshape(2, 3, 4)
    state = {"x": x, "y": x.permute(2, 0, 1)[1:], "h": x.half(), "b": x.bfloat16(), "n": torch.tensor(3)}
    file = tmp_path / f"network.{'safetensors' if format == 'safetensors' else 'ckpt'}"
    if format == "safetensors":
        library = pytest.importorskip("safetensors.torch")
        library.save_file({key: value.clone().contiguous() for key, value in state.items()}, file)
    else:
        module = torch.nn.Conv2d(2, 3, 3)
        state |= {f"module.{key}": value for key, value in module.state_dict().items()}
        torch.save(state | {"parameter": module.weight}, file, _use_new_zipfile_serialization=format == "zip")
        state["parameter"] = module.weight.detach()
    assert _values(file) == {key: value.float().numpy().tolist() for key, value in state.items()}


@pytest.mark.parametrize("protocol", range(1, 6))
def test_pickled_numpy_arrays_are_read(tmp_path, protocol):
    table = np.arange(6, dtype=np.float32).reshape(2, 3)
    arrays = {"c": table, "fortran": np.asfortranarray(table), "big": table.astype(">f8"), "one": np.array(7, "i2")}
    others = {"texts": np.array(["a"]), "objects": np.array([None, 1], object), "best": np.float32(3.0)}
    content = pickle.dumps({"net": arrays, **others, "set": frozenset([1]), "raw": bytearray(b"x")}, protocol)
    alone = tmp_path / "arrays.pkl"
    alone.write_bytes(content)
    for file in [alone, torch_format.write_zip(tmp_path / "arrays.pt", None, {}, pickle=content)][protocol < 2 :]:
        tensors = state_dict.tensors(files.load(file), file)
        found = {key: tensor.values().tolist() for key, tensor in tensors.items()}
        assert found == {f"net.{key}": values.tolist() for key, values in arrays.items()}


def test_a_pickled_array_without_all_its_values_is_refused(tmp_path):
    content = pickle.dumps({"w": np.arange(6, dtype=np.float64)}, 2)
    file = tmp_path / "arrays.pt"
    file.write_bytes(content.replace(b"K\x06\x85", b"K\x07\x85"))  # the shape
    assert file.read_bytes() != content
    with pytest.raises(UserError, match="an array of 48 bytes for the shape"):
        files.load(file)


def test_tensors_of_a_subclass_are_read(tmp_path):
    tensor = torch_format.tensor("0", NUMBERS)
    rebuilt = Call(Global("torch._tensor", "_rebuild_from_type_v2"), (tensor.function, "Sub", tensor.arguments, {}))
    assert _values(torch_format.write_zip(tmp_path / "a.pt", {"w": rebuilt}, {"0": NUMBERS})) == {"w": NUMBERS.tolist()}


def test_functions_that_a_file_names_are_not_called(tmp_path):
    marker = tmp_path / "marker"
    call = Call(Global("os", "system"), (f"touch {marker}",))
    chained = Call(Call(Global("builtins", "getattr"), (Global("os", "x"), "system")), (f"touch {marker}",))
    tree = {"hyper_parameters": [call, chained], "state_dict": torch_format.simple(w=NUMBERS)[0]}
    # BUILD with attributes, SETITEMS and APPENDS on an Unknown have no effect.
    pickle = torch_format.pickled(tree)[:-1] + b"}(X\x01\x00\x00\x00acos\nsystem\nub."
    loaded = files.load(torch_format.write_zip(tmp_path / "network.ckpt", None, {"w": NUMBERS}, pickle=pickle))
    assert loaded["hyper_parameters"][0] == _pickled.Unknown(_pickled.Name("os", "system"))
    assert loaded["state_dict"]["w"].values().tolist() == [0, 1, 2, 3, 4, 5]
    assert not marker.exists()


def test_a_large_memo_index_takes_no_memory(tmp_path):
    content = b"\x80\x02}r\xff\xff\xff\xff."  # LONG_BINPUT 4294967295: C's unpickler allocates a table of that size
    assert files.load(torch_format.write_zip(tmp_path / "network.pt", None, {}, pickle=content)) == {}


HOSTILE = {
    "beyond": torch_format.tensor("w", NUMBERS, shape=(7,), strides=(1,)),
    "stride": torch_format.tensor("w", NUMBERS, shape=(2, 2), strides=(5, 1)),
    "huge": torch_format.tensor("w", NUMBERS, shape=(1 << 62, 1 << 62), strides=(1 << 62, 1)),
    "negative": torch_format.tensor("w", NUMBERS, shape=(2,), strides=(-1,), offset=3),
    "axes": torch_format.tensor("w", NUMBERS, shape=(1,) * 40, strides=(1,) * 40),
    "text": torch_format.tensor("w", NUMBERS, shape=("a",), strides=(1,)),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_tensors_beyond_their_storage_raise(tmp_path, name):
    with pytest.raises(UserError, match="network.pt: is not a complete file of weights"):
        files.load(torch_format.write_zip(tmp_path / "network.pt", {"w": HOSTILE[name]}, {"w": NUMBERS}))


@pytest.mark.parametrize("content", [b"\x00" * 20, b""])
def test_a_storage_shorter_than_declared_raises_when_it_is_read(tmp_path, content):
    tree, _ = torch_format.simple(w=NUMBERS)
    file = torch_format.write_zip(tmp_path / "network.pt", tree, {"w": content})
    with pytest.raises(UserError, match=f"{len(content)} bytes for 6 elements"):
        _values(file)


def test_changed_bytes_raise_by_their_checksum(tmp_path):
    file = torch_format.write_zip(tmp_path / "network.pt", *torch_format.simple(w=NUMBERS))
    file.write_bytes(file.read_bytes().replace(NUMBERS.tobytes(), NUMBERS[::-1].tobytes()))
    with pytest.raises(UserError, match="Bad CRC-32"):
        _values(file)


def test_compressed_entries_raise_whatever_size_they_declare(tmp_path):
    tree, _ = torch_format.simple(w=np.zeros(1 << 20, "<f4"))
    bomb = torch_format.write_zip(tmp_path / "bomb.pt", tree, {"w": bytes(1 << 22)}, compression=zipfile.ZIP_DEFLATED)
    assert bomb.stat().st_size < 1 << 14
    with pytest.raises(UserError, match="compressed"):
        files.load(bomb)


def test_other_archives_raise_with_their_kind(tmp_path):
    tree, storages = torch_format.simple(w=NUMBERS)
    script = {"archive/constants.pkl": b"", "archive/code/x.py": b""}
    two = {"other/data.pkl": torch_format.pickled({})}
    big = {"archive/byteorder": "big"}
    for more, word in ((script, "TorchScript"), (two, "torch.save did not write"), (big, "big endian")):
        with pytest.raises(UserError, match=word):
            files.load(torch_format.write_zip(tmp_path / "network.pt", tree, storages, more=more))


@pytest.mark.parametrize("write", [torch_format.write_zip, torch_format.write_legacy])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_truncated_torch_files_raise(tmp_path, write, share):
    file = write(tmp_path / "network.pt", *torch_format.simple(w=NUMBERS, v=np.zeros((30, 3))))
    file.write_bytes(file.read_bytes()[: int(share * file.stat().st_size)])
    with pytest.raises(UserError, match="network.pt: is not a complete file of weights"):
        _values(file)


@pytest.mark.parametrize(
    ("pickle", "word"),
    [
        (b"\x80\x02}", "exhausted"),
        (b"\x80\x02(icollections\nOrderedDict\n.", "INST"),
        (b"\x80\x02ttt.", "damaged"),
        (b"\x80\x02X\xff\xff\xff\x7fabc.", "expected 2147483647 bytes"),
        (b"\x80\x02X\x01\x00\x00\x00aQ.", "storage|unpack"),
        (b"\x80\x04\x96\xff\xff\xff\xff\xff\xff\xff\x7f.", "expected|BYTEARRAY8"),
        (b"", "exhausted"),
    ],
)
def test_damaged_pickles_raise(tmp_path, pickle, word):
    with pytest.raises(UserError, match=word):
        files.load(torch_format.write_zip(tmp_path / "network.pt", None, {}, pickle=pickle))


def test_a_deeply_nested_pickle_is_read(tmp_path):
    nested = b"\x80\x02}X\x01\x00\x00\x00x" + b"]" * 100_000 + b"a" * 99_999 + b"s."
    assert list(files.load(torch_format.write_zip(tmp_path / "network.pt", None, {}, pickle=nested))) == ["x"]


ENTRY = {"dtype": "F32", "shape": [6], "data_offsets": [0, 24]}


@pytest.mark.parametrize(
    ("header", "word"),
    [
        ({"a": ENTRY | {"data_offsets": [0, 28]}}, "missing bytes"),
        ({"a": ENTRY | {"data_offsets": [4, 24], "shape": [5]}}, "gaps"),
        ({"a": ENTRY, "b": ENTRY}, "overlaps"),
        ({"a": ENTRY | {"shape": [7]}}, "contradict"),
        ({"a": ENTRY | {"shape": [-2, -3]}}, "sizes that no tensor has"),
        ({"a": ENTRY | {"dtype": "F8_E4M3"}}, "F8_E4M3"),
        ({"a": {"dtype": "F32"}}, "data_offsets"),
        ([], "is not a complete"),
        ({"a": 3}, "is not a complete"),
    ],
)
def test_contradictory_safetensors_headers_raise(tmp_path, header, word):
    with pytest.raises(UserError, match=word):
        files.load(_safetensors(tmp_path / "network.safetensors", header, NUMBERS.tobytes()))


@pytest.mark.parametrize("size", [1 << 62, 1000])
def test_a_safetensors_header_beyond_the_file_raises(tmp_path, size):
    file = tmp_path / "network.safetensors"
    file.write_bytes(struct.pack("<Q", size) + b'{"a": {}}')
    with pytest.raises(UserError, match="beyond its end"):
        files.load(file)


def test_a_deeply_nested_safetensors_header_raises(tmp_path):
    file = tmp_path / "network.safetensors"
    file.write_bytes(struct.pack("<Q", 200_005) + b'{"a":' + b"[" * 200_000)
    with pytest.raises(UserError, match="is not a complete file of weights"):
        files.load(file)


def test_errors_of_other_files_are_one_line(tmp_path):
    (tmp_path / "folder.pt").mkdir()
    (tmp_path / "empty.pt").write_bytes(b"")
    (tmp_path / "sound.pth").write_bytes(b"RIFF....WAVEfmt ")
    (tmp_path / "network.h5").write_bytes(b"")
    os.mkfifo(tmp_path / "pipe.pt")
    expected = {
        "folder.pt": "is a folder",
        "empty.pt": "empty",
        "sound.pth": "another kind",
        "network.h5": "empty",
        "pipe.pt": "no such",
        "absent.pt": "no such",
    }
    for name, word in expected.items():
        with pytest.raises(UserError, match=f"{name}: .*{word}") as error:
            files.load(tmp_path / name)
        assert "\n" not in str(error.value)


def _values(file):
    with files.as_user_error(file):
        return {key: tensor.values().tolist() for key, tensor in files.load(file).items()}


def _safetensors(file, header, content):
    text = json.dumps(header).encode()
    file.write_bytes(struct.pack("<Q", len(text)) + text + content)
    return file
