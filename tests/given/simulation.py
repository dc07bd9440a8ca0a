"""The whole at work in a simulated world: feed, archive, log and stages, and all that fails.

One seed is a run: a row of lives. Each life is a process that does what a door does (it opens the
log, feeds from a simulated venue or a recording, featurizes, scores) on a simulated clock; it is
killed, or its disk fails, at a chosen operation. Between lives the power may have been cut. After
each life, and at the end, the home is held against what was sent:

1.  A finished file of the archive never changes and never goes.
2.  Every frame whose commit came back stands in the archive, byte for byte and in order.
3.  A life ends, as it was meant to or with a declared error, and never with a traceback.
4.  What a log has of the archive, heard again, gives its events.
5.  What a feature row claims to know is what a feed without any fault has, to the bit.
6.  A recording is in each log once, however often it was begun.
7.  What a log does not know of the archive can be recovered, into it or into a new one.
8.  While a log cannot be written, what is heard is archived as fast as ever, and no life ends of
    it. Once it can be, it has all of it, in order and once.

Between lives a home may have a second log, and a log may be lost, or restored from an older copy.
"""

import hashlib
import json
import math
import os
import shutil
import signal
import sqlite3
import time
import traceback
from concurrent.futures import Future
from contextlib import closing
from pathlib import Path
from random import Random
from unittest.mock import patch

import numpy as np

from archive_contents import read_archive
from barograph import codec
from barograph.archive.book import address_in
from barograph.archive.files import archive_files
from barograph.archive.joined import entries_in_log
from barograph.archive.recall import PRODUCER, compare
from barograph.errors import BadInputError, BarographError, DiskFullError, LogUnavailableError
from barograph.feature_set.catalogue import FEATURES as COLUMNS
from barograph.feature_set.catalogue import NAMES
from barograph.feature_set.featurizer import Featurizer
from barograph.feature_set.rows import feature_rows
from barograph.feed.feed import Feed
from barograph.feed.hole_asks import Asks
from barograph.feed.ingest import Batches
from barograph.feed.recover import recover
from barograph.feed.replay import replay
from barograph.log import open_log
from barograph.log.topics import FEATURES
from barograph.pipeline.worker import when_idle, work
from barograph.simulated.faults import Close, Freeze, Send
from barograph.types import NS_PER_S, DeadLetter, Fault, Frame, Gap, Heartbeat, Tick
from barograph.venues.coinbase.endpoints import PAGE_TRADES, lowest_trade_id
from barograph.venues.coinbase.machine import Coinbase
from barograph.venues.entries import Answer, Closing, Dialect, Heard, Opening, Rules
from homes import take_all
from log_contents import events, values
from market_stages import FEATURIZE, SCORE, MarketScorer
from simulated_disk import BROKEN, FULL, KILL, LOCKED, NO_ROOM, Away, Disk, cut_power
from simulated_venue import MAX_FRAME_BYTES, PRODUCTS, START_NS, Venue

LIFE_LIMIT_S = 60
SILENCE_S = 10.0
RECORDED_LINES = 240
PER_TICK = ("tick_", "staleness_s", "volume_24h", "quiet_share")
"""Features that begin so depend on each ticker by itself: one that was lost within a second whose
trades were recovered shows in them, and a snapshot too."""


def lacks_some(name, reasons):
    """Whether a window that carries on over holes may lack a return that a whole one has."""
    if not COLUMNS[NAMES.index(name)].window_s:
        return False
    whole = name.replace("observed_vol", "realized_vol")
    return whole not in NAMES or whole == name or reasons[NAMES.index(whole)] != "0"


class ViolationError(AssertionError):
    """An invariant does not hold."""


class World:
    """One seed's run in `folder`, which is its own."""

    def __init__(self, seed, folder: Path):
        self.seed, self.folder = seed, folder
        self.random = Random(f"world {seed}")
        self.seconds = self.random.randint(25, 45)
        self.venue = Venue(seed, self.seconds, self.random.randint(0, 4))
        self.home = folder / "home"
        self.recording = folder / "recording.ndjson"
        self.journal = folder / "journal"
        self.story = []
        """What happened, a line each: printed when an invariant does not hold."""
        self.logs = [Home(self.home)]
        if self.random.random() < 0.3:
            self.logs.append(Home(folder / "second"))
        self.loses = self.random.random() < 0.4
        self.connections = 0
        self.committed = {}
        """{connection: the frames of it whose commit came back}."""
        self.finished = {}
        """{name of a finished file: SHA-256}."""
        self.power_cuts = 0

    def run(self):
        """Live to the end of the market; raises ViolationError."""
        self.home.mkdir(parents=True)
        self._record()
        end_ns = START_NS + self.seconds * NS_PER_S
        while self.venue.now_ns < end_ns:
            self.live(end_ns)
            if self.loses and self.random.random() < 0.4:
                self._lose(self.random.choice(self.logs))
        self.settle()
        self.check()

    def live(self, end_ns):
        """One life with its strikes, and what it leaves."""
        random = self.random
        log = random.choice(self.logs)
        strikes = {}
        if random.random() < 0.75:
            away = Away(random.choice([LOCKED, NO_ROOM]), random.choice([1, 3, 10, 60]))
            kind = random.choice([KILL, KILL, KILL, FULL, BROKEN, away, away])
            at = random.choice([random.randint(1, 25), random.randint(1, 400)])
            strikes[at] = kind
            if kind is away and random.random() < 0.3:
                strikes[at + random.randint(1, 60)] = KILL
        power = random.random() < 0.3
        if random.random() < 0.35 and not log.recorded:
            self._live(Replaying(self, log), strikes, power)
        else:
            until_ns = min(end_ns, self.venue.now_ns + random.randint(5, 40) * NS_PER_S)
            self._live(Listening(self, log, until_ns), strikes, power)

    def settle(self):
        """Lives without a fault until all is done: what was lost, the tail, the recording."""
        for log in self.logs:
            self._live(Recovering(self, log), {}, power=False)
            self._live(Listening(self, log, self.venue.now_ns + 2 * NS_PER_S), {}, power=False)
            self._live(Replaying(self, log), {}, power=False)
            if not log.recorded:
                raise ViolationError(f"the recording did not come to its end in {log.name}")
        if any(log.too_late for log in self.logs):
            log = Home(self.folder / "rebuilt")
            self.logs.append(log)
            self._live(Recovering(self, log), {}, power=False)
            self._live(Replaying(self, log), {}, power=False)
            if log.too_late or not log.recorded:
                raise ViolationError("no log could be rebuilt of the whole archive")

    def _lose(self, log):
        """A log is copied, restored from its copy, or lost; nothing runs meanwhile."""
        what = self.random.choice([log.keep, log.keep, log.restore, log.lose])
        if what():
            self.story.append(f"{log.name}: {what.__name__}")

    def summary(self):
        """What happened, in some lines."""
        venue = self.venue
        kinds = venue.hostility.kinds if venue.hostility else []
        script = [f"{fault.kind} at {fault.at_s:g} s" for fault in venue.script]
        facts = [venue.dialect, f"{self.seconds} s", *script, *kinds]
        return "\n".join([f"  {', '.join(facts)}", *(f"  {line}" for line in self.story)])

    def _live(self, life, strikes, power):
        self.journal.write_bytes(b"")
        child = os.fork()
        if not child:
            life.be(strikes)
        _, status = os.waitpid(child, 0)
        died = os.WTERMSIG(status) if os.WIFSIGNALED(status) else None
        entries = [json.loads(line) for line in self.journal.read_bytes().splitlines()]
        name = f"{type(life).__name__} into {life.home.name}"
        self.story.append(f"{name} {strikes}{' power' if power else ''}: {died}")
        self._take_account(life.home, entries)
        only_away = bool(strikes) and all(isinstance(kind, Away) for kind in strikes.values())
        if only_away and ["listening"] in entries and any(e[0] == "ended" for e in entries):
            raise ViolationError("a life that listened ended because its log was away")
        if died == signal.SIGALRM:
            raise ViolationError(f"a life did not end in {LIFE_LIMIT_S} s")
        if died is not None and (died != signal.SIGKILL or KILL not in strikes.values()):
            raise ViolationError(f"a life ended by signal {died}")
        if died is not None and power:
            sizes = {}
            for entry in entries:
                if entry[0] == "made":
                    sizes[entry[1]] = 0
                elif entry[0] == "synced":
                    sizes[entry[1]] = entry[2]
            self.power_cuts += cut_power(sizes, self.random)
        self.check_archive()

    def _take_account(self, home, entries):
        heard = []
        for kind, *what in entries:
            if kind == "now":
                self.venue.advance(what[0])
            elif kind == "opened":
                self.connections = what[0]
            elif kind == "heard":
                heard.append(what)
            elif kind == "committed":
                for connection, digest in heard:
                    self.committed.setdefault(connection, []).append(digest)
                heard = []
            elif kind == "recorded":
                home.recorded = True
            elif kind == "too late":
                home.too_late = True
            elif kind == "back":
                self.story.append("    the log was away and came back")
            elif kind == "ended":
                self.story.append(f"    ended: {what[0]}")
            elif kind == "raised":
                raise ViolationError(what[0])

    # What must hold.

    def check_archive(self):
        """After each life: finished files stand, and so does every frame that was committed."""
        archive = self.home / "archive"
        for name, digest in self.finished.items():
            path = archive / name
            if not path.exists():
                raise ViolationError(f"finished file {name} is gone")
            if _sha256(path) != digest:
                raise ViolationError(f"finished file {name} was changed")
        for file in archive_files(archive):
            if file.manifest is not None and file.there:
                self.finished.setdefault(file.path.name, _sha256(file.path))
        received = {}
        for entry in read_archive(archive):
            if isinstance(entry, Heard):
                received.setdefault(entry.frame.connection, []).append(_digest(entry.frame.data))
        for connection, frames in self.committed.items():
            if received.get(connection, [])[: len(frames)] != frames:
                raise ViolationError(f"frames of {connection} that were committed are not archived")

    def check(self):
        """At the end, of each log."""
        truth, true_times = self.truth()
        for home in self.logs:
            with closing(open_log(home.address)) as log:
                logged = self.check_events(home, log)
                self._check_recording(logged)
                self._check_features(log, truth, _misplaced(logged, true_times))

    def check_events(self, home, log):
        """A log has what the archive that it knows gives; returns that."""
        logged = events(log)
        if logged != self._heard_again(log):
            raise ViolationError(f"the archive gives other events than {home.name} has")
        return logged

    def _heard_again(self, log):
        """{product: the events} of what a log has of the archive; a power cut may tear a line."""
        archive, by_product = self.home / "archive", {}
        saved = log.producer_checkpoints(PRODUCER, take=False)
        standing = compare(archive, saved, address_in(archive, log.address)).standing

        def refuse(letter):
            torn = letter.source.endswith(".gz")
            if torn and not (self.power_cuts and letter.fault is Fault.TRUNCATED):
                raise ViolationError(
                    f"{letter.identity} of the archive: {letter.fault}, {letter.detail}"
                )

        for event in Coinbase().hear(entries_in_log(archive, standing), refuse):
            by_product.setdefault(event.product, []).append(event)
        return by_product

    def _check_recording(self, logged):
        ticks = [event for event in logged.get("SOL-USD", ()) if type(event) is Tick]
        if [tick.trade_id for tick in ticks] != list(range(1, RECORDED_LINES + 1)):
            raise ViolationError(
                f"the recording's {RECORDED_LINES} ticks are {len(ticks)} in the log"
            )

    def _check_features(self, log, truth, misplaced):
        rows = {
            (row.product, row.second): row
            for records in values(log, FEATURES).values()
            for row in (codec.decode_row(value) for _, value in records)
        }
        for (product, second), row in rows.items():
            if product not in PRODUCTS:
                continue
            if any(first <= second < end for first, end in misplaced.get(product, ())):
                continue
            true = truth.get((product, second))
            for name, digit, value in zip(NAMES, row.reasons, row.values, strict=True):
                if digit != "0" or name.startswith(PER_TICK) or lacks_some(name, row.reasons):
                    continue
                if true is None:
                    raise ViolationError(
                        f"{product} {second}: {name} is known of a second never closed"
                    )
                true_value = true.values[NAMES.index(name)]
                if value != true_value:
                    at_s = second - START_NS // NS_PER_S
                    raise ViolationError(
                        f"{product} at {at_s} s: {name} is {value}, in truth {true_value}"
                    )

    def truth(self):
        """Of a feed that heard everything: {(product, second): the row}, {quote: its times}."""
        true = Venue(self.seed, self.seconds, 0)
        true.dialect = self.venue.dialect
        session, actions = true.session(1, script=())
        frames = [action.data for action in actions]
        frames += [
            action.data for action in session.advance(self.venue.made, self.venue.now_ns + NS_PER_S)
        ]
        machine = Coinbase(Rules())
        machine.take(Opening(connection="true", dialect=true.dialect))
        featurizer, numbers, ticks = Featurizer(), [], []
        for data in frames:
            heard = Heard(Frame(data=data, connection="true"), true.dialect)
            some = machine.take(heard).events
            ticks += some
            numbers += [codec.decode_numbers(codec.encode(e)) for e in some]
        rows, _ = featurizer.update(codec.event_array(numbers, featurizer.product_index))
        names = [featurizer.product(index) for index in range(rows["product"].max(initial=-1) + 1)]
        made = feature_rows(rows, names, "truth")
        times = {}
        for event in ticks:
            if type(event) is Tick:
                times.setdefault(_quote(event), []).append(event.event_time_ns)
        return {(row.product, row.second): row for row in made}, times

    def _record(self):
        rng = np.random.default_rng(self.seed)
        mids = (10_000 + np.cumsum(rng.integers(-5, 6, RECORDED_LINES))).tolist()
        lines = []
        for number, cents in enumerate(mids, 1):
            at = time.gmtime(START_NS // NS_PER_S - 1000 + number // 4)
            ticker = {
                "type": "ticker", "sequence": number, "product_id": "SOL-USD",
                "price": f"{cents / 100:.2f}", "best_bid": f"{cents / 100 - 0.01:.2f}",
                "best_ask": f"{cents / 100:.2f}", "trade_id": number, "side": "buy",
                "time": time.strftime("%Y-%m-%dT%H:%M:%S", at) + f".{number % 4 * 250_000:06d}Z",
            }  # fmt: skip
            lines.append(json.dumps(ticker))
        self.recording.write_text("\n".join(lines) + "\n")


class Home:
    """One of the logs that feed into the home's archive, in a folder of its own."""

    def __init__(self, folder):
        self.name, self.address = folder.name, folder
        self.recorded = self.too_late = False
        self._file = folder / "log.sqlite"
        self._copy, self._copy_recorded = folder.with_name(f"{folder.name}.copy"), False

    def keep(self):
        """Copy it."""
        if not self._file.exists():
            return False
        self._copy.unlink(missing_ok=True)
        with (
            closing(sqlite3.connect(self._file)) as log,
            closing(sqlite3.connect(self._copy)) as to,
        ):
            log.backup(to)
        self._copy_recorded = self.recorded
        return True

    def restore(self):
        """Put the copy in its place."""
        if not self._copy.exists():
            return False
        self.lose()
        shutil.copy(self._copy, self._file)
        self.recorded = self._copy_recorded
        return True

    def lose(self):
        """Remove it."""
        for path in self._file.parent.glob("log.sqlite*"):
            if path.is_file():
                path.unlink()
        self.recorded = False
        return True


class _Life:
    """A process: what it is to do, from its first breath."""

    def __init__(self, world, home):
        self.world, self.home = world, home
        self.random = Random(world.random.getrandbits(64))
        self.warnings = []
        self.waits_since_ns = self.last_heard_ns = None
        """Since when what was heard is not durable, and when something was heard last."""

    def be(self, strikes):
        """In the child: live, and leave without a trace of the parent's."""
        code = 70
        try:
            signal.alarm(LIFE_LIMIT_S)
            self._journal = os.open(self.world.journal, os.O_WRONLY | os.O_APPEND)
            with Disk(self.world.home, strikes, self.note).at_work() as self.disk:
                try:
                    self.live()
                    code = 0
                except BarographError as error:
                    self.note("ended", str(error))
                    code = 2
        except BaseException:  # noqa: BLE001 - noted, and the parent raises it
            self.note("raised", traceback.format_exc())
        finally:
            os._exit(code)

    def note(self, *what):
        """A line in the journal, which outlives us."""
        os.write(self._journal, json.dumps(what).encode() + b"\n")

    def feed(self, log):
        feed = Feed(log, self.world.home / "archive", Rules(), warn=self.warnings.append)
        feed.batch_lines = self.random.choice([1, 7, 50, 4096])

        def noted(write):
            def writing(*arguments):
                write(*arguments)
                self.note("committed")
                self.waits_since_ns = None

            return writing

        feed.commit, feed.keep = noted(feed.commit), noted(feed.keep)
        return feed

    def stages(self, log):
        """Featurize and score what is there; where the log is away, what could be."""
        try:
            self._stages(log)
        except (LogUnavailableError, DiskFullError):
            if not self.disk.struck_log:
                raise

    def _stages(self, log):
        for route, machine in ((FEATURIZE, Featurizer), (SCORE, MarketScorer)):
            work(
                log, route, machine, clock_ns=lambda: self.world.venue.now_ns, until=when_idle,
                limit=self.random.choice([1, 20, 1000]) if self.random.random() < 0.3 else 1000,
                timeout_s=0.0, checkpoint_every=self.random.choice([1, 50, 1000]),
            )  # fmt: skip


class Recovering(_Life):
    """A life that takes in what the log does not know of the archive."""

    def live(self):
        with closing(open_log(self.home.address)) as log:
            try:
                recover(log, self.world.home / "archive")
            except BadInputError as error:
                if "later events" not in error.why and "no archive" not in error.why:
                    raise
                self.note("too late")
            self.stages(log)


class Replaying(_Life):
    """A life that replays the recording."""

    def live(self):
        with closing(open_log(self.home.address)) as log, closing(self.feed(log)) as feed:
            replay(feed, [self.world.recording])
            self.note("recorded")
            self.stages(log)


class Listening(_Life):
    """A life that listens to the venue until a moment."""

    def __init__(self, world, home, until_ns):
        super().__init__(world, home)
        self._until_ns = until_ns
        self._answers = []
        self._connection = ""

    def live(self):
        world = self.world
        with closing(open_log(self.home.address)) as log, closing(self.feed(log)) as feed:
            self._log, self._feed = log, feed
            self._asks = Asks(self._ask)
            delay_s = self._delay_s = self.random.choice([0.005, 0.2, 1.0])
            clock_s = lambda: world.venue.now_ns / NS_PER_S  # noqa: E731
            retry_s = self.random.choice([0.05, 0.5, 2.0])
            self.note("listening")
            with patch("barograph.feed.outage._tried", _at_once):
                batches = Batches(
                    feed, patient=True, max_delay_s=delay_s, retry_s=retry_s, monotonic=clock_s
                )
                take_all(batches, self._entries(), self._heard)
            self.stages(log)
        with closing(open_log(self.home.address)) as log:
            if self.warnings and "the log can be written again" in self.warnings[-1]:
                self.note("back")
                self.world.check_events(self.home, log)

    def _heard(self, entry, _received):
        if type(entry) is not Heard:
            return
        self.note("heard", entry.frame.connection, _digest(entry.frame.data))
        if self.waits_since_ns is None:
            self.waits_since_ns = self.world.venue.now_ns
        elif self.last_heard_ns - self.waits_since_ns >= self._delay_s * NS_PER_S:
            raise ViolationError("what was heard is not archived in its time")
        self.last_heard_ns = self.world.venue.now_ns

    def _entries(self):
        venue, random = self.world.venue, self.random
        while venue.now_ns < self._until_ns:
            yield from self._connect()
            while venue.now_ns < self._until_ns and self._connection:
                yield from self._step()
                if random.random() < 0.1:
                    yield None
                if random.random() < 0.02:
                    self.stages(self._log)
            if self._connection:
                yield Closing(self._connection)
            self._advance(random.uniform(0.05, 1.0))

    def _connect(self):
        world, venue = self.world, self.world.venue
        world.connections += 1
        self.note("opened", world.connections)
        self._session, actions = venue.session(world.connections)
        self._connection = f"simulated/{world.connections}"
        self._frozen, self._heard_ns = False, venue.now_ns
        yield Opening(
            connection=self._connection,
            dialect=venue.dialect,
            fill=venue.dialect is Dialect.EXCHANGE,
        )
        yield from self._do(actions)

    def _step(self):
        venue = self.world.venue
        actions = self._session.advance(self._advance(self.random.uniform(0.02, 0.4)), venue.now_ns)
        yield from self._do(actions)
        now_s = venue.now_ns / NS_PER_S
        yield from self._answered(now_s)
        yield from self._asks.look(self._feed.holes(), now_s)
        if venue.now_ns - self._heard_ns > SILENCE_S * NS_PER_S and self._connection:
            yield from self._close()

    def _advance(self, seconds):
        venue = self.world.venue
        events = venue.advance(venue.now_ns + int(seconds * NS_PER_S))
        self.note("now", venue.now_ns)
        return events

    def _do(self, actions):
        venue = self.world.venue
        for action in actions:
            if isinstance(action, Close):
                yield from self._close()
                return
            self._frozen = self._frozen or isinstance(action, Freeze)
            if not isinstance(action, Send) or self._frozen:
                continue
            hostility = venue.hostility
            frames = hostility.frames(action.frame, action.data) if hostility else [action.data]
            for data in frames:
                self._heard_ns = venue.now_ns
                if len(data) > MAX_FRAME_BYTES:
                    yield _too_long(self._connection)
                    yield from self._close()
                    return
                receive_ns = max(action.frame.time_ns + 4_000_000, venue.now_ns)
                frame = Frame(data=data, connection=self._connection, receive_time_ns=receive_ns)
                yield Heard(frame, venue.dialect)

    def _close(self):
        yield Closing(self._connection)
        self._connection = ""

    def _ask(self, hole, left_s):
        """REST answers sooner or later, or not at all."""
        seconds = self.random.choice([0.01, 0.2, 1.0, left_s, math.inf])
        self._answers.append((self.world.venue.now_ns / NS_PER_S + seconds, hole))

    def _answered(self, now_s):
        """What REST says of the holes that are due, page by page."""
        due = [hole for at_s, hole in self._answers if at_s <= now_s]
        self._answers = [each for each in self._answers if each[0] > now_s]
        for hole in due:
            below_id = hole.last_trade_id + 1
            while below_id > hole.first_trade_id:
                trades = min(below_id - hole.first_trade_id, self.random.choice([3, PAGE_TRADES]))
                body = self.world.venue.page(hole.product, below_id, trades)
                if body is None:
                    break
                receive_ns = self.world.venue.now_ns
                frame = Frame(data=body, connection=hole.connection, receive_time_ns=receive_ns)
                yield Answer(hole.product, frame)
                lowest_id = lowest_trade_id(body)
                if lowest_id is None or lowest_id >= below_id:
                    break
                below_id = lowest_id
            self._asks.answered(hole, now_s)


def _misplaced(logged, true_times):
    """{product: the spans of seconds, first and end, that stand on a tick whose time is too early}.

    A delay can be as long as an outage, so a tick is believed where nothing that was heard denies
    it. Its quote stands from its second on; windows reach back to it until the next gap. Raises
    ViolationError for one whose second had closed, unless its trade had been counted: a snapshot
    breaks nothing.
    """
    spans = {}
    for product, events_of in logged.items():
        newest_s, counted = 0, -1
        for place, event in enumerate(events_of):
            if type(event) not in {Tick, Heartbeat}:
                continue
            second = event.event_time_ns // NS_PER_S
            ticks = type(event) is Tick
            trade_id = event.trade_id if ticks else event.last_trade_id
            times = true_times.get(_quote(event), ()) if ticks else ()
            if times and event.event_time_ns not in times and max(times) > event.event_time_ns:
                if second < newest_s and (trade_id is None or trade_id > counted):
                    raise ViolationError(f"a tick of {product} lies in a second that had closed")
                gaps = (e.end_ns // NS_PER_S for e in events_of[place:] if type(e) is Gap)
                spans.setdefault(product, []).append((second, next(gaps, math.inf)))
            newest_s, counted = max(newest_s, second), max(counted, trade_id or 0)
    return spans


def _quote(tick):
    return (
        tick.product,
        tick.price,
        tick.bid,
        tick.ask,
        tick.bid_size,
        tick.ask_size,
        tick.volume_24h,
    )


def _at_once(try_log):
    """A trial of the log whose outcome is there at once: a thread would make a seed two runs."""
    trial = Future()
    try:
        trial.set_result(try_log())
    except BarographError as error:
        trial.set_exception(error)
    return trial


def _too_long(connection):
    return DeadLetter(
        fault=Fault.TOO_LONG, detail="too long", source=connection, position="0", key="",
        original=b"", cut=True,
    )  # fmt: skip


def _digest(data):
    return hashlib.blake2b(data, digest_size=8).hexdigest()


def _sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()
