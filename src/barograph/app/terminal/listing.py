"""Terminal output of live feeds, topics and dead letters.

Keys, details and originals come from outside: they are shown as plain text, never as markup, and
their control characters do not reach the terminal.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from barograph.app.terminal.terminal import add_remarks, counts_of, plain, plain_table
from barograph.figures import duration
from barograph.log.browse import is_json
from barograph.times import time_of

if TYPE_CHECKING:
    from barograph.feed.live import LiveSummary
    from barograph.log.browse import Holding
    from barograph.pipeline.deadletters import LetterLine, LetterList, LetterShown, Redriven

_SHOWN_CHARACTERS = 2048


def live(heard: "LiveSummary") -> RenderableType:
    """Summary of a live feed and its connections."""
    fed = heard.feed
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_row("from", f"{heard.venue}, {heard.address}, {duration(fed.seconds)}")
    for name, why in heard.refused.items():
        table.add_row("refused", Text(f"{name}: ").append_text(plain(why)))
    table.add_row("ticks", f"{fed.ticks:,}  {counts_of(fed.products)}")
    add_remarks(table, fed)
    table.add_row("heartbeats", f"{fed.heartbeats:,}")
    table.add_row("trades", f"{fed.trades:,} without a quote, {fed.filled:,} of them from REST")
    gaps = f"{sum(fed.gaps.values()):,}  {counts_of(fed.gaps)}".rstrip()
    table.add_row("gaps", f"{gaps}, {fed.missing:,} trades missing")
    letters = f"{sum(fed.dead_letters.values()):,}  {counts_of(fed.dead_letters)}".rstrip()
    table.add_row("dead letters", letters)
    for fault, why in heard.first_refusals.items():
        table.add_row("", Text(f"first {fault}: ").append_text(plain(why)))
    table.add_row("connections", f"{heard.connections:,}, {heard.holes_asked:,} holes requested")
    if heard.queue_full:
        table.add_row("queue full", f"{heard.queue_full:,} times; reading the socket paused")
    if heard.troubles:
        flooded = f", {heard.overflows:,} of them by overflow" if heard.overflows else ""
        table.add_row("troubles", f"{heard.troubles:,} connections failed or dropped{flooded}")
    if heard.rest_failures:
        table.add_row("REST", f"{heard.rest_failures:,} unusable answers")
    if heard.clock is not None:
        table.add_row(
            "clock",
            f"exchange − receive {heard.clock.median_ms:+,.1f} ms "
            f"({heard.clock.min_ms:+,.1f} … {heard.clock.max_ms:+,.1f})",
        )
    return table


def topics(held: "Sequence[Holding]") -> RenderableType:
    """A table of topics with their records, replicas and retention."""
    if not held:
        return "no topics yet; create them (`barograph topics create`)"
    table = plain_table("", ("topic", "partitions", "records ≤", "in sync", "kept"))
    for topic in held:
        table.add_row(
            topic.name,
            str(topic.partitions),
            f"{topic.records_at_most:,}",
            f"{topic.in_sync} of {topic.replicas}",
            _kept(topic),
        )
    return table


def _kept(topic: "Holding") -> str:
    if topic.compacted:
        return "last of each key"
    limits = []
    if topic.retention_s is not None:
        limits.append(duration(topic.retention_s))
    if topic.retention_bytes is not None:
        limits.append(f"{topic.retention_bytes / (1 << 20):,g} MiB")
    return ", ".join(limits) or "no limit"


def letters(listed: "LetterList") -> RenderableType:
    """Dead letters counted by fault, and the newest ones."""
    total = sum(listed.counts.values())
    if not total:
        return f"no dead letters in {listed.topic}"
    heading = Text(
        f"{listed.topic}: {total:,} dead letters, {listed.redriven:,} re-driven  "
        f"({counts_of(listed.counts)})"
    )
    return Group(heading, *(part for line in listed.letters for part in _lines(line)))


def _lines(line: "LetterLine") -> list[Text]:
    identity = plain(line.identity)
    identity.no_wrap, identity.overflow = True, "ignore"  # one line, so that it can be copied
    facts = [line.fault, f"{line.size:,} bytes", f"appended {time_of(line.appended_time_ns)}"]
    if line.key:
        facts.insert(1, f"key {line.key}")
    if line.redriven_time_ns is not None:
        facts.append(f"re-driven {time_of(line.redriven_time_ns)}")
    return [identity, plain(f"  {', '.join(facts)}"), plain(f"  {line.detail}")]


def letter(shown: "LetterShown", *, full: bool) -> RenderableType:
    """One dead letter; a long original is shortened unless `full`."""
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    went = shown.redriven_time_ns
    received = shown.receive_time_ns
    for name, value in {
        "letter": shown.identity,
        "source": shown.source,
        "position": shown.position,
        "fault": shown.fault,
        "detail": shown.detail,
        "key": shown.key,
        "appended": time_of(shown.appended_time_ns),
        "received": "not known" if received is None else time_of(received),
        "re-driven": "no" if went is None else time_of(went),
        "original": f"{shown.size:,} bytes",
    }.items():
        table.add_row(name, plain(value))
    original = readable(shown.original)
    more = len(original) - _SHOWN_CHARACTERS
    if full or more <= 0:
        return Group(table, "", plain(original))
    cut = f"… {more:,} more characters: --full shows them, --original prints the bytes"
    return Group(table, "", plain(original[:_SHOWN_CHARACTERS]), Text(cut, style="dim"))


def readable(original: bytes) -> str:
    """Render bytes as indented JSON, as text, or else as a hex dump."""
    try:
        text = original.decode()
    except UnicodeDecodeError:
        return _hex(original)
    if "\0" in text:
        return _hex(original)
    return msgspec.json.format(text, indent=2) if is_json(original) else text


def _hex(original: bytes) -> str:
    rows = []
    for start in range(0, len(original), 16):
        row = original[start : start + 16]
        characters = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
        rows.append(f"{start:08x}  {row.hex(' '):<47}  {characters}")
    return "\n".join(rows)


def redriven(done: "Redriven") -> RenderableType:
    """What was re-driven and what was left, with reasons."""
    verb = "would be sent" if done.dry_run else "sent"
    lines = [f"{verb} to {topic}: {count:,}" for topic, count in done.sent.items()]
    left = {
        "re-driven before": done.sent_before,
        "from a connection or a file, not from a topic of this log": done.no_topic,
        "without a tick": done.no_tick,
        **{f"refused again, {fault}": count for fault, count in done.refused_again.items()},
        "damaged": done.damaged,
    }
    lines += [f"left, {why}: {count:,}" for why, count in left.items() if count]
    return Group(*(lines or [f"nothing to send in {done.topic}"]))
