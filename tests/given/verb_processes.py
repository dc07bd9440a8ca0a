"""Processes that tests start and kill: they begin in no time.

Each is the child of a process that has imported and loaded everything once (`warm_kernels.py`).
"""

import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
from multiprocessing import forkserver
from pathlib import Path

import pytest

LIMIT_S = 300.0
WARM = multiprocessing.get_context("forkserver")


def begin(process):
    """Start a process of `WARM`; it ends with the test that started it."""
    with pytest.MonkeyPatch.context() as now:
        # Where its parent finds what it is to import; it gets an environment of its own.
        now.setenv("PYTHONPATH", str(Path(__file__).parent), prepend=os.pathsep)
        WARM.set_forkserver_preload(["verb_processes", "warm_kernels"])
        forkserver.ensure_running()
    process.start()


class Life(WARM.Process):
    """`barograph *words`, begun; `environment` joins that of the test.

    To whoever looks at it, it has a standard output and an error of its own.
    """

    def __init__(self, *words, **environment):
        super().__init__(daemon=True)
        self._words = ["barograph", *map(str, words)]
        self._environment = {**os.environ, **environment}
        self._output = Path(tempfile.mkdtemp(prefix="life-"))
        begin(self)

    def run(self):
        """In the child: become the command, which may have children of its own."""
        multiprocessing.current_process()._config["daemon"] = False
        os.environ.clear()
        os.environ.update(self._environment)
        for number, name in ((1, "out"), (2, "err")):
            os.dup2(os.open(self._output / name, os.O_WRONLY | os.O_CREAT), number)
        self.prepare()
        sys.argv = self._words
        from barograph.app.cli import main  # noqa: PLC0415 - who starts it need not have it

        main()

    def prepare(self):
        """In the child, before it becomes the command: nothing here; others take things away."""

    def end(self, limit_s=LIMIT_S):
        """Wait for it: exit code, standard output, standard error."""
        self.join(limit_s)
        assert self.exitcode is not None, f"{self._words} did not end in {limit_s} s"
        output = [(self._output / name).read_bytes() for name in ("out", "err")]
        shutil.rmtree(self._output)
        return self.exitcode, *output

    def warned(self):
        """Its standard error so far."""
        path = self._output / "err"
        return path.read_bytes() if path.exists() else b""

    def answer(self, limit_s=LIMIT_S):
        """Wait for its good end; returns its standard output."""
        code, out, err = self.end(limit_s)
        assert code == 0, err.decode()
        return out

    def kill(self):
        """End it where it stands; whether it was at work."""
        super().kill()
        self.join()
        shutil.rmtree(self._output, ignore_errors=True)
        return self.exitcode == -signal.SIGKILL
