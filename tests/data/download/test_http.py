"""Downloads from a server of this test that stalls, breaks off, refuses, forgets ranges and changes its mind."""

import hashlib
import http.server
import threading

import numpy as np
import pytest

from asc_tf.data.download import http as download
from asc_tf.data.download.archives import Part
from asc_tf.errors import UserError

CONTENT = np.random.default_rng(1).bytes(400_000)
QUICK = {"stall_s": 0.2, "pauses_s": (0, 0, 0)}


class Server(http.server.ThreadingHTTPServer):
    """Answers each request as the next of `plans` says; when they are used up, rightly.

    A plan: "error" (503), "refuse" (404), "cut" and "stall" after 100,000 bytes, "wrong" bytes, "right".
    """

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Answer)
        self.plans, self.ranges, self.content, self.tag, self.knows_ranges = [], [], CONTENT, '"one"', True
        self.stop = threading.Event()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/x.zip"


class Answer(http.server.BaseHTTPRequestHandler):
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
        wanted, version = self.headers.get("Range"), self.headers.get("If-Range")
        if not wanted or not self.server.knows_ranges or version != self.server.tag:
            return 0
        start = int(wanted.removeprefix("bytes=").removesuffix("-"))
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


def part(content=CONTENT, **facts):
    return Part("x.zip", **{"md5": hashlib.md5(content).hexdigest()} | facts)


def fetched(server, folder, wanted=None):
    return download.fetch(wanted or part(), server.url, folder, **QUICK).read_bytes()


def test_comes_whole_and_leaves_nothing_else(server, tmp_path):
    assert fetched(server, tmp_path) == CONTENT
    assert [file.name for file in tmp_path.iterdir()] == ["x.zip"]
    assert fetched(server, tmp_path) == CONTENT and len(server.ranges) == 1


@pytest.mark.parametrize("plan", ["cut", "stall"])
def test_goes_on_where_it_broke_off(server, tmp_path, plan):
    server.plans = [plan] * 3
    assert fetched(server, tmp_path) == CONTENT
    assert server.ranges == [None, "bytes=100000-", "bytes=200000-", "bytes=300000-"]


def test_tries_without_progress_have_an_end(server, tmp_path):
    server.plans = ["cut", "error", "error", "cut"] + ["error"] * 9
    with pytest.raises(UserError, match=r"503 .*the same command goes on"):
        fetched(server, tmp_path)
    assert len(server.plans) == 6  # three tries after the last that brought something
    server.plans = []
    assert fetched(server, tmp_path) == CONTENT and server.ranges[-1] == "bytes=200000-"


def test_a_refusal_is_told_at_once(server, tmp_path):
    server.plans = ["refuse"]
    with pytest.raises(UserError, match="x.zip: the server answers 404"):
        fetched(server, tmp_path)
    assert len(server.ranges) == 1


def test_no_server_is_told(server, tmp_path):
    with pytest.raises(UserError, match="no connection"):
        download.fetch(part(), "http://127.0.0.1:9/x.zip", tmp_path, **QUICK)


@pytest.mark.parametrize("change", ["no ranges", "no version", "another version"])
def test_begins_anew_where_the_rest_would_not_fit(server, tmp_path, change):
    server.plans = ["cut", "error", "error", "error", "error"]
    if change == "no version":
        server.tag = ""
    with pytest.raises(UserError):
        fetched(server, tmp_path)
    if change == "no ranges":
        server.knows_ranges = False
    if change == "another version":
        server.content, server.tag = CONTENT[::-1], '"two"'
    assert fetched(server, tmp_path, part(server.content)) == server.content
    assert server.ranges[-1] == (None if change == "no version" else "bytes=100000-")


def test_wrong_bytes_are_thrown_away(server, tmp_path):
    server.plans = ["wrong"]
    assert fetched(server, tmp_path) == CONTENT
    (tmp_path / "x.zip").unlink()
    server.plans = ["wrong"] * 9
    with pytest.raises(UserError, match="MD5 sum .*, published is .*"):
        fetched(server, tmp_path)
    assert len(server.plans) == 7 and not any(file.name.endswith(("zip", "part")) for file in tmp_path.iterdir())


def test_another_size_than_published_is_told(server, tmp_path):
    with pytest.raises(UserError, match="400,000 bytes where 400,001 are published"):
        fetched(server, tmp_path, part(size_bytes=400_001))


def test_what_was_whole_but_not_checked_is_not_fetched_again(server, tmp_path):
    (tmp_path / "x.zip.part").write_bytes(CONTENT)
    (tmp_path / "x.zip.part.version").write_text('"one"')
    assert fetched(server, tmp_path) == CONTENT and server.ranges == ["bytes=400000-"]
    assert [file.name for file in tmp_path.iterdir()] == ["x.zip"]


def test_too_little_space_is_told_before_it_is_filled(server, tmp_path, monkeypatch):
    monkeypatch.setattr(download.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 1000}))
    with pytest.raises(UserError, match="needs 400,000 bytes more, 1,000 are free"):
        fetched(server, tmp_path)
    assert not any(tmp_path.iterdir())
