import keras
import numpy as np

from asc_tf.models._dynamic import DynamicPointwise
from asc_tf.recipe import resolve
from asc_tf.runs import folder as run_folder
from asc_tf.runs import layout
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


def test_a_log_that_goes_on_has_the_lines_of_one_that_was_never_stopped(tmp_path):
    run = run_folder.create(tmp_path / "run", resolve.load("quickstart"), resume=False)
    run.write(layout.LABELS, "a\nb\n")
    inputs = keras.Input((2,))
    network = keras.Model(inputs, keras.layers.Dense(2)(inputs))
    network.compile("sgd", "mse")
    network.optimizer.build(network.trainable_variables)

    def epoch(keeper, number):
        keeper.set_params({"steps": 1, "epochs": 2})
        keeper.on_epoch_begin(number)
        keeper.on_epoch_end(number, {"loss": 0.5})

    whole = epochs.EpochCheckpoint(run, network, None, np.array([]), title="")
    whole.set_model(network)
    epoch(whole, 0)
    resumed = epochs.EpochCheckpoint(run, network, None, np.array([]), title="")
    assert resumed.resume(network) == 1
    epoch(whole, 1)
    expected = [line.rpartition(",")[0] for line in run.read_bytes(layout.LOG).decode().splitlines()]  # no seconds
    epoch(resumed, 1)
    assert [line.rpartition(",")[0] for line in run.read_bytes(layout.LOG).decode().splitlines()] == expected
    assert expected[1].startswith("1,") and len(expected) == 3
