import dataclasses

import numpy as np
import pytest

from asc_tf.data import batches
from asc_tf.errors import UserError


def source(segments=100, teacher=True):
    waves = np.repeat(np.arange(2 * segments, dtype=np.int16)[:, None] * 64, 8, axis=1)
    rows = np.arange(segments) * 2  # every second prepared row
    return batches.Source(
        read=lambda rows: waves[rows],
        samples=8,
        rows=rows,
        labels=np.arange(segments) % 3,
        classes=3,
        devices=np.array(["a", "b"])[np.arange(segments) % 2],
        columns={"teacher": np.arange(segments * 3).reshape(segments, 3)} if teacher else {},
    )


def draw(first_step, last_step, seed=1, batch_size=20, workers=1, **which):
    """(steps, the worker's share of batch_size) positions in the source that the batches have."""
    steps = {"first_step": first_step, "last_step": last_step}
    chunks = batches.training(source(), batch_size=batch_size, seed=seed, **steps, workers=workers, **which)
    waves = np.concatenate([batch["wave"][:, 0] for batch, _ in chunks])
    return np.rint(waves * 32768 / 128).astype(int).reshape(-1, batch_size // workers)


def test_every_epoch_draws_every_clip_once_in_another_order():
    steps = draw(0, 10)
    for epoch in (steps[:5], steps[5:]):
        assert sorted(epoch.ravel()) == list(range(100))
    assert (steps[:5] != steps[5:]).any()


def test_a_step_depends_on_its_number_and_the_seed_alone():
    np.testing.assert_array_equal(draw(0, 10)[7:9], draw(7, 9))
    assert (draw(0, 1, seed=1) != draw(0, 1, seed=2)).any()


def test_a_restart_in_mid_epoch_draws_the_clips_that_are_left():
    seen, rest = draw(0, 2).ravel(), draw(2, 5).ravel()
    assert sorted([*seen, *rest]) == list(range(100)) and not set(seen) & set(rest)


def test_the_order_is_drawn_from_all_orders_alike():
    """Of two uniform positions among n, the mean distance is n / 3; a shuffle buffer of b clips gives about b."""
    clips = 50_000
    data = batches.Source(
        read=lambda rows: rows.astype(np.int16)[:, None],
        samples=1,
        rows=np.arange(clips),
        labels=np.zeros(clips, np.int64),
        classes=1,
        devices=np.broadcast_to("", clips),
        columns={"teacher": np.arange(clips, dtype=np.float32)[:, None]},  # whole numbers to 2^24
    )
    chunks = batches.training(data, batch_size=1000, seed=1, first_step=0, last_step=50)
    order = np.concatenate([batch["teacher"][:, 0] for batch, _ in chunks])
    assert np.array_equal(np.sort(order), np.arange(clips))
    distance = np.abs(np.diff(order)).mean()
    # The standard deviation of one distance is n / sqrt(18); five of those of the mean.
    assert abs(distance - clips / 3) < 5 * clips / np.sqrt(18 * clips)


@pytest.mark.parametrize("workers", [2, 4, 5, 20])
def test_the_shares_of_the_workers_are_the_batch_of_one_worker(workers):
    joint = np.concatenate([draw(3, 8, workers=workers, worker=worker) for worker in range(workers)], axis=1)
    np.testing.assert_array_equal(joint, draw(3, 8))


def test_chunk_numbers_do_not_depend_on_the_workers(monkeypatch):
    monkeypatch.setattr(batches.chunk_size, "__defaults__", (5,))
    steps = {"batch_size": 20, "seed": 1, "first_step": 2, "last_step": 4}
    numbers = [
        [int(n) for _, n in batches.training(source(), **steps, worker=worker, workers=2)] for worker in range(2)
    ]
    assert numbers == [[8, 9, 12, 13], [10, 11, 14, 15]]


@pytest.mark.parametrize(("worker", "workers", "message"), [(0, 3, "train.batch_size = 20"), (2, 2, "from 0 to 1")])
def test_a_batch_that_cannot_be_shared_is_an_error(worker, workers, message):
    with pytest.raises(UserError, match=message):
        draw(0, 1, worker=worker, workers=workers)


def test_label_device_and_columns_travel_with_the_wave():
    for batch, _ in batches.training(source(), batch_size=20, seed=1, first_step=0, last_step=2):
        at = np.rint(batch["wave"][:, 0] * 32768 / 128).astype(int)
        np.testing.assert_array_equal(np.argmax(batch["label"], 1), at % 3)
        np.testing.assert_array_equal(batch["device"], np.array([b"a", b"b"])[at % 2])
        np.testing.assert_array_equal(batch["teacher"][:, 0], at * 3)


def test_a_source_without_columns_gives_none():
    chunks = batches.training(source(teacher=False), batch_size=20, seed=1, first_step=0, last_step=1)
    assert "teacher" not in next(iter(chunks))[0]


def test_shifts_are_drawn_anew_for_every_clip_and_epoch_and_depend_on_seed_and_step_alone():
    def drawn(first_step, last_step, seed=1):
        """The shifts of the clips at 0 ... 99 of every epoch."""
        shifted = dataclasses.replace(
            source(), max_shift=3, read_shifted=lambda rows, shifts: np.tile(100 * shifts[:, None], 8).astype(np.int16)
        )
        steps = {"first_step": first_step, "last_step": last_step}
        chunks = list(batches.training(shifted, batch_size=20, seed=seed, **steps))
        order = np.concatenate([batch["teacher"][:, 0] for batch, _ in chunks]).reshape(-1, 20) // 3
        shifts = np.concatenate([np.rint(batch["wave"][:, 0] * 32768 / 100) for batch, _ in chunks]).reshape(-1, 20)
        return order.astype(int), shifts

    order, shifts = drawn(0, 10)
    np.testing.assert_array_equal(order, draw(0, 10))
    assert set(shifts.ravel()) == set(range(-3, 4))
    first, second = np.zeros(100), np.zeros(100)
    first[order[:5].ravel()], second[order[5:].ravel()] = shifts[:5].ravel(), shifts[5:].ravel()
    assert (first != second).mean() > 0.5
    np.testing.assert_array_equal(drawn(7, 9)[1], shifts[7:9])
    assert (drawn(0, 1, seed=2)[1] != shifts[:1]).any()
    evaluated = batches.evaluation(dataclasses.replace(source(), max_shift=3), 100)
    np.testing.assert_array_equal(np.rint(next(iter(evaluated))["wave"][:, 0] * 32768 / 128), np.arange(100))


@pytest.mark.parametrize("chunk", [1, 7, 100, 300])
def test_evaluation_gives_every_segment_once_in_order(chunk):
    waves = np.concatenate([batch["wave"][:, 0] for batch in batches.evaluation(source(), chunk)])
    np.testing.assert_array_equal(np.rint(waves * 32768 / 128), np.arange(100))


@pytest.mark.parametrize(("batch_size", "chunk"), [(256, 64), (64, 64), (100, 50), (37, 37), (67, 1)])
def test_chunk_size_is_the_largest_divisor_up_to_64(batch_size, chunk):
    assert batches.chunk_size(batch_size) == chunk


def test_label_sets_give_a_clip_several_classes():
    sets = np.array([[1, 0, 1], [0, 1, 0]], bool)
    several = dataclasses.replace(source(4), labels=np.array([1, 0, 0, 1]), label_sets=sets)
    (batch,) = batches.evaluation(several, 4)
    np.testing.assert_array_equal(batch["label"], [[0, 1, 0], [1, 0, 1], [1, 0, 1], [0, 1, 0]])


def balanced(labels, **settings):
    labels = np.array(labels)
    several = source(len(labels), teacher=False)
    several = dataclasses.replace(several, labels=labels, devices=labels.astype(str), balance=True)
    return [batch["device"].numpy().astype(int) for batch, _ in batches.training(several, **settings)]


def test_balanced_batches_draw_all_classes_equally_often():
    for drawn in balanced([0] * 80 + [1] * 15 + [2] * 5, batch_size=12, seed=1, first_step=0, last_step=16):
        assert np.bincount(drawn).tolist() == [4, 4, 4]


def test_numbers_of_a_class_differ_by_two_at_most_where_classes_do_not_divide_the_batch():
    for drawn in balanced([0] * 80 + [1] * 15 + [2] * 5, batch_size=10, seed=1, first_step=0, last_step=20):
        assert np.ptp(np.bincount(drawn)) <= 2


def test_balanced_batches_depend_on_the_step_and_the_seed_alone():
    rng = np.random.default_rng(0)
    settings = {"source": dataclasses.replace(source(), labels=rng.choice(3, 100, p=[0.8, 0.1, 0.1]), balance=True)}

    def waves(first, last, seed=1):
        steps = {"first_step": first, "last_step": last}
        return [b["wave"].numpy() for b, _ in batches.training(**settings, batch_size=10, seed=seed, **steps)]

    whole = waves(0, 24)
    np.testing.assert_array_equal(whole[13:], waves(13, 24))
    assert not np.array_equal(whole, waves(0, 24, seed=2))


def test_every_clip_of_a_rare_class_is_drawn_equally_often():
    rare = dataclasses.replace(source(20, teacher=False), labels=np.array([0] * 16 + [1] * 4), balance=True)
    chunks = batches.training(rare, batch_size=20, seed=1, first_step=0, last_step=8)
    at = np.rint(np.concatenate([chunk["wave"][:, 0] for chunk, _ in chunks]) * 256).astype(int)
    counts = np.bincount(at, minlength=20)[16:]
    assert counts.sum() == 80 and np.ptp(counts) <= 8  # ten clips an epoch: each of the four comes two or three times
