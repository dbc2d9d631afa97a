"""The table of public weights, and their download from a server of this test."""

import hashlib
import http.server
import threading

import numpy as np
import pytest
from checkpoints import torch_format

from asc_tf import build
from asc_tf.checkpoints import public, to_keras
from asc_tf.data.datasets import tau
from asc_tf.errors import UserError
from asc_tf.import_weights import main as program
from asc_tf.importing import download, guessing
from asc_tf.recipe import labels, resolve


@pytest.fixture
def server(tmp_path):
    """Base address of a server of the files in tmp_path/served."""
    folder = tmp_path / "served"
    folder.mkdir()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments):
            super().__init__(*arguments, directory=folder)

        def log_message(self, *_):
            pass

    instance = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=instance.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{instance.server_port}"
    instance.shutdown()


@pytest.fixture
def published(tmp_path, server, monkeypatch):
    """Bytes of public weights "test" on the server, with a recipe and its overrides."""
    overrides = ("model.width=8", "model.growth=1.8")
    recipe = resolve.load("cpjku2023_cp_mobile", overrides)
    targets = to_keras.match(build.network(recipe, 10), {}, guessing.torch_name(recipe)).missing
    state = {target.key: np.ones(target.shape, "<f4") for target in targets}
    file = torch_format.write_zip(tmp_path / "served/test.ckpt", *torch_format.simple(**state))
    content = file.read_bytes()
    entry = public.PUBLIC["cp-mobile-dcase2023"]._replace(
        url=f"{server}/test.ckpt?download=1",
        overrides=overrides,
        size_bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
    )
    monkeypatch.setitem(public.PUBLIC, "test", entry)
    monkeypatch.chdir(tmp_path)
    return entry


def test_public_weights_are_downloaded_verified_and_imported(published, tmp_path, capsys):
    assert program(["test", "--download"]) == 0
    assert "all 117 weights of cp_mobile" in capsys.readouterr().out
    assert (tmp_path / "weights/test.ckpt").is_file() and (tmp_path / "runs/test/labels.txt").is_file()


def test_another_file_than_the_published_one_is_refused(published, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(public.PUBLIC, "test", published._replace(sha256="0" * 64))
    monkeypatch.setattr("asc_tf.data.download.http.time.sleep", lambda _: None)
    assert program(["test", "--download"]) == 2
    assert "SHA-256 sum" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists() and not (tmp_path / "weights/test.ckpt").exists()


def test_the_sum_of_a_file_without_a_published_one_is_printed(published, monkeypatch, capsys):
    monkeypatch.setitem(public.PUBLIC, "test", published._replace(sha256=None))
    download.fetch("test", "weights")
    assert f"no sum is published to verify it with; its SHA-256 is {published.sha256}" in capsys.readouterr().out


def test_weights_that_have_to_be_fetched_by_hand(capsys):
    with pytest.raises(UserError, match="htsat-audioset: no address of the file is known: fetch it by hand from http"):
        download.fetch("htsat-audioset", "weights")
    assert program(["mn04-audioset", "--out", "run"]) == 2
    assert "add --download" in capsys.readouterr().err
    assert program(["mn04-audiset", "--download"]) == 2
    assert "mn04-audioset" in capsys.readouterr().err


def test_the_list_shows_every_entry_with_what_is_known(capsys):
    assert program(["--list"]) == 0
    text = capsys.readouterr().out
    for name, weights in public.PUBLIC.items():
        assert f"{name}: {weights.what}" in text and weights.page in text
    assert "size not known, sum not known" in text


@pytest.mark.parametrize("name", sorted(public.PUBLIC))
def test_the_recipe_of_every_entry_is_shipped_and_names_its_classes(name):
    weights = public.PUBLIC[name]
    recipe = resolve.load(weights.recipe, weights.overrides)
    assert len(recipe.labels) == (527 if "audioset" in name else 10)


def test_sums_of_files_that_were_imported(shared):
    for name, file in (
        ("mn04-audioset", "mn04_audioset_efficientat.pt"),
        ("cp-mobile-dcase2023", "cp_mobile_dcase2023_cpjku.ckpt"),
        ("tf-sepnet-dcase2025", "tf_sepnet_dcase2025.ckpt"),
        ("tan-cnn-gru-dcase2025", "tan_cnn_gru_dcase2025.pt"),
        ("yamnet-256", "rivals/yamnet_256_f32.h5"),
    ):
        content = (shared / "checkpoints" / file).read_bytes()
        weights = public.PUBLIC[name]
        assert (len(content), hashlib.sha256(content).hexdigest()) == (weights.size_bytes, weights.sha256)


def test_the_list_of_tau_is_that_of_its_dataset():
    assert labels.read("tau") == tau.SCENES
