"""Private parts of the standard library that data preparation relies on.

Tested with: CPython 3.11 to 3.13.
"""

import multiprocessing


def worker_is_importing_main() -> bool:
    """Whether this process is a spawned worker that is still running the script of the process that started it.

    Private part: `_inheriting` of `multiprocessing.process.BaseProcess`, which the standard library sets during that
    time and which its own check for a missing `if __name__ == "__main__":` reads.
    """
    return getattr(multiprocessing.current_process(), "_inheriting", False)
