import os
import stat
import zipfile

import pytest

from asc_tf.data.download.unpack import unpack
from asc_tf.errors import UserError


@pytest.fixture
def packed(tmp_path):
    """Function that writes an archive of {path: text}; a path that ends in -> is a link to its text."""

    def write(entries):
        with zipfile.ZipFile(tmp_path / "x.zip", "w", zipfile.ZIP_DEFLATED) as out:
            for name, text in entries.items():
                entry = zipfile.ZipInfo(name.removesuffix("->"))
                entry.external_attr = (stat.S_IFLNK if name.endswith("->") else stat.S_IFREG) << 16
                out.writestr(entry, text)
        return tmp_path / "x.zip"

    return write


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "in/to").mkdir(parents=True)
    return tmp_path / "in/to"


def inside(folder):
    return {str(file.relative_to(folder)): file.read_text() for file in folder.rglob("*") if file.is_file()}


def test_files_are_added_and_replaced(packed, folder):
    unpack(packed({"tau/audio/a.wav": "a", "tau/meta.csv": "old"}), folder)
    unpack(packed({"tau/audio/b.wav": "b", "tau/meta.csv": "new"}), folder)
    assert inside(folder) == {"tau/audio/a.wav": "a", "tau/audio/b.wav": "b", "tau/meta.csv": "new"}
    assert os.listdir(folder) == ["tau"]


@pytest.mark.parametrize("path", ["/etc/x", "../x", "tau/../../x", "..\\x", "C:/x", "tau/x->"])
def test_an_entry_outside_of_the_folder_is_an_error(packed, folder, tmp_path, path):
    with pytest.raises(UserError, match="outside of|is a link"):
        unpack(packed({"tau/first": "fine", path: "/etc"}), folder)
    assert not any(folder.iterdir()) and sorted(os.listdir(tmp_path)) == ["in", "x.zip"]


def test_a_link_in_the_folder_is_not_followed_out_of_it(packed, folder, tmp_path):
    (folder / "tau").symlink_to(tmp_path)
    with pytest.raises(UserError, match="leads out of"):
        unpack(packed({"tau/x": "x"}), folder)
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("damage", ["truncated", "changed"])
def test_a_damaged_archive_is_an_error_and_moves_nothing(packed, folder, damage):
    archive = packed({"tau/first": "fine" * 100, "tau/second": "".join(map(str, range(1000)))})
    content = bytearray(archive.read_bytes())
    content[len(content) // 2] ^= 255
    archive.write_bytes(content if damage == "changed" else content[:-60])
    with pytest.raises(UserError, match="x.zip: is damaged"):
        unpack(archive, folder)
    assert not any(folder.iterdir())
