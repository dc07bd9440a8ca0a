"""Barograph verbs as child processes: their environment, working directory and kept output."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Self

from barograph.app.settings import Settings
from barograph.foreign import one_line

KEPT_BYTES = 1 << 16
"""How many last bytes are kept of standard output, and of standard error."""

_NEUTRAL = "/"
_WITH_US = (
    "import ctypes; sys.platform == 'linux' and ctypes.CDLL(None).prctl(1, 15); "
    "os.getppid() == {} or sys.exit(2)"
)
"""Linux sends the child SIGTERM (15) when its starting thread ends (PR_SET_PDEATHSIG is 1)."""
_LOOK_S = 0.1
_READ_S = 1.0
_LONGEST_LINE = 500


def environment(settings: Settings) -> dict[str, str]:
    """Environment variables that give a verb these settings in any working directory.

    This process's environment plus every setting, with home and PYTHONPATH made absolute.
    """
    kept = dict(os.environ)
    for name, value in settings:
        kept[f"BAROGRAPH_{name.upper()}"] = str(value.absolute() if name == "home" else value)
    if path := kept.get("PYTHONPATH"):
        kept["PYTHONPATH"] = os.pathsep.join(map(os.path.abspath, path.split(os.pathsep)))
    return kept


class Child:
    """A running `barograph WORDS`; the end of a `with` kills it if it is still running.

    On Linux it ends with the thread that started it.

    Its working directory is `/`, so WORDS must name files by absolute paths. It imports from this
    process's working directory only if this process does (for a user's case), and then last.
    polite: run at the lowest priority and in a session of its own, which Ctrl-C does not reach.
    Not thread-safe: use one instance per thread.
    """

    def __init__(
        self, words: Sequence[str], environment: dict[str, str], *, polite: bool = False
    ) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - our own verb
            [sys.executable, "-P", "-c", _program(polite=polite), *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=_NEUTRAL,
            env=environment,
            start_new_session=polite,
        )
        self._out, self._err = _Tail(self._process.stdout), _Tail(self._process.stderr)

    def __enter__(self) -> Self:
        """Return the child itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Kill the process if it is still running."""
        self.kill()

    def wait(self, timeout_s: float = _LOOK_S) -> int | None:
        """Return the exit code, negative for a signal; None if still running after `timeout_s`."""
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None

    def interrupt(self) -> None:
        """Send SIGINT."""
        self._process.send_signal(signal.SIGINT)

    def terminate(self) -> None:
        """Send SIGTERM."""
        self._process.terminate()

    def kill(self) -> None:
        """Send SIGKILL and wait for the exit."""
        self._process.kill()
        self._process.wait()

    def out(self) -> bytes:
        """The last `KEPT_BYTES` of standard output; call it after the exit."""
        return self._out.read()

    def why(self) -> str:
        """Why it failed, as one printable line; call it after the exit."""
        code = self._process.returncode
        lines = self._err.read().decode("utf-8", "replace").strip().splitlines()
        if code < 0 and not lines:
            name = signal.Signals(-code).name
            memory = "; perhaps the memory ran out" if -code == signal.SIGKILL else ""
            return f"its process was killed ({name}){memory}."
        line = lines[-1] if lines else f"exit code {code}."
        return one_line(line[:_LONGEST_LINE]).removeprefix("barograph: ")


class _Tail:
    """The last bytes of a pipe, read in a thread so that its writer never waits."""

    def __init__(self, pipe: IO[bytes] | None) -> None:
        self._pipe = pipe
        self._kept = b""
        self._thread = threading.Thread(target=self._run, name="child output", daemon=True)
        self._thread.start()

    def read(self) -> bytes:
        """The kept bytes; waits up to a second if a grandchild holds the pipe open."""
        self._thread.join(_READ_S)
        return self._kept

    def _run(self) -> None:
        if self._pipe is None:
            return
        with self._pipe:
            while part := os.read(self._pipe.fileno(), KEPT_BYTES):
                self._kept = (self._kept + part)[-KEPT_BYTES:]


def absolute(address: str | Path) -> str:
    """Make a log's address independent of the working directory."""
    text = str(address)
    if text.startswith("sqlite:///"):
        return f"sqlite:///{Path(text.removeprefix('sqlite:///')).absolute()}"
    return text if "://" in text else str(Path(text).absolute())


def end_politely(child: Child, patience_s: float) -> None:
    """Interrupt `child`, and kill it if it has not exited after `patience_s` seconds."""
    child.interrupt()
    ends_s = time.monotonic() + patience_s
    while child.wait() is None:
        if time.monotonic() > ends_s:
            child.kill()


def _program(*, polite: bool) -> str:
    path = [str(Path.cwd())] if "" in sys.path else []
    nice = "os.nice(19)" if polite else "pass"
    return (
        f"import os, sys; sys.path.extend({path!r}); {nice}; {_WITH_US.format(os.getpid())}; "
        "from barograph.app.cli import main; main()"
    )
