"""Our own verbs as processes: what they import, where they run, what is kept of their output."""

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
"""Of standard output and of standard error, each: the last ones."""

_NEUTRAL = "/"
_WITH_US = (
    "import ctypes; sys.platform == 'linux' and ctypes.CDLL(None).prctl(1, 15); "
    "os.getppid() == {} or sys.exit(2)"
)
"""The kernel sends it SIGTERM (15) when the thread that began it ends (PR_SET_PDEATHSIG is 1)."""
_LOOK_S = 0.1
_READ_S = 1.0
_LONGEST_LINE = 500


def environment(settings: Settings) -> dict[str, str]:
    """The environment in which a verb has the same settings in any working directory.

    That of this process, with every setting in it, and absolute paths where they matter.
    """
    kept = dict(os.environ)
    for name, value in settings:
        kept[f"BAROGRAPH_{name.upper()}"] = str(value.absolute() if name == "home" else value)
    if path := kept.get("PYTHONPATH"):
        kept["PYTHONPATH"] = os.pathsep.join(map(os.path.abspath, path.split(os.pathsep)))
    return kept


class Child:
    """`barograph WORDS`, begun; killed at the end of a `with`, if it is still there.

    On Linux it ends with the thread that began it, however that ends.

    Its working directory is `/`, so WORDS name files by absolute paths. It imports nothing from
    the working directory of this process, unless this process does so itself (for a case of the
    user's own), and then last, as this one. polite: with the lowest priority, and in a session of
    its own, which Ctrl-C does not reach. Not thread-safe: use one instance per thread.
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
        """The child."""
        return self

    def __exit__(self, *_: object) -> None:
        """Kill it, if it is still there."""
        self.kill()

    def wait(self, timeout_s: float = _LOOK_S) -> int | None:
        """Its exit code, below 0 for the signal that killed it; None if it is still at work."""
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None

    def interrupt(self) -> None:
        """Ask it to end (SIGINT)."""
        self._process.send_signal(signal.SIGINT)

    def terminate(self) -> None:
        """Ask it to end (SIGTERM)."""
        self._process.terminate()

    def kill(self) -> None:
        """End it where it stands, and wait for that."""
        self._process.kill()
        self._process.wait()

    def out(self) -> bytes:
        """The last of its standard output; call it after the end."""
        return self._out.read()

    def why(self) -> str:
        """Why it failed, in one printable line; call it after the end."""
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
        """What is kept; waits a second for a pipe that a process of the child's holds open."""
        self._thread.join(_READ_S)
        return self._kept

    def _run(self) -> None:
        if self._pipe is None:
            return
        with self._pipe:
            while part := os.read(self._pipe.fileno(), KEPT_BYTES):
                self._kept = (self._kept + part)[-KEPT_BYTES:]


def absolute(address: str | Path) -> str:
    """A log's address that means the same in every working directory."""
    text = str(address)
    if text.startswith("sqlite:///"):
        return f"sqlite:///{Path(text.removeprefix('sqlite:///')).absolute()}"
    return text if "://" in text else str(Path(text).absolute())


def end_politely(child: Child, patience_s: float) -> None:
    """Interrupt it, and kill it if it has not ended after so many seconds."""
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
