"""data.read = "direct" where tensorflow-io is absent or made for another TensorFlow."""

import sys

import pytest

from asc_tf import dataset
from asc_tf.data import direct
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
