"""Private parts of Keras: weights written to memory, as Model.save_weights writes them to a path.

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
