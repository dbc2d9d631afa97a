"""Positions, patchout and class tokens of the transformers."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from asc_tf.models import _positions
from asc_tf.models._positions import GridTokens, Patchout, TimeFrequencyPositions

# Every patch has the number of its place.
PLACES = np.arange(7 * 9, dtype="float32").reshape(1, 7, 9, 1)


def test_patchout_leaves_whole_rows_and_columns_out_in_training():
    x = np.concatenate([PLACES, PLACES + 100])
    layer = Patchout(rows=2, columns=4, seed=1)
    places = np.array(layer(x, training=True))
    assert places.shape == (2, 5 * 5, 1)
    np.testing.assert_array_equal(places[1], places[0] + 100)  # one draw for the batch
    rows, columns = places[0, :, 0] // 9, places[0, :, 0] % 9
    np.testing.assert_array_equal(places[0, :, 0], np.sort(places[0, :, 0]))
    assert len(set(rows)) == len(set(columns)) == 5
    np.testing.assert_array_equal(layer(x), x.reshape(2, 63, 1))


def test_patchout_leaves_tokens_out_in_training():
    places = np.array(Patchout(tokens=13, seed=1)(PLACES, training=True))[0, :, 0]
    assert places.shape == (50,) and len(set(places)) == 50
    np.testing.assert_array_equal(places, np.sort(places))
    assert len(set(places // 9)) == 7 and len(set(places % 9)) == 9


def test_draws_follow_seed_and_step_and_every_patch_comes_up():
    one, other = (Patchout(rows=3, tokens=2, seed=5) for _ in range(2))
    draws = [np.array(one(PLACES, training=True)) for _ in range(60)]
    for draw in draws[:5]:
        np.testing.assert_array_equal(other(PLACES, training=True), draw)
    other.seed_generator.state.assign(Patchout(seed=5).seed_generator.state)
    np.testing.assert_array_equal(other(PLACES, training=True), draws[0])
    shares = np.bincount(np.concatenate(draws).ravel().astype(int), minlength=63) / len(draws)
    assert np.abs(shares - (4 * 9 - 2) / 63).max() < 0.25


def test_patchout_has_a_fixed_shape_in_graphs_and_a_gradient():
    layer = Patchout(rows=1, columns=1, tokens=5, seed=1)

    @tf.function(input_signature=[tf.TensorSpec((None, 7, 9, 1))])
    def loss(x):
        tokens = layer(x, training=True)
        assert tokens.shape == (None, 6 * 8 - 5, 1)
        return tf.gradients(tf.reduce_sum(tokens**2), x)[0], tokens

    gradient, tokens = loss(tf.constant(PLACES + 1))
    expected = np.zeros(64)
    expected[np.array(tokens, int).ravel()] = 2 * np.array(tokens).ravel()
    np.testing.assert_array_equal(gradient[0, ..., 0], expected[1:].reshape(7, 9))


def test_time_positions_are_a_random_window_in_training_and_the_first_ones_otherwise():
    layer = TimeFrequencyPositions(12, seed=1)
    layer.build((None, 7, 9, 1))
    layer.freq_new_pos_embed.assign(100.0 * np.arange(7).reshape(1, 1, 7, 1))
    layer.time_new_pos_embed.assign(np.arange(12.0).reshape(1, 1, 1, 12))
    expected = (100 * np.arange(7)[:, None] + np.arange(9))[None, ..., None]
    zeros = np.zeros((2, 7, 9, 1))
    np.testing.assert_array_equal(layer(zeros), np.concatenate([expected] * 2))
    first = []
    for _ in range(40):
        added = np.array(layer(zeros, training=True))
        first.append(int(added[0, 0, 0, 0]))
        np.testing.assert_array_equal(added, np.concatenate([expected + first[-1]] * 2))
    assert set(first) == {0, 1, 2, 3}


def test_input_longer_than_the_time_positions_is_cut():
    layer = TimeFrequencyPositions(5)
    layer.build(PLACES.shape)
    layer.freq_new_pos_embed.assign(np.zeros((1, 1, 7, 1)))
    layer.time_new_pos_embed.assign(np.zeros((1, 1, 1, 5)))
    for training in (False, True):
        np.testing.assert_array_equal(layer(PLACES, training=training), PLACES[:, :, :5])
    assert layer.compute_output_shape((None, 7, 9, 1)) == (None, 7, 5, 1)


# AST's code: columns from 50 - t // 2 of 101, rows from 6 - f // 2 of 12.
@pytest.mark.parametrize(
    ("grid", "size", "first"),
    [((12, 101), (12, 9), (0, 46)), ((12, 101), (5, 12), (4, 44)), ((24, 24), (12, 9), (6, 8))],
)
def test_positions_of_a_smaller_grid_are_the_central_ones(grid, size, first):
    table = np.arange(grid[0] * grid[1], dtype="float32").reshape(*grid)
    expected = table[first[0] : first[0] + size[0], first[1] : first[1] + size[1]]
    np.testing.assert_array_equal(_added(table, size), expected)


def test_positions_of_a_larger_grid_are_interpolated():
    # torch 2.13.0: interpolate(size=(2, 5), then (3, 5), mode="bilinear") of [[0, 1, 4], [10, 20, 50]].
    first, last = np.array([0.0, 0.4, 1.0, 2.8, 4.0]), np.array([10.0, 14.0, 20.0, 38.0, 50.0])
    np.testing.assert_allclose(
        _added(np.array([[0.0, 1, 4], [10, 20, 50]]), (3, 5)), [first, (first + last) / 2, last], rtol=1e-6
    )


def test_each_axis_of_the_grid_is_cut_or_interpolated_by_itself():
    added = _added(np.array([[0.0, 1, 4], [10, 20, 50]]), (3, 2))
    np.testing.assert_allclose(added, [[0, 1], [5, 10.5], [10, 20]], rtol=1e-6)


def test_class_tokens_have_the_first_positions():
    layer = GridTokens((1, 2))
    layer.build((None, 1, 2, 1))
    for weight, values in ((layer.cls_token, [1]), (layer.dist_token, [2]), (layer.pos_embed, [10, 20, 30, 40])):
        weight.assign(np.reshape(np.array(values, "float32"), (1, -1, 1)))
    tokens = layer(np.array([5.0, 6.0], "float32").reshape(1, 1, 2, 1))
    np.testing.assert_array_equal(tokens[0, :, 0], [11, 22, 35, 46])


def test_positions_and_tokens_start_with_a_std_of_2_percent():
    keras.utils.set_random_seed(0)
    layers = [TimeFrequencyPositions(99), _positions.PositionedClassTokens(), GridTokens((12, 101))]
    for layer, shape in zip(layers, [(1, 12, 99, 768), (1, 9, 768), (1, 12, 9, 768)], strict=True):
        layer.build(shape)
        for weight in layer.weights:
            assert np.std(weight) == pytest.approx(0.02, rel=0.1), weight.path


def _added(table, size):
    """What GridTokens adds to the patches of one channel."""
    layer = GridTokens(table.shape)
    layer.build((None, *size, 1))
    layer.pos_embed.assign(np.concatenate([[0, 0], table.ravel()]).reshape(1, -1, 1))
    return np.array(layer(np.zeros((1, *size, 1))))[0, 2:, 0].reshape(size)
