"""Stopping a verb by SIGINT and SIGTERM, whatever it is doing.

Python runs signal handlers in the main thread between bytecodes: not while that thread is inside
compiled code, nor in a wait that the kernel restarts (polars, which MLflow imports, installs a
SIGINT handler with SA_RESTART). A separate thread therefore reads each signal from the wakeup
descriptor that Python's C handler writes to, and ends the process if the main thread does not do
so in time. Nothing is lost: every verb can be killed anywhere, and the kernel releases its locks.
"""

import math
import os
import select
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread
from types import FrameType
from typing import NoReturn

GRACE_S = 1.5
"""Seconds that an interrupted verb may take to remove its temporary files."""

CLEAN_S = 4.5
"""Seconds that a verb inside `stop_requested` may take to commit and print its summary."""

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_CLOSED, _ENDED, _LATE = 0, 255, 254  # not signal numbers
_SHOW_CURSOR = b"\x1b[?25h"


class _Watcher:
    """The thread that reads signals, and the state it shares with the main thread."""

    def __init__(self) -> None:
        self.interrupted = 0
        """Number of the signal that interrupted the main thread, or 0."""
        self.stopped = False
        """Whether a verb inside `stop_requested` was stopped."""
        self.stop: Event | None = None
        """The event of the verb inside `stop_requested`, or None."""
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._writer, False)
        self._before = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        self._thread = Thread(target=self._run, name="signals", daemon=True)
        self._thread.start()

    def ended(self) -> None:
        """Lift the time limit: the verb has left `stop_requested`."""
        self.stop = None
        if not self.interrupted:
            os.write(self._writer, bytes([_ENDED]))

    def close(self) -> None:
        signal.set_wakeup_fd(self._before)
        os.write(self._writer, bytes([_CLOSED]))
        self._thread.join()
        os.close(self._reader)
        os.close(self._writer)

    def _run(self) -> None:
        first = 0
        ends_s = math.inf
        while (number := self._next(ends_s)) != _CLOSED:
            if number == _ENDED:
                first, ends_s = 0, math.inf
            elif first or number == _LATE:
                _leave(128 + first)
            else:
                first, stop = number, self.stop
                ends_s = time.monotonic() + (GRACE_S if stop is None else CLEAN_S)
                if stop is not None:
                    stop.set()

    def _next(self, ends_s: float) -> int:
        """The next signal or marker byte; `_LATE` if none comes before `ends_s` (monotonic)."""
        while True:
            left_s = None if ends_s == math.inf else max(0.0, ends_s - time.monotonic())
            if not select.select([self._reader], [], [], left_s)[0]:
                return _LATE
            number = os.read(self._reader, 1)[0]
            if number in {_CLOSED, _ENDED, *_SIGNALS}:
                return number


_watcher: _Watcher | None = None
"""Signals belong to the process, so at most one watcher exists."""


def _leave(code: int) -> NoReturn:
    """End the process at once, without waiting for threads, locks or destructors."""
    if os.isatty(2) and select.select([], [2], [], 0)[1]:
        os.write(2, _SHOW_CURSOR)
    os._exit(code)


@contextmanager
def interruptible() -> Iterator[None]:
    """Let SIGINT and SIGTERM end the process within two seconds and without a traceback.

    The main thread gets a KeyboardInterrupt, or SystemExit for SIGTERM, to clean up; the exit code
    is always 128 + the signal's number. A second signal ends the process at once. A verb inside
    `stop_requested` ends by itself with its own exit code, and is killed after `CLEAN_S` seconds.
    A signal that was ignored before stays ignored. Use it in the main thread only; do not nest.
    """
    global _watcher  # noqa: PLW0603 - one per process
    # An interrupt raised in a destructor is only printed; the watcher ends the process later.
    show, sys.unraisablehook = sys.unraisablehook, _silent
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    _watcher = watcher = _Watcher()
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, _interrupt)
    code: int | str | None = 0
    try:
        try:
            yield
        except SystemExit as error:
            code = error.code
            raise
        finally:
            if watcher.interrupted:
                leave_flushed(128 + watcher.interrupted)
            elif watcher.stopped and (code is None or isinstance(code, int)):
                leave_flushed(code or 0)
    finally:
        _watcher = None
        for number, handler in before.items():
            signal.signal(number, handler)
        watcher.close()
        sys.unraisablehook = show


def leave_flushed(code: int) -> NoReturn:
    """Flush the standard streams and end the process."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):  # the reader has gone
            continue
    _leave(code)


def _silent(unraisable: "sys.UnraisableHookArgs") -> None:
    if not issubclass(unraisable.exc_type, KeyboardInterrupt | SystemExit):
        sys.__unraisablehook__(unraisable)


def _interrupt(number: int, _frame: FrameType | None) -> NoReturn:
    if _watcher is not None:
        _watcher.interrupted = number
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    raise SystemExit(128 + number)


class _Stop(Event):
    """Calls `first` before it is set."""

    def __init__(self, first: Callable[[], None]) -> None:
        super().__init__()
        self._first = first

    def set(self) -> None:
        self._first()
        super().set()


@contextmanager
def stop_requested(
    first: Callable[[], None] = lambda: None, then: Callable[[], None] = lambda: None
) -> Iterator[Event]:
    """Yield an event that the first SIGINT or SIGTERM sets, for a verb that then ends by itself.

    first: called at once, whatever the main thread is doing, in another thread, and perhaps again.
    then: called by the signal handler in the main thread, as soon as that runs; may raise.
    The next signal has its previous effect; inside `interruptible` it ends the process at once,
    as does exceeding `CLEAN_S` seconds. Use it in the main thread only.
    """
    stop, watcher = _Stop(first), _watcher
    before = {number: signal.getsignal(number) for number in _SIGNALS}

    def take(_number: int, _frame: FrameType | None) -> None:
        stop.set()
        if watcher is not None:
            watcher.stopped = True
        restore()
        then()

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    if watcher is not None:
        watcher.stop = stop
    for number in before:
        signal.signal(number, take)
    try:
        yield stop
    finally:
        restore()
        if watcher is not None:
            watcher.ended()
