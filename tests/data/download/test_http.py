"""Downloads from a server of this test that stalls, breaks off, refuses, ignores ranges and changes the file."""

import hashlib
import http.server
import threading

import numpy as np
import pytest

from asc_tf.data.download import http as download
from asc_tf.data.download.archives import Archive
from asc_tf.errors import UserError

CONTENT = np.random.default_rng(1).bytes(400_000)
QUICK = {"stall_s": 0.2, "pauses_s": (0, 0, 0)}


class Server(http.server.ThreadingHTTPServer):
    """Answers each request by the next of `plans`, and rightly when they are used up.

    A plan: "error" (503), "refuse" (404), "cut" and "stall" after 100,000 bytes, "wrong" bytes, "right".
    """

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.plans, self.ranges, self.content, self.tag, self.accepts_ranges = [], [], CONTENT, '"one"', True
        self.stop = threading.Event()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/x.zip"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        plan = self.server.plans.pop(0) if self.server.plans else "right"
        self.server.ranges.append(self.headers.get("Range"))
        if plan in ("error", "refuse"):
            return self.send_error({"error": 503, "refuse": 404}[plan])
        content = self.server.content if plan != "wrong" else bytes(len(self.server.content))
        start = self.start_of_range(content)
        if start is None:
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(content)}")
            self.send_header("Content-Length", "0")
            return self.end_headers()
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content) - start))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        if self.server.tag:
            self.send_header("ETag", self.server.tag)
        self.end_headers()
        self.wfile.write(content[start : start + 100_000] if plan in ("cut", "stall") else content[start:])
        if plan == "stall":
            self.server.stop.wait(10)

    def start_of_range(self, content):
        requested, version = self.headers.get("Range"), self.headers.get("If-Range")
        if not requested or not self.server.accepts_ranges or version != self.server.tag:
            return 0
        start = int(requested.removeprefix("bytes=").removesuffix("-"))
        return start if start < len(content) else None

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    server = Server()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield server
    server.stop.set()
    server.shutdown()
    server.server_close()


def archive(content=CONTENT, **fields):
    return Archive("x.zip", **{"md5": hashlib.md5(content).hexdigest()} | fields)


def fetch(server, folder, wanted=None):
    return download.fetch(wanted or archive(), server.url, folder, **QUICK).read_bytes()


def test_a_download_is_complete_and_leaves_no_other_file(server, tmp_path):
    assert fetch(server, tmp_path) == CONTENT
    assert [file.name for file in tmp_path.iterdir()] == ["x.zip"]
    assert fetch(server, tmp_path) == CONTENT and len(server.ranges) == 1


@pytest.mark.parametrize("plan", ["cut", "stall"])
def test_an_interrupted_download_resumes_with_a_range(server, tmp_path, plan):
    server.plans = [plan] * 3
    assert fetch(server, tmp_path) == CONTENT
    assert server.ranges == [None, "bytes=100000-", "bytes=200000-", "bytes=300000-"]


def test_tries_without_progress_are_limited(server, tmp_path):
    server.plans = ["cut", "error", "error", "cut"] + ["error"] * 9
    with pytest.raises(UserError, match=r"503 .*the same command resumes"):
        fetch(server, tmp_path)
    assert len(server.plans) == 6  # three tries after the last that brought something
    server.plans = []
    assert fetch(server, tmp_path) == CONTENT and server.ranges[-1] == "bytes=200000-"


def test_a_refusal_is_an_error_at_the_first_try(server, tmp_path):
    server.plans = ["refuse"]
    with pytest.raises(UserError, match="x.zip: the server answers 404"):
        fetch(server, tmp_path)
    assert len(server.ranges) == 1


def test_no_connection_is_an_error(server, tmp_path):
    with pytest.raises(UserError, match="no connection"):
        download.fetch(archive(), "http://127.0.0.1:9/x.zip", tmp_path, **QUICK)


@pytest.mark.parametrize("change", ["no ranges", "no version", "another version"])
def test_a_download_starts_again_where_the_rest_would_not_fit(server, tmp_path, change):
    server.plans = ["cut", "error", "error", "error", "error"]
    if change == "no version":
        server.tag = ""
    with pytest.raises(UserError):
        fetch(server, tmp_path)
    if change == "no ranges":
        server.accepts_ranges = False
    if change == "another version":
        server.content, server.tag = CONTENT[::-1], '"two"'
    assert fetch(server, tmp_path, archive(server.content)) == server.content
    assert server.ranges[-1] == (None if change == "no version" else "bytes=100000-")


def test_a_file_with_a_wrong_sum_is_removed(server, tmp_path):
    server.plans = ["wrong"]
    assert fetch(server, tmp_path) == CONTENT
    (tmp_path / "x.zip").unlink()
    server.plans = ["wrong"] * 9
    with pytest.raises(UserError, match="MD5 sum .*, published is .*"):
        fetch(server, tmp_path)
    assert len(server.plans) == 7 and not any(file.name.endswith(("zip", "part")) for file in tmp_path.iterdir())


def test_another_size_than_published_is_an_error(server, tmp_path):
    with pytest.raises(UserError, match="400,000 bytes where 400,001 are published"):
        fetch(server, tmp_path, archive(size_bytes=400_001))


def test_a_complete_but_unverified_file_is_not_downloaded_again(server, tmp_path):
    (tmp_path / "x.zip.part").write_bytes(CONTENT)
    (tmp_path / "x.zip.part.version").write_text('"one"')
    assert fetch(server, tmp_path) == CONTENT and server.ranges == ["bytes=400000-"]
    assert [file.name for file in tmp_path.iterdir()] == ["x.zip"]


def test_too_little_space_is_an_error_before_any_byte_is_written(server, tmp_path, monkeypatch):
    monkeypatch.setattr(download.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 1000}))
    with pytest.raises(UserError, match="needs 400,000 bytes more, 1,000 are free"):
        fetch(server, tmp_path)
    assert not any(tmp_path.iterdir())
