"""Any bytes in a file of weights end in a tree or in a UserError, in bounded memory, and nothing in them is run."""

import gzip
import io
import os
import pickle
import tarfile
import tracemalloc
import zipfile

import hypothesis
import numpy as np
import pytest
from checkpoints import torch_format
from hypothesis import strategies as st

from asc_tf.checkpoints import files, state_dict
from asc_tf.errors import UserError

NUMBERS = np.arange(6, dtype="<f4")
MOST_MEMORY = 50_000_000  # bytes at once, for files of some kilobytes


class Malicious:
    def __reduce__(self):
        return os.system, ("touch pwned",)


def examples(folder):
    """The bytes of a small file of every format."""
    tree, storages = torch_format.simple(weight=NUMBERS)
    contents = [
        torch_format.write_zip(folder / "a", tree, storages).read_bytes(),
        torch_format.write_legacy(folder / "b", tree, storages).read_bytes(),
        pickle.dumps(Malicious()),
    ]
    stream = io.BytesIO()
    np.savez_compressed(stream, weight=NUMBERS)
    safe = b'{"w":{"dtype":"F32","shape":[6],"data_offsets":[0,24]}}'
    return [*contents, stream.getvalue(), len(safe).to_bytes(8, "little") + safe + NUMBERS.tobytes()]


def read(file):
    """Reads a file and all its small tensors; a UserError is a fine end."""
    tracemalloc.start()
    try:
        with files.as_user_error(file):
            for tensor in state_dict.tensors(files.load(file), file).values():
                if np.prod(tensor.shape, dtype=object) < 10_000:
                    tensor.values()
    except UserError as error:
        assert str(file) in str(error)
    finally:
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert most < MOST_MEMORY


def test_damaged_files_of_every_format_are_read_or_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    contents = examples(tmp_path)
    file = tmp_path / "weights"

    @hypothesis.settings(max_examples=300, deadline=2000, database=None, derandomize=True)
    @hypothesis.given(
        st.sampled_from(contents),
        st.lists(st.tuples(st.integers(0, 10**4), st.integers(0, 255)), max_size=5),
        st.data(),
    )
    def check(content, changes, data):
        damaged = bytearray(content)
        for place, value in changes:
            damaged[place % len(damaged)] = value
        cut = data.draw(st.sampled_from([None, None, len(damaged) // 2, len(damaged) - 1]))
        file.write_bytes(damaged[:cut])
        read(file)

    check()
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize("start", [b"", b"\x80\x02", b"PK\x03\x04", b"\x89HDF\r\n\x1a\n", b"\x02\0\0\0\0\0\0\0{"])
def test_random_bytes_are_read_or_named(tmp_path, start):
    file = tmp_path / "weights"

    @hypothesis.settings(max_examples=100, deadline=2000, database=None, derandomize=True)
    @hypothesis.given(st.binary(max_size=300))
    def check(content):
        file.write_bytes(start + content)
        read(file)

    check()


def test_a_keras_archive_that_expands_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "bomb.keras", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model.weights.h5", bytes(10**7))
    with pytest.raises(UserError, match="bytes that claim to be 10,000,000 bytes of weights"):
        files.load(tmp_path / "bomb.keras")


@pytest.mark.parametrize(
    "ending", ["", ".pt", ".pth", ".ckpt", ".bin", ".safetensors", ".npz", ".h5", ".PT", ".pth.tar"]
)
def test_the_ending_does_not_decide(tmp_path, ending):
    for number, content in enumerate(examples(tmp_path)):
        if number == 2:
            continue  # the malicious one
        file = tmp_path / f"weights{ending}"
        file.write_bytes(content)
        (tensor,) = state_dict.tensors(files.load(file), file).values()
        np.testing.assert_array_equal(tensor.values(), NUMBERS)


def test_packed_files_are_named(tmp_path):
    content = examples(tmp_path)[0]
    (tmp_path / "a.pt").write_bytes(gzip.compress(content))
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        archive.writestr("folder/best.pth", content)
    with tarfile.open(tmp_path / "c.tar", "w") as archive:
        archive.add(tmp_path / "a.pt", "a.pt")
    for name, message in (
        ("a.pt", "packed by gzip; unpack it"),
        ("b.zip", "a zip archive around folder/best.pth; unpack it"),
        ("c.tar", "packed by tar; unpack it"),
    ):
        with pytest.raises(UserError, match=message):
            files.load(tmp_path / name)


def test_a_folder_is_named(tmp_path):
    with pytest.raises(UserError, match="is a folder; name the file of weights in it"):
        files.load(tmp_path)
