"""How are the missing shards written in parallel, so that the work can be stopped anywhere and gone on with?"""

import contextlib
import fcntl
import multiprocessing
import os
import signal
import sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool

from asc_tf.data.prepared.shard_writer import UNFINISHED, recorded, start_worker, write
from asc_tf.errors import UserError

# So few are done before the workers would have started.
_FEW_FILES, _FEW_BYTES = 64, 100_000_000


@contextlib.contextmanager
def alone(folder, *, quiet):
    """Holds a set's folder locked, waiting for its turn; the system frees the lock however its holder dies."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        _lock(handle, folder, quiet)
        yield
    finally:
        os.close(handle)


def make_missing(folder, jobs, *, workers, quiet):
    """Writes the shards that are not there.  Leaves no unfinished file behind."""
    _remove_unfinished(folder)
    missing = [job for job in jobs if recorded(job) is None]
    files = sum(len(job.files) for job in missing)
    workers = min(workers or os.cpu_count(), len(missing))
    try:
        with _progress(sum(len(job.files) for job in jobs), files, quiet) as bar:
            if workers < 2 or (files < _FEW_FILES and sum(map(_bytes, missing)) < _FEW_BYTES):
                _here(missing, bar)
            else:
                _in_parallel(missing, workers, bar)
    finally:
        _remove_unfinished(folder)


def _bytes(job):
    return sum(os.path.getsize(job.root / file) for file in job.files)


def _lock(handle, folder, quiet):
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        # Python starts a worker by running the script again, up to `if __name__ == "__main__":`.
        if getattr(multiprocessing.current_process(), "_inheriting", False):
            raise RuntimeError(f"{folder}: a worker must not wait for those that started it") from None
        if not quiet:
            print(f"prepare: waiting for another run that works on {folder}", file=sys.stderr)
        fcntl.flock(handle, fcntl.LOCK_EX)
    except OSError:
        # Some network drives have no locks; names and moves of whole files keep two runs apart there.
        return


def _progress(total, left, quiet):
    from tqdm import tqdm

    interval = 0.1 if sys.stderr.isatty() else 30
    options = {"mininterval": interval, "maxinterval": max(10, interval), "disable": quiet or not left, "ascii": True}
    return tqdm(desc="prepare", total=total, initial=total - left, unit=" files", **options)


def _here(jobs, bar):
    for job in jobs:
        write(job)
        bar.update(len(job.files))


def _in_parallel(jobs, workers, bar):
    """Workers are spawned: forking a process in which TensorFlow's threads run can hang."""
    context = multiprocessing.get_context("spawn")
    lifeline, held = context.Pipe(duplex=False)
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=start_worker, initargs=(lifeline,))
    try:
        with _deaf_children():
            futures = {pool.submit(write, job): job for job in jobs}
        for future in as_completed(futures):
            future.result()
            bar.update(len(futures[future].files))
    except BrokenProcessPool as error:
        raise UserError(
            "prepare: a worker process died (out of memory, or a script without `if __name__ == '__main__':`). "
            "What is done is kept: run it again, with workers=1 if that does not help."
        ) from error
    finally:
        # Closing the pipe ends workers in the middle of a shard, so that Ctrl-C does not wait for them.
        held.close()
        pool.shutdown(cancel_futures=True)
        lifeline.close()


@contextlib.contextmanager
def _deaf_children():
    """Processes started inside never see Ctrl-C, which a terminal sends to them too; it reaches this one afterwards."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _remove_unfinished(folder):
    for file in folder.glob(f"*{UNFINISHED}"):
        file.unlink(missing_ok=True)
