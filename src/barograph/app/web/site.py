"""What the server serves: the boards of its cases, their streams, the log and the registry."""

import asyncio
import os
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from barograph import telemetry
from barograph.app.registries import registry_of
from barograph.app.secrets import TOKEN
from barograph.app.settings import Settings
from barograph.app.web.access_log import AccessLog
from barograph.app.web.boards import Board, appended_ns, encode
from barograph.app.web.fanout import Event, Fanout
from barograph.app.web.health import (
    CaseHealth,
    HealthAnswer,
    SeenCase,
    answer_of,
    judged,
    seen_of,
    unjudged,
)
from barograph.app.web.model_watch import (
    ModelWatch,
    Standing,
    live_scores,
    model_now,
    rows_of_model,
    show_live,
)
from barograph.app.web.record_board import RecordBoard
from barograph.app.web.series_board import SeriesBoard
from barograph.app.web.tail import Tail, by_board
from barograph.app.wiring import champion_of
from barograph.cases.case import Case
from barograph.errors import BadInputError, BarographError
from barograph.log import Log, open_log
from barograph.pipeline.follower import Follower
from barograph.pipeline.progress import warmups_s
from barograph.registry.model import Model
from barograph.types import NS_PER_S, Record

_STATUS_S = 1.0
_LOOK_S = 2.0
_LIVE_S = 30.0
_HEALTH_S = 2.0
_THREADS = 3

T = TypeVar("T")


async def in_executor(
    threads: ThreadPoolExecutor, function: Callable[..., T], *arguments: object
) -> T:
    """Run what blocks beside the event loop."""
    return await asyncio.get_running_loop().run_in_executor(threads, function, *arguments)


def served(records: Sequence[Record], target: str) -> None:
    """Count how long predictions took from the log to their readers."""
    now_ns = time.time_ns()
    for record in records:
        if record.topic == target and (written_ns := appended_ns(record)) is not None:
            telemetry.STEP_LATENCY.observe((now_ns - written_ns) / NS_PER_S, "served")


class Site:
    """All that routes need, on one event loop from `begin` to `end`.

    cases: the first series is the default. Raises BadInputError for two cases of one name.
    """

    def __init__(
        self,
        settings: Settings,
        address: str | Path,
        cases: Sequence[Case],
        warn: Callable[[str], None],
    ) -> None:
        names = [case.name for case in cases]
        if twice := next((name for name in names if names.count(name) > 1), ""):
            why = "two cases have this name"
            raise BadInputError(f"case {twice}", why, "Serve one of them")
        self.settings, self.address, self.warn = settings, address, warn
        self.cases = {case.name: case for case in cases}
        self.default = next((case.name for case in cases if case.live is not None), names[0])
        self.token = os.environ.get(TOKEN, "")
        self.fanouts: Mapping[str, Fanout] = {name: Fanout() for name in names}
        self.boards: Mapping[str, Board] = self._new_boards()
        self.standings = dict.fromkeys(names, Standing())
        self.ready = asyncio.Event()
        """Set when the boards have what the page shows first."""
        self.whole = asyncio.Event()
        """Set when they have what the log has of the time before that, too."""
        self.threads = ThreadPoolExecutor(_THREADS, "web")
        self.access = AccessLog(settings.home / "logs")
        self._champions = {
            name: champion_of(settings, case, warn) for name, case in self.cases.items()
        }
        self._followed: set[str] = set()
        self._watch = ModelWatch(registry_of(settings, last_known=True))
        self._live: dict[str, tuple[float, str, dict[str, float | int | None] | None]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tail: Tail | None = None
        self._log: Log | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._look_s = 0.0
        self._health: HealthAnswer | None = None
        self._health_s = 0.0

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
            completed=self.whole.set,
            deliver=self._deliver,
            warn=self.warn,
        )
        self._tail.start()
        self._tasks = [self._loop.create_task(each) for each in (self._tell(), self._observe())]

    def stop_streams(self) -> None:
        """End all streams, so that the server can end. For any thread."""
        if self._loop is not None and not self._loop.is_closed():
            for fanout in self.fanouts.values():
                self._loop.call_soon_threadsafe(fanout.close)

    async def end(self) -> None:
        """Stop following, and release the log."""
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with suppress(asyncio.CancelledError):
                await task
        if self._tail is not None:
            self._tail.stop()
        self.threads.shutdown(wait=True, cancel_futures=True)
        for follower in self._champions.values():
            follower.leave()
        self.access.flush()
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

    def champion(self, case: str) -> Model | None:
        """The champion of a case, ready to score on the event loop; None without one."""
        follower = self._champions[case]
        if case in self._followed:
            follower.bring(())
        return follower.model

    def status_event(self, board: Board, now_ns: int) -> Event:
        """The status of a case as an event."""
        return Event("status", board.places.cursor, encode(board.status(now_ns)))

    def look_soon(self) -> None:
        """Look at the registry with the next round."""
        self._look_s = 0.0

    async def health(self) -> HealthAnswer:
        """The health of log, cases and their models; made anew every two seconds."""
        now_s = time.monotonic()
        if self._health is None or now_s - self._health_s >= _HEALTH_S:
            self._health_s = now_s
            self._health = await self._judged()
        return self._health

    async def _judged(self) -> HealthAnswer:
        now_ns = time.time_ns()
        seen = [seen_of(self.boards[name], self.standings[name], now_ns) for name in self.cases]
        problems = self._log_problems()
        if problems:
            cases = unjudged(seen, problems, self.default)
        else:
            cases = await in_executor(self.threads, self._judge, seen)
        return answer_of(cases, self.default)

    def _log_problems(self) -> list[str]:
        problems = [f"the log cannot be read: {self.log_problem}"] if self.log_problem else []
        if not self.ready.is_set():
            problems.append("the server still reads what the log keeps")
        return problems

    def _judge(self, seen: Sequence[SeenCase]) -> dict[str, CaseHealth]:
        try:
            return judged(self.log(), seen, self.default)
        except (BarographError, OSError) as error:
            return unjudged(seen, [" ".join(str(error).split())], self.default)

    def _new_boards(self) -> dict[str, Board]:
        return {
            case.name: SeriesBoard(case) if case.live is not None else RecordBoard(case)
            for case in self.cases.values()
        }

    def _deliver(self, records: Sequence[Record]) -> None:
        for name, own in by_board(self.boards.values(), records).items():
            fanout = self.fanouts[name]
            if fanout.readers:
                served(own, self.boards[name].target)
            fanout.publish(self.boards[name].receive(own, quiet=not fanout.readers))

    async def _tell(self) -> None:
        """Send the status once a second, and write the access log."""
        while True:
            await asyncio.sleep(_STATUS_S)
            now_ns = time.time_ns()
            for name, fanout in self.fanouts.items():
                if fanout.readers:
                    fanout.publish([self.status_event(self.boards[name], now_ns)])
            await in_executor(self.threads, self.access.flush)

    async def _observe(self) -> None:
        """Look at the registry and at the health, now and then."""
        for name, follower in self._champions.items():
            await in_executor(self.threads, self._bring, follower)
            self._followed.add(name)
        while True:
            if time.monotonic() - self._look_s >= _LOOK_S:
                self._look_s = time.monotonic()
                for name in self.cases:
                    await self._look(name)
                health = await self.health()
                for board in self.boards.values():
                    own = health.cases.get(board.name)
                    board.problems = own.problems if own else self._log_problems()
                    board.remarks = own.remarks if own else []
            await asyncio.sleep(_STATUS_S / 2)

    def _bring(self, follower: Follower) -> None:
        try:
            follower.bring(())
        except (BarographError, OSError, MemoryError) as error:
            self.warn(" ".join(str(error).split()))

    async def _look(self, name: str) -> None:
        standing = await in_executor(self.threads, self._watch.look, name)
        self.standings[name] = standing
        board = self.boards[name]
        label = None if standing.champion is None else f"{name}/{standing.champion}"
        live = None
        if label is not None and isinstance(board, SeriesBoard):
            live = await self._live_scores(board, label)
            model = self._champions[name].model
            board.warmup_s = warmups_s(model) if board.is_market else {}
        board.model = model_now(name, standing, live)

    async def _live_scores(
        self, board: SeriesBoard, label: str
    ) -> dict[str, float | int | None] | None:
        if not self.whole.is_set():
            return None  # scores of the first hour alone would be others in a moment
        now_s = time.monotonic()
        known = self._live.get(board.name)
        if known is not None and known[1] == label and now_s - known[0] < _LIVE_S:
            return known[2]
        rows = rows_of_model(board, label)
        number, horizon_s = board.models.get(label, 0), board.live.horizon_s
        found = (
            await in_executor(self.threads, live_scores, rows, number, horizon_s) if rows else None
        )
        self._live[board.name] = (now_s, label, found)
        show_live(board.name, found)
        return found
