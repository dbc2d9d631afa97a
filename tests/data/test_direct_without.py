"""data.read = "direct" where tensorflow-io is absent or made for another TensorFlow."""

import os
import sys

import numpy as np
import pytest
import soundfile

from asc_tf import dataset
from asc_tf.data import direct
from asc_tf.data.datasets.listing import Clip, Listing
from asc_tf.errors import UserError
from asc_tf.recipe import resolve


@pytest.fixture
def without_kernels(monkeypatch):
    direct.tensorflow_io.cache_clear()
    monkeypatch.setitem(sys.modules, "tensorflow_io", None)
    yield
    direct.tensorflow_io.cache_clear()


def test_one_line_names_the_package(without_kernels, tiny):
    with pytest.raises(UserError, match=r"needs tensorflow-io .*: pip install 'asc_tf\[io\]'") as error:
        dataset.load(resolve.load(tiny, ["data.read=direct"]), quiet=True)
    assert "\n" not in str(error.value)


def test_an_address_needs_direct_reading(tiny):
    with pytest.raises(UserError, match='audio_url is for read = "direct"'):
        resolve.load(tiny, ["data.audio_url=s3://bucket/audio"])


def test_files_that_preparation_would_mend_are_refused_and_names_need_not_be_utf8(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(direct, "tensorflow_io", lambda what: None)
    names = ["a.wav", os.fsdecode(b"\xe9.wav"), "chained.ogg", "longer.wav"]
    for name in names:
        soundfile.write(os.fsencode(tmp_path / name), np.zeros(8000), 8000)
    (tmp_path / "chained.ogg").write_bytes(2 * (tmp_path / "chained.ogg").read_bytes())
    content = bytearray((tmp_path / "longer.wav").read_bytes())
    content[40:44] = bytes(4)
    (tmp_path / "longer.wav").write_bytes(content)
    listing = Listing.from_clips(tmp_path, ("x",), [Clip(name, "x", "train") for name in names])
    assert direct.index(listing, sample_rate_hz=8000, segment_s=1.0, max_bad_share=0.5).clip.tolist() == [0, 1]
    fix = "several streams one after another; leave data.read out to prepare it"
    assert (
        "2 of 4 file(s) cannot be read (50.0%) (1 several streams one after another, 1 its" in capsys.readouterr().err
    )
    with pytest.raises(UserError, match=fix):
        direct.index(listing, sample_rate_hz=8000, segment_s=1.0)
