"""How a verb is stopped by SIGINT and SIGTERM, in whatever it is doing.

Python runs the handler of a signal in the main thread, between two of its steps. So it does not run
while that thread is inside compiled code, or in a wait that the kernel restarts: polars, which
comes with MLflow, installs a handler for SIGINT with SA_RESTART. Therefore a thread of its own
reads each signal as it arrives, from the wakeup descriptor that Python's C handler writes to, and
ends the process when the main thread does not do so in time. Nothing is lost by that: every verb
can be killed anywhere, and the kernel releases its locks.
"""

import math
import os
import select
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread
from types import FrameType
from typing import NoReturn

GRACE_S = 1.5
"""How long an interrupted verb may take to remove what it keeps for itself."""

CLEAN_S = 4.5
"""How long a verb that ends by itself may take to commit and to print its summary."""

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_CLOSED, _ENDED, _LATE = 0, 255, 254  # no numbers of signals
_SHOW_CURSOR = b"\x1b[?25h"


class _Watcher:
    """The thread that reads signals, and what the main thread has heard of them."""

    def __init__(self) -> None:
        self.interrupted = 0
        """The signal that the main thread was interrupted by, or 0."""
        self.stopped = False
        """Whether a verb that ends by itself was stopped."""
        self.stop: Event | None = None
        """That of the verb which ends by itself, while there is one."""
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._writer, False)
        self._before = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        self._thread = Thread(target=self._run, name="signals", daemon=True)
        self._thread.start()

    def ended(self) -> None:
        """The verb that was to end by itself did: what follows has no limit."""
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
        """The next byte that counts; `_LATE` where none comes until `ends_s`."""
        while True:
            left_s = None if ends_s == math.inf else max(0.0, ends_s - time.monotonic())
            if not select.select([self._reader], [], [], left_s)[0]:
                return _LATE
            number = os.read(self._reader, 1)[0]
            if number in {_CLOSED, _ENDED, *_SIGNALS}:
                return number


_watcher: _Watcher | None = None
"""Signals are the process's, and so is who reads them."""


def _leave(code: int) -> NoReturn:
    """End the process now; no thread, lock or destructor can hold it."""
    if os.isatty(2) and select.select([], [2], [], 0)[1]:
        os.write(2, _SHOW_CURSOR)
    os._exit(code)


@contextmanager
def interruptible() -> Iterator[None]:
    """While it lasts SIGINT and SIGTERM end the process, within two seconds and without traceback.

    The main thread gets a KeyboardInterrupt, or SystemExit for SIGTERM, to remove what it keeps for
    itself; 128 + the signal's number is the exit code, whatever that comes to. A second signal ends
    the process at once. A verb inside `stop_requested` ends by itself, with its own exit code, and
    is ended after `CLEAN_S` seconds. A signal that was ignored before stays so. For the main
    thread, and not twice at a time.
    """
    global _watcher  # noqa: PLW0603 - there is one a process
    # Python prints what is raised in a destructor, and goes on: it is ended a little later.
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
    """End the process with what it printed."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):  # nobody reads it any more
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


@contextmanager
def stop_requested() -> Iterator[Event]:
    """An event that the first SIGINT or SIGTERM sets, for a verb that then ends by itself.

    The next signal does what it did before; where the verb runs `interruptible` that ends the
    process at once, and so does `CLEAN_S` seconds without an end. For the main thread.
    """
    stop, watcher = Event(), _watcher
    before = {number: signal.getsignal(number) for number in _SIGNALS}

    def take(_number: int, _frame: FrameType | None) -> None:
        stop.set()
        if watcher is not None:
            watcher.stopped = True
        restore()

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
