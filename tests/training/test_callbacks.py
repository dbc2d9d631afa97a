import keras

from asc_tf.models._dynamic import DynamicPointwise
from asc_tf.training import callbacks as epochs


def test_a_layer_is_told_of_the_epoch_that_begins_also_in_a_run_that_goes_on():
    inputs, scores = keras.Input((4, 4, 3)), keras.Input((4,))
    network = keras.Model([inputs, scores], DynamicPointwise(2, start_temperature=30.0, name="conv")([inputs, scores]))
    temperature = network.get_layer("conv").temperature
    keeper = epochs.EpochCheckpoint(None, network, None, [], title="")
    keeper.set_params({"steps": 1})
    for epoch, expected in ((0, 30), (1, 29), (20, 10), (29, 1), (30, 1)):
        keeper.on_epoch_begin(epoch)
        assert float(temperature) == expected
