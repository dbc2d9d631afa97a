import numpy as np
import pytest

from asc_tf.data import batches


def source(segments=100, teacher=True):
    waves = np.repeat(np.arange(2 * segments, dtype=np.int16)[:, None] * 64, 8, axis=1)
    rows = np.arange(segments) * 2  # every second prepared row
    return batches.Source(
        read=lambda some: waves[some],
        samples=8,
        rows=rows,
        labels=np.arange(segments) % 3,
        classes=3,
        devices=np.array(["a", "b"])[np.arange(segments) % 2],
        teacher=np.arange(segments * 3, dtype=np.float32).reshape(segments, 3) if teacher else None,
    )


def drawn(first_step, last_step, seed=1, batch_size=20):
    """(steps, batch_size) positions in the source that were drawn."""
    chunks = batches.training(source(), batch_size=batch_size, seed=seed, first_step=first_step, last_step=last_step)
    waves = np.concatenate([batch["wave"][:, 0] for batch, _ in chunks])
    return np.rint(waves * 32768 / 128).astype(int).reshape(-1, batch_size)


def test_every_epoch_draws_every_clip_once_in_another_order():
    steps = drawn(0, 10)
    for epoch in (steps[:5], steps[5:]):
        assert sorted(epoch.ravel()) == list(range(100))
    assert (steps[:5] != steps[5:]).any()


def test_a_step_depends_on_its_number_and_the_seed_alone():
    np.testing.assert_array_equal(drawn(0, 10)[7:9], drawn(7, 9))
    assert (drawn(0, 1, seed=1) != drawn(0, 1, seed=2)).any()


def test_everything_travels_with_its_clip():
    for batch, _ in batches.training(source(), batch_size=20, seed=1, first_step=0, last_step=2):
        at = np.rint(batch["wave"][:, 0] * 32768 / 128).astype(int)
        np.testing.assert_array_equal(np.argmax(batch["label"], 1), at % 3)
        np.testing.assert_array_equal(batch["device"], np.array([b"a", b"b"])[at % 2])
        np.testing.assert_array_equal(batch["teacher"][:, 0], at * 3)


def test_without_teacher_there_is_none():
    chunks = batches.training(source(teacher=False), batch_size=20, seed=1, first_step=0, last_step=1)
    assert "teacher" not in next(iter(chunks))[0]


@pytest.mark.parametrize("chunk", [1, 7, 100, 300])
def test_evaluation_is_everything_once_in_order(chunk):
    waves = np.concatenate([batch["wave"][:, 0] for batch in batches.evaluation(source(), chunk)])
    np.testing.assert_array_equal(np.rint(waves * 32768 / 128), np.arange(100))


@pytest.mark.parametrize(("batch_size", "chunk"), [(256, 64), (64, 64), (100, 50), (37, 37), (67, 1)])
def test_chunks_divide_the_batch(batch_size, chunk):
    assert batches.chunk_size(batch_size) == chunk
