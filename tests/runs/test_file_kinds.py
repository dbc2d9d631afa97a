"""Readers of the files of a run: any bytes end in their content or in one of the errors of damage."""

import contextlib
import io
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asc_tf.errors import UserError
from asc_tf.runs import files, layout
from asc_tf.runs.folder import RunFolder

WHOLE = {
    layout.RECIPE: b"\xef\xbb\xbfseed = 1\r\n[model]\r\nwidth = 8\r\n",
    layout.LABELS: b"bus\ntram\n",
    layout.ENSEMBLE: json.dumps({"members": ["a"], "alpha": [1], "beta": [0.5, 0], "log_loss": {}}).encode(),
    layout.MEMBERS: b'["../a", "../b"]',
    layout.DIGESTS: b'{"labels.txt": "00"}',
    layout.TEACHERS: b'{"runs/teacher": "00"}',
    layout.TIMES: b'{"data": {"seconds": 1.5, "peak_memory_bytes": 0}}',
    layout.LOG: b"epoch,loss\n1,0.5\n",
    layout.METRICS: b'{"int8": {"log_loss": NaN, "cost": {"parameters": 1, "bytes": 1, "macs": 1}}}',
    layout.PARITY: b'{"network_sha256": "00", "int8": {"by_class": {"a class of which no clip was tested": NaN}}}',
    layout.VALIDATION: b'{"float": {"by_class": {"a class of which no clip was held out": NaN}}}',
    layout.NORMALISATION: files.packed({"mean": np.zeros((4, 1, 1)), "std": np.ones((4, 1, 1))}),
    layout.STATE: files.packed(
        {"rows": np.ones((2, 1)), "columns": np.array(["loss"]), "best": np.array(1.0), "made_from": np.array("0")}
    ),
    layout.PREDICTIONS: files.packed({name: np.zeros(3) for name in ("segments", "recordings", "labels")}),
}


@pytest.mark.parametrize("name", WHOLE)
def test_whole_files_are_read(name):
    assert files.of(name).parse(WHOLE[name]) is not None and files.of(name).fix.endswith(".")


WRONG = [
    (layout.LABELS, b"\n"), (layout.LABELS, b"bus\nbus\n"), (layout.LABELS, b"bus\n\ntram\n"),
    (layout.LABELS, b"b\x1bus\n"), (layout.LABELS, b"\xff\xfe"),
    (layout.MEMBERS, b"{}"), (layout.MEMBERS, b"[1]"), (layout.MEMBERS, b"null"), (layout.MEMBERS, b"[[]]"),
    (layout.ENSEMBLE, b'{"members": [], "alpha": ["1"], "beta": []}'), (layout.ENSEMBLE, b'{"members": []}'),
    (layout.ENSEMBLE, b'{"members": [], "alpha": [NaN], "beta": []}'),
    (layout.ENSEMBLE, b'{"members": [], "alpha": [1e999], "beta": []}'),
    (layout.TIMES, b'{"data": {"seconds": true, "peak_memory_bytes": 0}}'), (layout.TIMES, b"[" * 100_000),
    (layout.DIGESTS, b'{"labels.txt": 1}'), (layout.TEACHERS, b"[]"),
    (layout.PARITY, b'{"network_sha256": "00", "int8": Infinity}'),
    (layout.METRICS, b'{"int8": {"log_loss": -Infinity, "cost": {"parameters": 1, "bytes": 1, "macs": 1}}}'),
    (layout.LOG, b""), (layout.LOG, b"epoch,loss\n1\n"),
    (layout.NORMALISATION, files.packed({"mean": np.zeros(3), "std": np.zeros(3)})),
    (layout.NORMALISATION, files.packed({"mean": np.zeros(3), "std": np.ones(4)})),
    (layout.NORMALISATION, files.packed({"mean": np.full(3, np.nan), "std": np.ones(3)})),
    (layout.NORMALISATION, files.packed({"mean": np.array(["a"]), "std": np.array(["b"])})),
    (layout.STATE, files.packed({"rows": np.array([None], object)})),
    (layout.PREDICTIONS, files.packed({"segments": np.zeros(3), "recordings": np.zeros(3), "labels": np.zeros(2)})),
    (layout.BEST_WEIGHTS, b"PK\x03\x04"), (layout.RECIPE, b"seed = "), (layout.RECIPE, b"\xff\xfe"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "content"), WRONG)
def test_wrong_content_is_damage(name, content, tmp_path):
    run = RunFolder(tmp_path, None)
    run.write(name, content)
    with pytest.raises(UserError, match=f"{name}: is damaged \\(") as raised:
        run.read(name)
    assert "\n" not in str(raised.value) and str(raised.value).endswith(files.of(name).fix)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(WHOLE)), st.data())
def test_any_bytes_end_in_content_or_damage(name, data):
    content = bytearray(WHOLE[name])
    places = st.lists(st.tuples(st.integers(0, len(content) - 1), st.integers(0, 255)), max_size=5)
    for place, value in data.draw(places):
        content[place] = value
    cut = data.draw(st.integers(0, len(content)))
    for damaged in (bytes(content), bytes(content[:cut]), data.draw(st.binary(max_size=200))):
        with contextlib.suppress(files.DAMAGE):
            files.of(name).parse(damaged)


def test_an_archive_of_arrays_is_written_as_numpy_writes_it():
    values = {"x": np.arange(3), "y": np.zeros((2, 2), np.float16)}
    with np.load(io.BytesIO(files.packed(values))) as stored:
        assert all((stored[name] == value).all() for name, value in values.items())
