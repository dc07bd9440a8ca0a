"""A home with a log and an archive, for tests of the feed, and recordings made of messages."""

import json
from contextlib import suppress

from barograph.feed.feed import Feed
from barograph.feed.ingest import Batches
from barograph.feed.recover import recover
from barograph.feed.replay import replay
from barograph.log import open_log
from barograph.types import DeadLetter
from barograph.venues.entries import Dialect, Heard
from coinbase_messages import envelope, frame, heartbeat, ticker
from log_contents import traces


class Home:
    """A log and an archive in one folder, as a user has them; or a log that lies elsewhere.

    `warnings` are the lines that its feeds reported.
    """

    def __init__(self, path, log=None):
        path.mkdir(parents=True, exist_ok=True)
        self.archive = path / "archive"
        self.log = open_log(log or path)
        self.warnings = []

    def feed(self, rules=None, batch_lines=None):
        feed = Feed(self.log, self.archive, rules, warn=self.warnings.append)
        if batch_lines:
            feed.batch_lines = batch_lines
        return feed

    def replay(self, *paths, **options):
        feed = self.feed(**options)
        try:
            return replay(feed, paths)
        finally:
            feed.close()

    def ingest(self, entries):
        feed = self.feed()
        try:
            return take_all(Batches(feed), entries)
        finally:
            feed.close()

    def recover(self):
        return recover(self.log, self.archive, warn=self.warnings.append)

    def unknown(self):
        """The names of the files that the next feed would not know."""
        feed = self.feed()
        feed.close()
        return [file.path.name for file in feed.unknown]

    def traces(self):
        return traces(self.log, self.archive)


def take_all(batches, entries, hear=lambda _entry, _received: None):
    """Take entries, dead letters among them, and pause at each None; the summary of the end.

    `hear` is called with each entry and what it came to, before that is committed.
    """
    for entry in entries:
        if entry is None:
            batches.pause()
            continue
        if isinstance(entry, DeadLetter):
            batches.reject(entry)
        else:
            hear(entry, batches.take(entry))
        batches.commit_if_due()
    return batches.end()


def lines_of(*messages):
    return b"\n".join(
        each if isinstance(each, bytes) else json.dumps(each).encode() for each in messages
    )


def recorded(tmp_path, *messages, name="recording.ndjson"):
    path = tmp_path / name
    path.write_bytes(lines_of(*messages))
    return path


def heard(message, connection="c", receive_time_ns=None):
    """A message as a live frame of the Exchange feed."""
    return Heard(frame(message, connection, receive_time_ns), Dialect.EXCHANGE)


MESSAGES = [
    {"type": "subscriptions"}, ticker(0), ticker(0, product_id="ETH-USD"), b"garbage", ticker(1),
    envelope(0, ("BTC-USD", "ETH-USD"), seconds=2), ticker(7), b"", ticker(7), heartbeat(8, 9),
    b"\xff\n", ticker(8, price="NaN"), envelope(4, ("ETH-USD",), seconds=9), ticker(10), ticker(30),
]  # fmt: skip


class Clock:
    """Seconds that pass when somebody sleeps."""

    def __init__(self):
        self.now = 100.0
        self.slept = []

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds


def die(feed):
    """The process of a feed is killed: what it had not flushed is gone."""
    feed._writer._lock.close()


def interrupted(feed, path, lines):
    """A replay that is told to leave after so many of its lines."""
    take, left = feed.take, lines

    def counted(entry, source=None):
        nonlocal left
        if type(entry) is Heard:
            if not left:
                raise KeyboardInterrupt
            left -= 1
        return take(entry, source)

    feed.take = counted
    with suppress(KeyboardInterrupt):
        replay(feed, [path])
    feed.take = take
