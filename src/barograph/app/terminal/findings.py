"""What a person sees of an archive and of a check: files, what they hold, what is wrong with them.

Names and prices are what others wrote: they are shown as plain text, never as markup.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from barograph.app.terminal.terminal import counts_of, plain, plain_table
from barograph.figures import NS, duration
from barograph.times import minute_of, time_of

if TYPE_CHECKING:
    from barograph.archive.compact import Compaction
    from barograph.archive.inventory import Inspection, Inventory, ListedFile
    from barograph.feed.recover import Recovered
    from barograph.pipeline.check import Check, GapTotal

_TO_REMOVE = (
    "The originals stay. Those of finished files may go (archive/*.ndjson.gz, not the manifests): "
    "`barograph dataset` and `verify --archive` can then no longer be made of them."
)


def inventory(found: "Inventory") -> RenderableType:
    """Each file of an archive with what its manifest says."""
    logs = list(dict.fromkeys(each.log for each in found.files))
    several = len(logs) > 1
    columns = ("file", "", "received", "MB", "frames", "ticks", "trades", "gaps", "letters")
    table = plain_table("", (*columns, "log") if several else columns)
    for each in found.files:
        number = (f"{logs.index(each.log) + 1}",) if several else ()
        contents = _contents(each)
        blank = ("",) * (len(columns) - 2 - len(contents))
        row = (each.file.partition(".")[0], each.state, *contents, *blank, *number)
        table.add_row(*row)
    names = [f"log {n}: {log or 'not known'}" for n, log in enumerate(logs, 1)] if several else []
    total = (
        f"{len(found.files):,} files, {found.bytes / 1e6:,.1f} MB: {found.frames:,} frames, "
        f"{found.ticks:,} ticks, {found.trades:,} trades, {found.heartbeats:,} heartbeats, "
        f"{_counted('gaps', found.gaps)}, {_counted('dead letters', found.dead_letters)}"
    )
    return Group(table, *map(plain, names), Text(total))


def _contents(file: "ListedFile") -> tuple[str, ...]:
    size = f"{file.bytes / 1e6:,.1f}"
    manifest = file.manifest
    if manifest is None:
        return ("", size)
    first, last = manifest.first_receive_time_ns, manifest.last_receive_time_ns
    span = "not kept"
    if first is not None and last is not None:
        span = f"{minute_of(first)}–{minute_of(last)[-5:]}"
    products = manifest.products.values()
    letters = [manifest.dead_letters, *(counts.dead_letters for counts in products)]
    return (
        span,
        size,
        f"{manifest.frames:,}",
        f"{sum(counts.ticks for counts in products):,}",
        f"{sum(counts.trades for counts in products):,}",
        f"{sum(sum(counts.gaps.values()) for counts in products):,}",
        f"{sum(sum(of.values()) for of in letters):,}",
    )


def inspection(found: "Inspection") -> RenderableType:
    """Whether an archive is sound, and which of its files are not."""
    lines = [plain(f"damaged: {each.file}: {each.why}") for each in found.damaged]
    if found.without_manifest:
        lines.append(Text(f"without manifest: {', '.join(found.without_manifest)}"))
    if found.removed:
        lines.append(Text(f"compacted and removed: {len(found.removed):,}"))
    verdict = "sound" if found.sound else f"{len(found.damaged):,} damaged"
    checked = f"{found.finished:,} files held against their manifests, {found.lines:,} lines read"
    return Group(Text(f"{verdict}: {checked}"), *lines)


def recovered(done: "Recovered") -> RenderableType:
    """What a log took in of its archive."""
    if not done.files:
        return plain(f"nothing to recover: {done.log} knows every file of the archive")
    fed = done.feed
    return plain(
        f"{len(done.files):,} files taken into {done.log}: {fed.lines:,} frames, {fed.line()}"
    )


def compaction(done: "Compaction") -> RenderableType:
    """What became Parquet, what was left, and what may go now."""
    lines = [
        f"{done.files:,} files compacted to {done.out}, {done.before:,} were before",
        f"{_counted('events', done.events)} into {done.written:,} Parquet files",
    ]
    if done.dead_letters:
        lines.append(f"without an event: {counts_of(done.dead_letters)}")
    if done.open:
        lines.append(f"left, still open: {', '.join(done.open)}")
    return Group(*map(plain, [*lines, _TO_REMOVE]))


def check(found: "Check") -> RenderableType:
    """What a topic holds, and whether that is enough."""
    parts: list[RenderableType] = [
        Text(f"{'ok' if found.ok else 'short'}: {verdict(found)}"),
        Text(f"{found.records:,} records ({counts_of(found.kinds)}){_rate(found)}"),
        Text(f"event time    {_span(found.first_event_time_ns, found.last_event_time_ns)}"),
        Text(f"receive time  {_span(found.first_receive_time_ns, found.last_receive_time_ns)}"),
    ]
    if found.products:
        columns = ("product", "ticks", "trades", "heartbeats", "last price", "age s", "gaps")
        table = plain_table("", columns)
        for name, product in found.products.items():
            table.add_row(
                plain(name),
                f"{product.ticks:,}",
                f"{product.trades:,}",
                f"{product.heartbeats:,}",
                plain(product.last_price or ""),
                "" if product.age_s is None else f"{product.age_s:,.1f}",
                "; ".join(_gaps(cause, total) for cause, total in product.gaps.items()) or "none",
            )
        parts.append(table)
    if found.dead_letters:
        parts.append(Text(f"dead letters  {counts_of(found.dead_letters)}"))
    if found.lag:
        parts.append(Text(f"lag           {counts_of(found.lag)}"))
    for status in found.status:
        line = f"{status.connection}: {status.frames:,} frames, {status.open_holes:,} open holes"
        parts.append(plain(f"status        {line}, at {time_of(status.time_ns)}"))
        if status.refused:
            refused = f"{status.refused:,} refused in a minute, {status.passed:,} passed"
            parts.append(plain(f"              {refused}; {status.first_refusal}"))
    if found.sample is not None:
        parts.append(plain(f"sample        {found.sample}"))
    return Group(*parts)


def verdict(found: "Check") -> str:
    """How many there are, and how many were wanted."""
    where = "" if found.watched_s is None else f" in {found.watched_s:g} s"
    what = "ticks" if found.products else "records"
    counts = f"{found.topic} has {found.counted:,} {what}{where}, {found.wanted:,} were wanted"
    if found.ok or not found.first_refusal:
        return counts
    return f"{counts}; the first of what was refused: {found.first_refusal}"


def _rate(found: "Check") -> str:
    return "" if found.per_s is None else f", {found.per_s:,.1f} a second"


def _span(first_ns: int | None, last_ns: int | None) -> str:
    if first_ns is None or last_ns is None:
        return "not known"
    return f"{time_of(first_ns)} – {time_of(last_ns)}, {duration(last_ns - first_ns, NS)}"


def _gaps(cause: str, total: "GapTotal") -> str:
    said = f"{cause} {total.count:,} ({duration(total.seconds)}"
    if total.missing:
        said += f", {total.missing:,} missing"
    if total.filled:
        said += f", {total.filled:,} filled"
    return said + ")"


def _counted(what: str, counts: Mapping[str, int]) -> str:
    total = f"{sum(counts.values()):,} {what}"
    return f"{total} ({counts_of(counts)})" if counts else total
