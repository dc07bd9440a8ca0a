"""Logs that are lost, restored, copied and killed in one home: no archived byte ever disappears.

A machine of Hypothesis does to a home what people and crashes do, in any order. After each step the
bytes of the archive are there still, every log has exactly the events that the files give which it
says it has, and a file that it should know and does not is told.
"""

import shutil
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from barograph.archive.files import archive_files
from barograph.archive.joined import entries_in_log
from barograph.archive.recall import compare
from barograph.errors import BadInputError
from barograph.feed.feed import PRODUCER
from barograph.log.topics import TICKS
from barograph.venues.coinbase.machine import Coinbase
from barograph.venues.entries import Closing
from coinbase_messages import ticker
from homes import Home, die, heard, interrupted, recorded
from log_contents import events

LOGS = ["log.sqlite", "second.sqlite"]
IN_MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of its own is made there; each step syncs
logs = st.sampled_from(LOGS)
ENDS = ["close", "close", "die", "die before the log", "leave it to the next"]
ends = st.sampled_from(ENDS)


class HomesAndLogs(RuleBasedStateMachine):
    """One home, two addresses, two copies, three recordings."""

    def __init__(self):
        super().__init__()
        self.temporary = TemporaryDirectory(dir=IN_MEMORY if IN_MEMORY.is_dir() else None)
        self.folder = Path(self.temporary.name)
        self.path = self.folder / "home"
        self.path.mkdir()
        self.recordings = [
            recorded(self.folder, *(ticker(1000 * n + k) for k in range(5)), name=f"{n}.ndjson")
            for n in range(1, 4)
        ]
        self.next = 10_000
        self.seen = {}

    def teardown(self):
        self.temporary.cleanup()

    @property
    def archive(self):
        return self.path / "archive"

    def open(self, log):
        return Home(self.path, f"sqlite:///{self.path}/{log}")

    def end(self, home, feed, how):
        if how == "die before the log":
            feed._writer.flush()
        if how in {"close", "leave it to the next"}:
            feed.close()
        else:
            die(feed)
        home.log.close()

    def begin(self, log):
        """A feed on a log; what it does not know it told."""
        home = self.open(log)
        return home, home.feed()

    @rule(log=logs, frames=st.integers(0, 3), committed=st.integers(0, 3), end=ends)
    def listen(self, log, frames, committed, end):
        home, feed = self.begin(log)
        for connection in feed.connections:
            feed.take(Closing(connection))
        for number in range(frames):
            self.next += 1
            feed.take(heard(ticker(self.next), f"live-{self.next - number}"))
            if number < committed:
                feed.commit()
        if end == "close":
            feed.commit()
        self.end(home, feed, end)

    @rule(log=logs, which=st.integers(0, 2), lines=st.integers(0, 5), end=ends)
    def replay(self, log, which, lines, end):
        home, feed = self.begin(log)
        feed.batch_lines = 2
        interrupted(feed, self.recordings[which], lines)
        self.end(home, feed, end)

    @rule(log=logs)
    def recover(self, log):
        if any(file.there for file in archive_files(self.archive)):
            home = self.open(log)
            with suppress(BadInputError):
                home.recover()
                assert home.unknown() == []
            home.log.close()

    @rule(log=logs, name=st.sampled_from("ab"))
    def copy(self, log, name):
        if (self.path / log).exists():
            shutil.copy(self.path / log, self.folder / name)

    @rule(log=logs, name=st.sampled_from("ab"))
    def restore(self, log, name):
        if (self.folder / name).exists():
            self.lose(log)
            shutil.copy(self.folder / name, self.path / log)

    @rule(log=logs)
    def lose(self, log):
        for path in self.path.glob(f"{log}*"):
            if path.is_file():
                path.unlink()

    @rule()
    def move_home(self):
        self.path = self.path.rename(self.folder / f"home-{len(list(self.folder.iterdir()))}")

    @invariant()
    def no_byte_of_the_archive_disappears(self):
        aside = self.archive / "aside"
        moved = {path.name: path.read_bytes() for path in aside.glob("*")} if aside.exists() else {}
        for file in archive_files(self.archive):
            content = file.path.read_bytes()
            before, finished = self.seen.get(file.number, (b"", False))
            if finished:
                assert content == before, "a finished file changed"
            if not content.startswith(before):
                rest = [each for name, each in moved.items() if name.startswith(file.path.name[:6])]
                assert any((content + each).startswith(before) for each in rest)
            self.seen[file.number] = content, file.manifest is not None
        there = {file.number for file in archive_files(self.archive)}
        for number, (content, finished) in self.seen.items():
            if number not in there:
                assert not finished
                assert any(each.startswith(content) for each in moved.values())

    @invariant()
    def a_log_has_the_events_of_its_files_or_they_are_told(self):
        for log in LOGS:
            if (self.path / log).exists():
                self.look_at(self.open(log))

    def look_at(self, home):
        if TICKS in {topic.name for topic in home.log.topics()}:
            saved = home.log.producer_checkpoints(PRODUCER, take=False)
            address = home.log.address.rpartition("/")[2]
            recalled = compare(self.archive, saved, address)
            by_product = {}
            for event in Coinbase().hear(
                entries_in_log(self.archive, recalled.standing), lambda _letter: None
            ):
                by_product.setdefault(event.product, []).append(event)
            assert by_product == events(home.log)
            named = {file.number for file in (*recalled.tail, *recalled.unknown)}
            for file in archive_files(self.archive):
                is_known = recalled.standing.end_in(file.number) is not None
                is_anothers = recalled.book.owner(file.number) not in {
                    None, recalled.log, *recalled.book.stood_at(address),
                }  # fmt: skip
                assert is_known or is_anothers or file.number in named
        home.log.close()


TestHomesAndLogs = HomesAndLogs.TestCase
TestHomesAndLogs.settings = settings(
    max_examples=20,
    stateful_step_count=12,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestHomesAndLogs.pytestmark = [pytest.mark.slow]
