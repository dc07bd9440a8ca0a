"""What a person sees of what came in live and of what lies in a log: topics, dead letters.

Keys, details and originals are what others wrote: they are shown as plain text, never as markup,
and no control character of theirs reaches the terminal.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from barograph.app.terminal.terminal import counts_of, plain, plain_table
from barograph.figures import duration
from barograph.log.browse import is_json
from barograph.times import time_of

if TYPE_CHECKING:
    from barograph.feed.live import LiveSummary
    from barograph.log.browse import Holding
    from barograph.pipeline.deadletters import LetterLine, LetterList, LetterShown, Redriven

_SHOWN_CHARACTERS = 2048


def live(heard: "LiveSummary") -> RenderableType:
    """What a live feed took, and how its connections were."""
    fed = heard.feed
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_row("from", f"{heard.venue}, {heard.address}, {duration(fed.seconds)}")
    for name, why in heard.refused.items():
        table.add_row("refused", Text(f"{name}: ").append_text(plain(why)))
    table.add_row("ticks", f"{fed.ticks:,}  {counts_of(fed.products)}")
    table.add_row("heartbeats", f"{fed.heartbeats:,}")
    table.add_row("trades", f"{fed.trades:,} without a quote, {fed.filled:,} of them from REST")
    gaps = f"{sum(fed.gaps.values()):,}  {counts_of(fed.gaps)}".rstrip()
    table.add_row("gaps", f"{gaps}, {fed.missing:,} trades missing")
    letters = f"{sum(fed.dead_letters.values()):,}  {counts_of(fed.dead_letters)}".rstrip()
    table.add_row("dead letters", letters)
    for fault, why in heard.first_refusals.items():
        table.add_row("", Text(f"first {fault}: ").append_text(plain(why)))
    table.add_row("connections", f"{heard.connections:,}, {heard.holes_asked:,} holes asked for")
    if heard.queue_full:
        table.add_row("queue full", f"{heard.queue_full:,} times; the socket was not read then")
    if heard.troubles:
        flooded = f", {heard.overflows:,} of them flooded us" if heard.overflows else ""
        table.add_row("troubles", f"{heard.troubles:,} connections not made or given up{flooded}")
    if heard.rest_failures:
        table.add_row("REST", f"{heard.rest_failures:,} answers of no use")
    if heard.clock is not None:
        table.add_row(
            "clock",
            f"exchange − receive {heard.clock.median_ms:+,.1f} ms "
            f"({heard.clock.min_ms:+,.1f} … {heard.clock.max_ms:+,.1f})",
        )
    return table


def topics(held: "Sequence[Holding]") -> RenderableType:
    """What each topic holds and promises."""
    if not held:
        return "no topics yet; make them (`barograph topics create`)"
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
    return ", ".join(limits) or "without limit"


def letters(found: "LetterList") -> RenderableType:
    """How many dead letters there are of which fault, and the last ones."""
    total = sum(found.counts.values())
    if not total:
        return f"no dead letters in {found.topic}"
    heading = Text(
        f"{found.topic}: {total:,} dead letters, {found.redriven:,} re-driven  "
        f"({counts_of(found.counts)})"
    )
    return Group(heading, *(part for line in found.letters for part in _lines(line)))


def _lines(line: "LetterLine") -> list[Text]:
    identity = plain(line.identity)
    identity.no_wrap, identity.overflow = True, "ignore"  # it is there to be copied
    facts = [line.fault, f"{line.size:,} bytes", f"appended {time_of(line.appended_time_ns)}"]
    if line.key:
        facts.insert(1, f"key {line.key}")
    if line.redriven_time_ns is not None:
        facts.append(f"re-driven {time_of(line.redriven_time_ns)}")
    return [identity, plain(f"  {', '.join(facts)}"), plain(f"  {line.detail}")]


def letter(found: "LetterShown", *, full: bool) -> RenderableType:
    """All of a dead letter; of long originals the beginning, unless in full."""
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    went = found.redriven_time_ns
    received = found.receive_time_ns
    for name, value in {
        "letter": found.identity,
        "source": found.source,
        "position": found.position,
        "fault": found.fault,
        "detail": found.detail,
        "key": found.key,
        "appended": time_of(found.appended_time_ns),
        "received": "not known" if received is None else time_of(received),
        "re-driven": "no" if went is None else time_of(went),
        "original": f"{found.size:,} bytes",
    }.items():
        table.add_row(name, plain(value))
    original = readable(found.original)
    more = len(original) - _SHOWN_CHARACTERS
    if full or more <= 0:
        return Group(table, "", plain(original))
    cut = f"… and {more:,} characters more: --full shows them, --original gives the bytes"
    return Group(table, "", plain(original[:_SHOWN_CHARACTERS]), Text(cut, style="dim"))


def readable(original: bytes) -> str:
    """Bytes as indented JSON where they are that, as text where they are, as hex otherwise."""
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
    """What was sent again and what was left."""
    verb = "would be sent" if done.dry_run else "sent"
    lines = [f"{verb} to {topic}: {count:,}" for topic, count in done.sent.items()]
    left = {
        "re-driven before": done.sent_before,
        "from a connection or a file, no topic of this log": done.no_topic,
        "no tick in it": done.no_tick,
        **{f"refused again, {fault}": count for fault, count in done.refused_again.items()},
        "damaged": done.damaged,
    }
    lines += [f"left, {why}: {count:,}" for why, count in left.items() if count]
    return Group(*(lines or [f"nothing to send in {done.topic}"]))
