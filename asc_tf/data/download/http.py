"""Downloads a file over HTTP: resumed after an interruption, and verified.

What is received is in NAME.part until it is verified. NAME.part.version beside it holds the server's identifier of the
version that it belongs to (ETag, else Last-Modified). A later call requests the rest of that version; where the server
has another version, names none, or knows no byte ranges (RFC 9110), the download starts again. NAME.part
itself is not written atomically, because a later process continues it.
"""

import hashlib
import http.client
import os
import shutil
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from asc_tf.data.download.archives import Archive
from asc_tf.data.progress import progress_bar
from asc_tf.errors import UserError
from asc_tf.runs import atomic

STALL_S = 60  # without a byte
PAUSES_S = (2, 8, 30, 60, 120)  # before each further try that follows one without progress
_BLOCK = 1 << 18
_MAX_WRONG_SUMS = 2  # a complete file with a wrong sum is an accident once


class _Retry(Exception):
    """A failure that a further try may not have."""


class _WrongSum(_Retry):
    """A complete file has another sum than the published one."""


def fetch(
    archive: Archive, url: str, folder: Path, *, stall_s: float = STALL_S, pauses_s: Sequence[float] = PAUSES_S
) -> Path:
    """Downloads and verifies an archive; one that is there already is taken as it is.

    Args:
        archive: The archive.
        url: Its address.
        folder: Existing folder to download to.
        stall_s: Seconds without a byte after which a connection is given up.
        pauses_s: Seconds before each further try; their number is that of the tries without progress.

    Returns:
        The file in `folder`.

    Raises:
        UserError: The server refuses, does not answer or sends other bytes, or the disk is full.
    """
    target = folder / archive.name
    if target.is_file():
        return target
    unfinished, tries, wrong_sums = folder / f"{archive.name}.part", 0, 0
    while True:
        before = _size(unfinished)
        try:
            _receive(archive, url, unfinished, stall_s)
            _verify(archive, unfinished)
            os.replace(unfinished, target)
            _version_file(unfinished).unlink(missing_ok=True)
            return target
        except _Retry as failure:
            wrong_sums += isinstance(failure, _WrongSum)
            tries = 1 if _size(unfinished) > before else tries + 1
            if tries > len(pauses_s) or wrong_sums >= _MAX_WRONG_SUMS:
                raise UserError(f"{url}: {failure}. What is right stays: the same command resumes.") from failure
            print(f"download: {archive.name}: {failure}; again in {pauses_s[tries - 1]} s", file=sys.stderr)
            time.sleep(pauses_s[tries - 1])
        except OSError as error:
            raise UserError(f"{unfinished}: cannot be written ({error.strerror or error}). Free some space.") from error


def _receive(archive, url, unfinished, stall_s):
    """Appends to the unfinished file until it has the server's full length."""
    received, version = _size(unfinished), _read(_version_file(unfinished))
    headers = {"User-Agent": "asc_tf", "Accept-Encoding": "identity"}
    if received and version:
        headers |= {"Range": f"bytes={received}-", "If-Range": version}
    with _open(urllib.request.Request(url, headers=headers), stall_s) as response:
        if _complete(response, received):
            return
        if not _resumes(response, received):
            unfinished.unlink(missing_ok=True)
            received = 0
        length = response.headers.get("Content-Length")
        total = received + int(length) if length else None
        _check_size(archive, total, received, unfinished.parent)
        atomic.write(_version_file(unfinished), _version(response))
        bar = progress_bar(archive.name, total=total, initial=received, unit="B", unit_scale=True)
        with open(unfinished, "ab" if received else "wb") as output, bar:
            for block in _blocks(response, stall_s):
                output.write(block)
                bar.update(len(block))
    if total is not None and _size(unfinished) != total:
        raise _Retry(f"the connection broke off at {_size(unfinished):,} of {total:,} bytes")


def _open(request, stall_s):
    """The server's response, 416 (no such range) included."""
    try:
        return urllib.request.urlopen(request, timeout=stall_s)
    except urllib.error.HTTPError as error:
        if error.code == 416:
            return error
        error.close()
        if error.code in (408, 425, 429) or error.code >= 500:
            raise _Retry(f"the server answers {error.code} {error.reason}") from error
        raise UserError(f"{request.full_url}: the server answers {error.code} {error.reason}; see the page.") from error
    except urllib.error.URLError as error:
        raise _Retry(f"there is no connection ({error.reason})") from error
    except (OSError, http.client.HTTPException) as error:
        raise _Retry(f"there is no answer ({error})") from error


def _complete(response, received):
    """Whether all bytes are there already, as after a stop between the last byte and the check."""
    if response.status != 416:
        return False
    if response.headers.get("Content-Range") == f"bytes */{received}":
        return True
    raise _Retry("the server has fewer bytes than came before")


def _resumes(response, received):
    return response.status == 206 and response.headers.get("Content-Range", "").startswith(f"bytes {received}-")


def _blocks(response, stall_s):
    while True:
        try:
            block = response.read1(_BLOCK)
        except TimeoutError as error:
            raise _Retry(f"nothing came for {stall_s} s") from error
        except (OSError, http.client.HTTPException) as error:
            raise _Retry(f"the connection broke off ({error})") from error
        if not block:
            return
        yield block


def _check_size(archive, total, received, folder):
    if total is None:
        return
    if archive.size_bytes not in (None, total):
        raise _Retry(f"the server has {total:,} bytes where {archive.size_bytes:,} are published")
    missing, free = total - received, shutil.disk_usage(folder).free
    if missing > free:
        raise UserError(f"{folder}: {archive.name} needs {missing:,} bytes more, {free:,} are free. Free some space.")


def _verify(archive, unfinished):
    """Raises _WrongSum, and removes the file, unless it has the published sums."""
    for name, kind, published in (("MD5", "md5", archive.md5), ("SHA-256", "sha256", archive.sha256)):
        if published is None:
            continue
        with open(unfinished, "rb") as file:
            received = hashlib.file_digest(file, kind).hexdigest()
        if received != published:
            unfinished.unlink()
            raise _WrongSum(f"what came has the {name} sum {received}, published is {published}; it was removed")


def _version(response):
    tag = response.headers.get("ETag", "")
    # Files of one weak tag may differ.
    return tag if tag.startswith('"') else response.headers.get("Last-Modified", "")


def _version_file(unfinished):
    return unfinished.with_name(f"{unfinished.name}.version")


def _read(file):
    return file.read_text() if file.is_file() else ""


def _size(file):
    return file.stat().st_size if file.is_file() else 0
