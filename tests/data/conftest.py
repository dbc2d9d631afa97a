import pytest

from asc_tf.data.datasets import made_up


@pytest.fixture(scope="session")
def made_up_listing(tmp_path_factory):
    """The listing of 60 + 60 synthetic scenes."""
    return made_up.listing(root=str(tmp_path_factory.mktemp("made_up")), train_clips=60, test_clips=60)
