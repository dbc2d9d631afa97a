import hashlib
import http.server
import inspect
import threading
import tomllib
import zipfile
from types import SimpleNamespace

import numpy as np
import pytest

from asc_tf import dataset, prepare
from asc_tf.data.download import archives
from asc_tf.data.synthetic import audioset_tree, tau_tree, write
from asc_tf.recipe import registry


@pytest.fixture
def served(tmp_path, monkeypatch):
    """A dataset of two archives on a server of this test, the second of an unknown sum; the folder that it serves."""
    folder = tmp_path / "served"
    folder.mkdir()
    for name, file in (("meta.zip", "tau/meta.csv"), ("audio.zip", "tau/audio/a.wav")):
        with zipfile.ZipFile(folder / name, "w") as out:
            out.writestr(file, name)

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments):
            super().__init__(*arguments, directory=folder)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    md5 = hashlib.md5((folder / "meta.zip").read_bytes()).hexdigest()
    parts = archives.Archive("meta.zip", md5), archives.Archive("audio.zip")
    url = f"http://127.0.0.1:{server.server_port}/{{name}}"
    dataset = archives.PublishedDataset("page", url, "tau", "tau", 'split="fold1"', parts)
    monkeypatch.setitem(archives.PUBLISHED, "tau2022", dataset)
    yield folder
    server.shutdown()
    server.server_close()


def test_a_dataset_is_fetched_and_told_how_to_be_used(served, tmp_path, capsys):
    assert prepare.main(["tau2022", "--download", "--to", str(tmp_path / "to")]) == 0
    told = capsys.readouterr().out
    assert "audio.zip: UNVERIFIED" in told and f'root="{tmp_path}/to/tau"' in told
    assert (tmp_path / "to/tau/meta.csv").read_text() == "meta.zip"
    assert (tmp_path / "to/tau/audio/a.wav").read_text() == "audio.zip"
    for file in served.iterdir():
        file.unlink()
    assert prepare.main(["tau2022", "--download", "--to", str(tmp_path / "to")]) == 0
    names = sorted(file.name for file in (tmp_path / "to").iterdir())
    assert names == ["audio.zip.unpacked", "meta.zip.unpacked", "tau"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tau2022"], "'tau2022' is a dataset, not a recipe: fetch it with --download"),
        (["tau2202", "--download"], "there is no dataset 'tau2202' to fetch. Did you mean 'tau2022'?"),
        (
            ["micirp", "--download", "--to", "x"],
            "Its page is http://micirp.blogspot.com: put the files into x/micirp",
        ),
    ],
)
def test_a_dataset_is_not_a_recipe(arguments, message, capsys):
    assert prepare.main(arguments) == 2
    error = capsys.readouterr().err
    assert message in error and len(error.strip().splitlines()) == 1


def test_every_published_dataset_is_read_by_the_settings_that_are_printed():
    for one in archives.PUBLISHED.values():
        if one.archives:
            settings = tomllib.loads(f"root = 'x'\n{one.settings}")
            inspect.signature(registry.entry("dataset", one.dataset)).bind(**settings)


def test_the_table_of_tau_2022_is_complete():
    parts = archives.TAU2022.archives
    # The record lists 16 archives of audio, one of tables, one of documents.
    assert len({part.name for part in parts}) == len({part.md5 for part in parts}) == 18
    assert all(len(part.md5) == 32 and set(part.md5) <= set("0123456789abcdef") for part in parts)
    assert sum(part.confirmed for part in parts) == 4


def test_a_made_up_set_laid_out_as_tau_is_followed_by_its_folder(tmp_path, monkeypatch, capsys):
    def write_tables(folder, locations, **_):
        (folder / "evaluation_setup").mkdir(parents=True)
        write._write_tables(folder, locations)

    monkeypatch.setattr(tau_tree, "write_scenes", write_tables)
    monkeypatch.setattr(audioset_tree, "write", lambda folder, **_: folder.mkdir())
    monkeypatch.setattr(dataset, "prepare", lambda *_: SimpleNamespace(clip=np.zeros(0, np.int64)))
    settings = ("layout=tau2022", "train_clips=1200", "test_clips=60", f"root={tmp_path}")
    sets = [word for setting in settings for word in ("--set", f"dataset.{setting}")]
    assert prepare.main(["quickstart", *sets]) == 0
    folder = tmp_path / "seed1-train1200-test60-tau2022-v1"
    assert f"use them by:  asc-tf train RECIPE --data {folder}\n" in capsys.readouterr().out
    assert (folder / "tau2022/meta.csv").is_file()


def test_the_clips_of_a_whole_chain_are_prepared(tiny, capsys):
    teacher = tiny.with_name("tiny_teacher.toml")
    teacher.write_text(teacher.read_text().replace("sample_rate_hz = 8000", "sample_rate_hz = 16000"))
    assert prepare.main([str(tiny)]) == 0
    shown = [line for line in capsys.readouterr().out.splitlines() if " Hz" in line]
    assert [line.split(":")[0] for line in shown] == ["tiny_teacher", "tiny"]
    assert "16000 Hz" in shown[0] and "8000 Hz" in shown[1]
