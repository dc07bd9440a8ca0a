"""What the server serves: the boards of its cases, their streams, and the log and registry."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from barograph.app.settings import Settings
from barograph.app.web.boards import Board, encode
from barograph.app.web.fanout import Event, Fanout
from barograph.app.web.record_board import RecordBoard
from barograph.app.web.series_board import SeriesBoard
from barograph.app.web.tail import Tail, by_board
from barograph.cases.case import Case
from barograph.errors import BadInputError
from barograph.log import Log, open_log
from barograph.types import NS_PER_S, Record

STATUS_NS = NS_PER_S
"""A status event is sent once in so long at most."""

_THREADS = 3


class Site:
    """All that routes need, on one event loop from `begin` to `end`.

    cases: the first is the default one. Raises BadInputError for two cases of one name.
    """

    def __init__(
        self,
        settings: Settings,
        address: str | Path,
        cases: Sequence[Case],
        warn: Callable[[str], None],
    ) -> None:
        names = [case.name for case in cases]
        if len(set(names)) < len(names):
            why = "two cases have this name"
            raise BadInputError(f"case {names[0]}", why, "Serve one of them")
        self.settings, self.address, self.warn = settings, address, warn
        self.cases = {case.name: case for case in cases}
        self.default = next((case.name for case in cases if case.live is not None), names[0])
        self.fanouts: Mapping[str, Fanout] = {name: Fanout() for name in names}
        self.boards: Mapping[str, Board] = self._new_boards()
        self.ready = asyncio.Event()
        self.threads = ThreadPoolExecutor(_THREADS, "web")
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tail: Tail | None = None
        self._log: Log | None = None
        self._status_ns = dict.fromkeys(names, 0)

    def begin(self) -> None:
        """Start to follow the log; call it on the event loop."""
        boards = self._new_boards()
        self._loop = asyncio.get_running_loop()

        def filled() -> None:
            self.boards = boards
            self.ready.set()

        self._tail = Tail(
            self.address,
            list(boards.values()),
            self._loop,
            filled=filled,
            deliver=self._deliver,
            warn=self.warn,
        )
        self._tail.start()

    def stop_streams(self) -> None:
        """End all streams, so that the server can end. For any thread."""
        if self._loop is not None and not self._loop.is_closed():
            for fanout in self.fanouts.values():
                self._loop.call_soon_threadsafe(fanout.close)

    def end(self) -> None:
        """Stop following, and release the log."""
        if self._tail is not None:
            self._tail.stop()
        self.threads.shutdown(wait=True, cancel_futures=True)
        if self._log is not None:
            self._log.close()

    @property
    def log_problem(self) -> str:
        """Why the log cannot be read now; empty where it can."""
        if self._tail is None or (not self._tail.alive and not self._tail.problem):
            return "nothing follows the log: start the server again"
        return self._tail.problem

    def log(self) -> Log:
        """The log, opened with the first call; for use in `threads`."""
        if self._log is None:
            self._log = open_log(self.address)
        return self._log

    def board(self, case: str) -> Board:
        """The board of a case by name; KeyError for a case that is not served."""
        return self.boards[case or self.default]

    def _new_boards(self) -> dict[str, Board]:
        return {
            case.name: SeriesBoard(case) if case.live is not None else RecordBoard(case)
            for case in self.cases.values()
        }

    def _deliver(self, records: Sequence[Record]) -> None:
        now_ns = time.time_ns()
        for name, own in by_board(self.boards.values(), records).items():
            board, fanout = self.boards[name], self.fanouts[name]
            events = board.receive(own, quiet=not fanout.readers)
            if fanout.readers and now_ns - self._status_ns[name] >= STATUS_NS:
                self._status_ns[name] = now_ns
                events.append(self.status_event(board, now_ns))
            fanout.publish(events)

    def status_event(self, board: Board, now_ns: int) -> Event:
        """The status of a case as an event."""
        return Event("status", board.places.cursor, encode(board.status(now_ns)))
