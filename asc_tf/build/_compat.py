"""Private parts of Keras: weights to and from memory, as Model.save_weights and load_weights do with a path.

h5py never writes to a disk: where one is full, HDF5 leaves the process in a state in which it crashes later.
Tested with Keras 3.15.1.
"""

import io

import keras
from keras.src.saving import saving_lib


def weights_bytes(network: keras.Model) -> bytes:
    """The content of the .weights.h5 file of a network.

    Args:
        network: A built network.
    """
    content = io.BytesIO()
    store = saving_lib.H5IOStore(content, mode="w")
    saving_lib._save_state(network, weights_store=store, assets_store=None, inner_path="", visited_saveables=set())
    store.close()
    return content.getvalue()


def set_weights(network: keras.Model, content: bytes) -> None:
    """Sets the weights of a network to those of a .weights.h5 file.

    Args:
        network: A built network.
        content: Bytes of the file. Damaged ones, and those of another network, raise whatever reading them leads to.
    """
    store = saving_lib.H5IOStore(io.BytesIO(content), mode="r")
    saving_lib._load_state(network, weights_store=store, assets_store=None, inner_path="", visited_saveables=set())
    store.close()
