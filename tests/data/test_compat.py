import multiprocessing
import os
import subprocess
import sys
from pathlib import Path

from asc_tf.data import _compat

SCRIPT = """
import multiprocessing
from asc_tf.data import _compat

print(__name__, _compat.worker_is_importing_main(), flush=True)
if __name__ == "__main__":
    worker = multiprocessing.get_context("spawn").Process(target=_compat.worker_is_importing_main)
    worker.start()
    worker.join()
"""


def test_a_spawned_worker_is_recognised_while_it_runs_the_script(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    result = subprocess.run([sys.executable, script], env=environment, capture_output=True, text=True, check=True)
    lines = result.stdout.splitlines()
    gone = "multiprocessing's private `_inheriting` is gone: _compat.worker_is_importing_main needs another source"
    assert lines == ["__main__ False", "__mp_main__ True"], gone


def test_this_process_is_no_worker():
    assert not hasattr(multiprocessing.current_process(), "_inheriting")
    assert not _compat.worker_is_importing_main()
