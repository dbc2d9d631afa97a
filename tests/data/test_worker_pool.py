from pathlib import Path

import pytest

from asc_tf.data.worker_pool import run_jobs


def paths_in(folder, count=5):
    return [folder / f"{number}" for number in range(count)]


@pytest.mark.parametrize("workers", [1, 2])
def test_every_job_runs_once_and_is_reported(tmp_path, workers):
    done = []
    run_jobs(Path.mkdir, paths_in(tmp_path), workers=workers, name="test", on_done=done.append)
    assert sorted(done) == sorted(tmp_path.iterdir()) == paths_in(tmp_path)


@pytest.mark.parametrize("workers", [1, 2])
def test_the_exception_of_a_job_is_raised(tmp_path, workers):
    paths_in(tmp_path)[2].touch()
    with pytest.raises(FileExistsError):
        run_jobs(Path.mkdir, paths_in(tmp_path), workers=workers, name="test", on_done=str)


def test_without_jobs_nothing_runs():
    run_jobs(Path.mkdir, [], workers=2, name="test", on_done=pytest.fail)
