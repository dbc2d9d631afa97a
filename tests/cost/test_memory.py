import keras
from keras import layers

from asc_tf.cost import memory


def test_two_tensors_of_a_chain_are_live_at_a_time():
    inputs = keras.Input((4, 4, 1))  # 16
    x = layers.Conv2D(3, 3, padding="same")(inputs)  # 48
    x = layers.ReLU()(layers.BatchNormalization()(x))  # in place
    x = layers.Conv2D(2, 3, strides=2, padding="same")(x)  # 8
    assert memory.peak_values(keras.Model(inputs, x)) == 16 + 48


def test_a_shortcut_is_live_until_its_addition():
    inputs = keras.Input((4, 4, 1))
    x = layers.Conv2D(3, 1)(inputs)  # 48, live until the sum
    y = layers.Conv2D(5, 1)(x)  # 80
    z = layers.Conv2D(3, 1)(layers.ReLU()(y))  # 48
    assert memory.peak_values(keras.Model(inputs, layers.Add()([x, z]))) == 48 + 80 + 48


def test_an_activation_is_not_in_place_where_its_input_is_read_again():
    inputs = keras.Input((4, 4, 1))
    x = layers.Conv2D(3, 1)(inputs)
    assert memory.peak_values(keras.Model(inputs, layers.Add()([x, layers.ReLU()(x)]))) == 3 * 48


def test_a_subsampled_convolution_writes_the_remaining_positions_only():
    inputs = keras.Input((4, 4, 1))
    x = layers.ReLU()(layers.DepthwiseConv2D(3, padding="same", depth_multiplier=4)(inputs))
    network = keras.Model(inputs, layers.MaxPooling2D(1, strides=(2, 1))(x))
    assert memory.peak_values(network) == 16 + 32


def test_a_network_inside_another_needs_the_same_memory():
    inputs = keras.Input((4, 4, 1))
    x = layers.Conv2D(3, 1)(inputs)
    inner = keras.Model(inputs, layers.Add()([x, layers.Conv2D(3, 1)(x)]))
    outer = keras.Input((4, 4, 1))
    network = keras.Model(outer, layers.GlobalAveragePooling2D()(inner(outer)))
    assert memory.peak_values(network) == memory.peak_values(inner) == 3 * 48


def test_unread_tensors_are_freed_and_outputs_stay():
    sizes = {"x": 1, "a": 10, "unread": 900, "b": 1000, "out": 2}
    steps = [(["x"], ["a", "unread"]), (["x"], ["b"]), (["b"], ["out"])]
    assert memory.peak(steps, sizes, ["x"], ["a", "out"]) == 10 + 1000 + 2
