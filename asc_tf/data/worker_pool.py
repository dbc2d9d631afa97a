"""A pool of worker processes that can be interrupted or killed at any time.

Workers import the module of the function that they run: it must import neither TensorFlow nor Keras.
"""

import contextlib
import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from asc_tf.errors import UserError

_Job = TypeVar("_Job")


def run_jobs(
    function: Callable[[_Job], object],
    jobs: Sequence[_Job],
    *,
    workers: int,
    name: str,
    on_done: Callable[[_Job], object],
) -> None:
    """Calls a function once for each job, in any order, and returns when all are done.

    Ctrl-C reaches this process alone and ends the workers at once; so does the end of this process, even by a kill.

    Args:
        function: A module-level function; its results are not used.
        jobs: Its arguments, which can be pickled.
        workers: Processes, at least 1; with 1, or one job, the jobs run in this process.
        name: What the jobs belong to; error messages begin with it.
        on_done: Called in this process with each job that has ended.

    Raises:
        UserError: A worker process died.
        Exception: The first exception that a job raises; jobs that run at that time are ended.
    """
    workers = min(workers, len(jobs))
    if workers < 2:
        for job in jobs:
            function(job)
            on_done(job)
        return
    try:
        _run_in_processes(function, jobs, workers, on_done)
    except BrokenProcessPool as error:
        raise UserError(
            f"{name}: a worker process died (out of memory, or a script without `if __name__ == '__main__':`). "
            "What is complete stays: free some memory or add that line, and run it again."
        ) from error


def _run_in_processes(function, jobs, workers, on_done):
    # Spawned: forking a process in which TensorFlow's threads run can hang.
    context = multiprocessing.get_context("spawn")
    lifeline, writing_end = context.Pipe(duplex=False)
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_start_worker, initargs=(lifeline,))
    try:
        with _interrupts_delayed():
            futures = {pool.submit(function, job): job for job in jobs}
        for future in as_completed(futures):
            future.result()
            on_done(futures[future])
    finally:
        # Closing the pipe ends workers in the middle of a job, so that Ctrl-C does not wait for them.
        writing_end.close()
        pool.shutdown(cancel_futures=True)
        lifeline.close()


@contextlib.contextmanager
def _interrupts_delayed() -> Iterator[None]:
    """Delays Ctrl-C to the end of the block; processes started inside, to which a terminal sends it too, ignore it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _start_worker(lifeline):
    """Ignores Ctrl-C, and ends this worker when the pipe is closed: by the parent, or by the parent's death."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_exit_when_closed, args=(lifeline,), daemon=True).start()


def _exit_when_closed(lifeline):
    multiprocessing.connection.wait([lifeline])
    os._exit(1)
