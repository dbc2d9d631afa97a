"""Prepared sets at addresses: file:// with TensorFlow alone, s3:// with tensorflow-io and a server on this machine."""

import http.server
import os
import re
import subprocess
import sys
import threading
import urllib.parse
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import soundfile

from asc_tf.data.datasets.listing import Clip, Listing
from asc_tf.data.prepared import remote, shards
from asc_tf.data.tensorflow_io_package import tensorflow_io
from asc_tf.errors import UserError

SETTINGS = {"sample_rate_hz": 8000, "segment_s": 1.0, "max_bad_share": 0.5, "quiet": True}


@pytest.fixture
def listing(tmp_path, monkeypatch):
    monkeypatch.setattr(remote, "SCRATCH", tmp_path / "scratch")
    return write_clips(tmp_path / "sounds")


def write_clips(folder):
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(20):
        soundfile.write(folder / f"{number:02}.wav", 0.1 * rng.standard_normal(8000 * (1 + number % 3)), 8000)
    (folder / "20.wav").write_bytes(b"no audio")
    names = sorted(file.name for file in folder.iterdir())
    return Listing.from_clips(folder, ("x",), [Clip(name, "x", "train") for name in reversed(names)])


def test_a_remote_set_has_the_segments_of_a_local_one(listing, tmp_path, monkeypatch):
    local = shards.prepare(listing, folder=tmp_path / "local", **SETTINGS)
    address = f"file://{tmp_path}/remote/"
    first = remote.prepare(listing, folder=address, **SETTINGS)
    assert not list((tmp_path / "scratch").rglob("shard-*"))  # copied, not kept twice
    monkeypatch.setattr(shards.PreparedSet, "prepare", None)  # the second time nothing is prepared
    again = remote.prepare(listing, folder=address, **SETTINGS)
    rows = np.random.default_rng(1).permutation(len(local))[:30]
    for found in (first, again):
        np.testing.assert_array_equal(found.clip, local.clip)
        np.testing.assert_array_equal(found.segment, local.segment)
        np.testing.assert_array_equal(found.read(rows), local.read(rows))


def test_an_interrupted_copy_is_no_set_and_is_completed(listing, tmp_path, monkeypatch):
    address = f"file://{tmp_path}/remote"
    copy, copied = remote.tf.io.gfile.copy, []

    def interrupted(source, target, overwrite):
        if len(copied) == 2:
            raise KeyboardInterrupt
        copied.append(source)
        copy(source, target, overwrite)

    monkeypatch.setattr(remote.tf.io.gfile, "copy", interrupted)
    with pytest.raises(KeyboardInterrupt):
        remote.prepare(listing, folder=address, **SETTINGS)
    monkeypatch.setattr(remote.tf.io.gfile, "copy", copy)
    found = remote.prepare(listing, folder=address, **SETTINGS)
    local = shards.prepare(listing, folder=tmp_path / "local", **SETTINGS)
    np.testing.assert_array_equal(found.read(np.arange(len(found))), local.read(np.arange(len(local))))


def test_what_is_wrong_at_the_address_is_named(listing, tmp_path):
    found = remote.prepare(listing, folder=f"file://{tmp_path}/remote", **SETTINGS)
    for shard in (tmp_path / "remote").rglob("shard-*.npy"):
        shard.write_bytes(shard.read_bytes()[:-100])
    with pytest.raises(UserError, match="ends too early; remove the set and prepare again"):
        found.read(np.arange(len(found)))
    for shard in (tmp_path / "remote").rglob("shard-*.npy"):
        shard.unlink()
    with pytest.raises(UserError, match=r"data.prepared_folder: file://.*shard-0000.*npy: cannot be read"):
        found.read([0])
    with pytest.raises(UserError, match=r"data.prepared_folder: .*cannot be read or written|needs tensorflow-io"):
        remote.prepare(listing, folder="nowhere://bucket", **SETTINGS)


ON_S3 = """
import sys, pathlib, numpy as np
sys.path.insert(0, {tests!r})
import test_remote
from asc_tf.data.prepared import remote, shards
folder = pathlib.Path(sys.argv[1])
listing = test_remote.write_clips(folder / "sounds")
remote.SCRATCH = folder / "scratch"
local = shards.prepare(listing, folder=folder / "local", **test_remote.SETTINGS)
for _ in range(2):
    found = remote.prepare(listing, folder="s3://bucket/prepared", **test_remote.SETTINGS)
    rows = np.arange(len(local))[::-1]
    np.testing.assert_array_equal(found.read(rows), local.read(rows))
print("equal", len(found), flush=True)
"""


class S3(http.server.BaseHTTPRequestHandler):
    """As much of S3 as it takes to put, get, find and list objects: GET, with Range, HEAD and PUT."""

    objects: ClassVar[dict] = {}

    def do_PUT(self):
        self.objects[self.path] = self.rfile.read(int(self.headers["Content-Length"] or 0))
        self._answer(200)

    def do_HEAD(self):
        self._get(body=False)

    def do_GET(self):
        path, _, query = self.path.partition("?")
        if query:
            self._list(path, urllib.parse.parse_qs(query).get("prefix", [""])[0])
        else:
            self._get()

    def _get(self, *, body=True):
        content = self.objects.get(self.path)
        if content is None:
            return self._answer(404)
        start, end = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "bytes=0-")).groups()
        part = content[int(start) : int(end) + 1 if end else None]
        if content and not part:
            return self._answer(416)
        span = {"Content-Range": f"bytes {start}-{int(start) + len(part) - 1}/{len(content)}"}
        return self._answer(206, part if body else b"", {"Content-Length": str(len(part))} | span)

    def _list(self, bucket, prefix):
        keys = [path.removeprefix(f"{bucket.rstrip('/')}/") for path in self.objects]
        found = "".join(f"<Contents><Key>{key}</Key></Contents>" for key in keys if key.startswith(prefix))
        self._answer(200, f"<ListBucketResult><IsTruncated>false</IsTruncated>{found}</ListBucketResult>".encode())

    def _answer(self, status, body=b"", headers=None):
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body)), "ETag": '"0"'} | (headers or {})).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def test_a_set_on_s3(tmp_path):
    """In a process of its own: the S3 file system of tensorflow-io 0.37 aborts when its process ends."""
    try:
        tensorflow_io("this test")
    except UserError as error:
        pytest.skip(str(error))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), S3)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    settings = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_REGION": "us-east-1"}
    settings |= {"S3_ENDPOINT": f"http://127.0.0.1:{server.server_port}", "S3_USE_HTTPS": "0", "S3_VERIFY_SSL": "0"}
    command = [sys.executable, "-c", ON_S3.format(tests=str(Path(__file__).parent)), str(tmp_path)]
    done = subprocess.run(command, env=os.environ | settings, capture_output=True, text=True, check=False)
    server.shutdown()
    assert "equal 39" in done.stdout, done.stderr
    assert any("/index.npz" in path for path in S3.objects)
