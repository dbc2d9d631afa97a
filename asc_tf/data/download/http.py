"""How does a published file come onto this machine, whole, however the network behaves?

What is received lies in NAME.part until it is verified, beside NAME.part.version, the server's word for the version
it is of (ETag, else Last-Modified).  A later call asks for the rest of that version; where the server has another
one, does not say, or knows no byte ranges (RFC 9110), it begins anew.
"""

import hashlib
import http.client
import os
import shutil
import sys
import time
import urllib.error
import urllib.request

from tqdm import tqdm

from asc_tf.errors import UserError

STALL_S = 60  # without a byte
PAUSES_S = (2, 8, 30, 60, 120)  # before each further try in which nothing new has come
_BLOCK = 1 << 18
_WRONG_SUMS = 2  # so often a whole file may be wrong before it is no accident


class _Failed(Exception):
    """What may go better the next time."""


class _WrongSum(_Failed):
    pass


def fetch(part, url, folder, *, stall_s=STALL_S, pauses_s=PAUSES_S):
    """The part's file in `folder`, verified; one that is there is taken as it is.

    Raises UserError for a server that refuses, does not answer or sends something else, and for a full disk.
    """
    target = folder / part.name
    if target.is_file():
        return target
    unfinished, tries, wrong = folder / f"{part.name}.part", 0, 0
    while True:
        before = _size(unfinished)
        try:
            _receive(part, url, unfinished, stall_s)
            _verify(part, unfinished)
            os.replace(unfinished, target)
            _version_file(unfinished).unlink(missing_ok=True)
            return target
        except _Failed as failure:
            wrong += isinstance(failure, _WrongSum)
            tries = 1 if _size(unfinished) > before else tries + 1
            if tries > len(pauses_s) or wrong >= _WRONG_SUMS:
                raise UserError(f"{url}: {failure}. What is right is kept: the same command goes on.") from failure
            print(f"download: {part.name}: {failure}; again in {pauses_s[tries - 1]} s", file=sys.stderr)
            time.sleep(pauses_s[tries - 1])
        except OSError as error:
            raise UserError(f"{unfinished}: cannot be written ({error.strerror or error}). Free some space.") from error


def _receive(part, url, unfinished, stall_s):
    """Brings the unfinished file to the server's full length."""
    have, version = _size(unfinished), _read(_version_file(unfinished))
    headers = {"User-Agent": "asc_tf", "Accept-Encoding": "identity"}
    if have and version:
        headers |= {"Range": f"bytes={have}-", "If-Range": version}
    with _answer(urllib.request.Request(url, headers=headers), stall_s) as response:
        if _nothing_more(response, have):
            return
        if not _goes_on(response, have):
            unfinished.unlink(missing_ok=True)
            have = 0
        length = response.headers.get("Content-Length")
        total = have + int(length) if length else None
        _check_size(part, total, have, unfinished.parent)
        _version_file(unfinished).write_text(_version(response))
        with open(unfinished, "ab" if have else "wb") as out, _bar(part, total, have) as bar:
            for block in _blocks(response, stall_s):
                out.write(block)
                bar.update(len(block))
    if total is not None and _size(unfinished) != total:
        raise _Failed(f"the connection broke off at {_size(unfinished):,} of {total:,} bytes")


def _answer(request, stall_s):
    """The server's answer, 416 (no such range) included."""
    try:
        return urllib.request.urlopen(request, timeout=stall_s)
    except urllib.error.HTTPError as error:
        if error.code == 416:
            return error
        error.close()
        if error.code in (408, 425, 429) or error.code >= 500:
            raise _Failed(f"the server answers {error.code} {error.reason}") from error
        raise UserError(f"{request.full_url}: the server answers {error.code} {error.reason}; see the page.") from error
    except urllib.error.URLError as error:
        raise _Failed(f"there is no connection ({error.reason})") from error
    except (OSError, http.client.HTTPException) as error:
        raise _Failed(f"there is no answer ({error})") from error


def _nothing_more(response, have):
    """Whether all is here already, as after a stop between the last byte and the check."""
    if response.status != 416:
        return False
    if response.headers.get("Content-Range") == f"bytes */{have}":
        return True
    raise _Failed("the server has fewer bytes than came before")


def _goes_on(response, have):
    return response.status == 206 and response.headers.get("Content-Range", "").startswith(f"bytes {have}-")


def _blocks(response, stall_s):
    while True:
        try:
            block = response.read1(_BLOCK)
        except TimeoutError as error:
            raise _Failed(f"nothing came for {stall_s} s") from error
        except (OSError, http.client.HTTPException) as error:
            raise _Failed(f"the connection broke off ({error})") from error
        if not block:
            return
        yield block


def _check_size(part, total, have, folder):
    if total is None:
        return
    if part.size_bytes not in (None, total):
        raise _Failed(f"the server has {total:,} bytes where {part.size_bytes:,} are published")
    free = shutil.disk_usage(folder).free
    if total - have > free:
        raise UserError(f"{folder}: {part.name} needs {total - have:,} bytes more, {free:,} are free. Free some space.")


def _verify(part, unfinished):
    """Raises _WrongSum, and removes the file, unless it has the published sum."""
    if part.md5 is None:
        return
    with open(unfinished, "rb") as file:
        found = hashlib.file_digest(file, "md5").hexdigest()
    if found != part.md5:
        unfinished.unlink()
        raise _WrongSum(f"what came has the MD5 sum {found}, published is {part.md5}; it was removed")


def _version(response):
    tag = response.headers.get("ETag", "")
    # A weak tag does not promise the same bytes.
    return tag if tag.startswith('"') else response.headers.get("Last-Modified", "")


def _version_file(unfinished):
    return unfinished.with_name(f"{unfinished.name}.version")


def _read(file):
    return file.read_text() if file.is_file() else ""


def _size(file):
    return file.stat().st_size if file.is_file() else 0


def _bar(part, total, have):
    settings = {"unit": "B", "unit_scale": True, "ascii": True, "mininterval": 0.1 if sys.stderr.isatty() else 30}
    return tqdm(desc=part.name, total=total, initial=have, **settings)
