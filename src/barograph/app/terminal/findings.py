"""Terminal output of the archive verbs, of `check` and of `service`.

Names and prices come from outside: they are shown as plain text, never as markup.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from barograph.app.terminal.fitted_table import Column, FittedTable
from barograph.app.terminal.terminal import counts_of, plain, plain_table
from barograph.figures import NS, duration
from barograph.times import minute_of, time_of

if TYPE_CHECKING:
    from barograph.app.runs.service import ServiceFiles
    from barograph.archive.compact import Compaction
    from barograph.archive.inventory import Inspection, Inventory, ListedFile
    from barograph.feed.recover import Recovered
    from barograph.pipeline.check import Check, GapTotal

_TO_RESTORE = (
    "What can be read of these is compacted. Restore them from a copy, or bring back what was "
    "moved (`barograph archive pull URL`), and compact again: all is made anew then."
)
_TO_REMOVE = (
    "The originals are kept. `barograph archive push URL --remove` moves those of finished files "
    "elsewhere. You may delete them too (archive/*.ndjson.gz, not the manifests): "
    "`barograph dataset` and `verify --archive` can then no longer use them."
)


def inventory(listed: "Inventory") -> RenderableType:
    """A table of archive files with the facts of their manifests, and totals."""
    logs = list(dict.fromkeys(each.log for each in listed.files))
    several = len(logs) > 1
    columns = ("file", "", "received", "MB", "frames", "ticks", "trades", "gaps", "letters")
    table = plain_table("", (*columns, "log") if several else columns)
    for each in listed.files:
        number = (f"{logs.index(each.log) + 1}",) if several else ()
        contents = _contents(each)
        blank = ("",) * (len(columns) - 2 - len(contents))
        row = (each.file.partition(".")[0], each.state, *contents, *blank, *number)
        table.add_row(*row)
    names = [f"log {n}: {log or 'unknown'}" for n, log in enumerate(logs, 1)] if several else []
    total = (
        f"{len(listed.files):,} files, {listed.bytes / 1e6:,.1f} MB: {listed.frames:,} frames, "
        f"{listed.ticks:,} ticks, {listed.trades:,} trades, {listed.heartbeats:,} heartbeats, "
        f"{_counted('gaps', listed.gaps)}, {_counted('dead letters', listed.dead_letters)}"
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


def inspection(inspected: "Inspection") -> RenderableType:
    """Whether an archive is sound, and a line for each damaged file."""
    lines = [plain(f"damaged: {each.file}: {each.why}") for each in inspected.damaged]
    if inspected.without_manifest:
        lines.append(Text(f"without manifest: {', '.join(inspected.without_manifest)}"))
    if inspected.removed:
        stored = f", {len(inspected.pushed):,} of them pushed" if inspected.pushed else ""
        lines.append(Text(f"compacted or pushed, and removed: {len(inspected.removed):,}{stored}"))
    verdict = "sound" if inspected.sound else f"{len(inspected.damaged):,} damaged"
    checked = f"{inspected.finished:,} files checked, {inspected.lines:,} lines read"
    return Group(Text(f"{verdict}: {checked}"), *lines)


def recovered(done: "Recovered") -> RenderableType:
    """Which archive files were read into the log."""
    if not done.files:
        return plain(f"nothing to recover: {done.log} has every file of the archive")
    fed = done.feed
    return plain(
        f"{len(done.files):,} files read into {done.log}: {fed.lines:,} frames, {fed.line()}"
    )


def service(done: "ServiceFiles") -> RenderableType:
    """The files, and the commands that use the first of them."""
    commands = [f"  {command}" for command in done.commands]
    return Group(*map(plain, [*done.files, "With systemd, as root:", *commands]))


def compaction(done: "Compaction") -> RenderableType:
    """What was compacted and skipped, and which files may be deleted now."""
    lines = [
        f"{done.files:,} files compacted to {done.out}, {done.before:,} were already",
        f"{_counted('events', done.events)} into {done.written:,} Parquet files",
    ]
    if done.dead_letters:
        lines.append(f"without an event: {counts_of(done.dead_letters)}")
    if done.open:
        lines.append(f"skipped, still open: {', '.join(done.open)}")
    if done.anew:
        lines.insert(0, f"all is made anew: {done.anew}")
    if done.damaged:
        lines += [f"damaged: {each.file}: {each.why}" for each in done.damaged]
        return Group(*map(plain, [*lines, _TO_RESTORE]))
    return Group(*map(plain, [*lines, _TO_REMOVE]))


def check(result: "Check") -> RenderableType:
    """Contents of a topic, and whether they satisfy the check."""
    parts: list[RenderableType] = [
        Text(f"{_word(result)}: ").append_text(plain(verdict(result))),
        Text(f"{result.records:,} records ({counts_of(result.kinds)}){_rate(result)}"),
        Text(f"event time    {_span(result.first_event_time_ns, result.last_event_time_ns)}"),
        Text(f"receive time  {_span(result.first_receive_time_ns, result.last_receive_time_ns)}"),
    ]
    if result.products:
        parts += ["", _products(result), ""]
        parts += [
            plain(f"gaps          {name}: {_gaps(cause, total)}")
            for name, product in result.products.items()
            for cause, total in product.gaps.items()
        ]
    if result.dead_letters:
        parts.append(Text(f"dead letters  {counts_of(result.dead_letters)}"))
    if result.lag:
        parts.append(Text(f"lag           {', '.join(_lag(result))}"))
    parts += _predictions(result)
    for status in result.status:
        line = f"{status.connection}: {status.frames:,} frames, {status.open_holes:,} open holes"
        parts.append(plain(f"status        {line}, at {time_of(status.time_ns)}"))
        if status.refused:
            refused = f"{status.refused:,} refused in the last minute, {status.passed:,} passed"
            parts.append(plain(f"              {refused}; {status.first_refusal}"))
        for name, book in status.one_book.items():
            parts.append(plain(f"              {name} is one book with {book}"))
    if result.sample is not None:
        parts.append(plain(f"sample        {result.sample}"))
    return Group(*parts)


_PRODUCT_COLUMNS = (
    Column("product"),
    Column("ticks", right=True),
    Column("trades", right=True, rank=3),
    Column("heartbeats", right=True, rank=4),
    Column("last price", right=True),
    Column("age s", right=True, rank=1),
    Column("gaps", right=True, rank=2),
)


def _products(result: "Check") -> RenderableType:
    table = FittedTable(_PRODUCT_COLUMNS)
    for name, product in result.products.items():
        table.add_row(
            plain(name),
            f"{product.ticks:,}",
            f"{product.trades:,}",
            f"{product.heartbeats:,}",
            plain(product.last_price or ""),
            "" if product.age_s is None else f"{product.age_s:,.1f}",
            f"{sum(total.count for total in product.gaps.values()):,}",
        )
    return table


def _word(result: "Check") -> str:
    if result.ok:
        return "ok"
    return "short" if result.counted < result.wanted else "not ok"


def _lag(result: "Check") -> Iterator[str]:
    for group, count in result.lag.items():
        waits_s = result.health.behind_s.get(group)
        yield f"{group} {count:,}" + ("" if waits_s is None else f" (for {duration(waits_s)})")


def _predictions(result: "Check") -> list[RenderableType]:
    """The champion and the newest predictions, where a live log is judged by them."""
    health = result.health
    lines = []
    if health.max_age_s is not None and health.verdicts:
        verdicts = ", ".join(f"{name} {verdict}" for name, verdict in health.verdicts.items())
        lines.append(f"champion      {health.champion or 'none'}")
        lines.append(f"predictions   {duration(health.prediction_age_s)} old: {verdicts}")
    lines += [f"remark        {remark}" for remark in health.remarks]
    return [plain(line) for line in lines]


def verdict(result: "Check") -> str:
    """One sentence: how many records there are and were required, or what is wrong with a feed."""
    problems = "; ".join(result.health.problems)
    counts = _counts(result)
    if result.counted < result.wanted:
        return f"{counts}; {problems}" if problems else counts
    return problems or counts


def _counts(result: "Check") -> str:
    where = "" if result.watched_s is None else f" in {result.watched_s:g} s"
    what = "ticks" if result.products else "records"
    counts = f"{result.topic} has {result.counted:,} {what}{where}, {result.wanted:,} required"
    if result.counted >= result.wanted or not result.first_refusal:
        return counts
    return f"{counts}; first refusal: {result.first_refusal}"


def _rate(result: "Check") -> str:
    return "" if result.per_s is None else f", {result.per_s:,.1f} per second"


def _span(first_ns: int | None, last_ns: int | None) -> str:
    if first_ns is None or last_ns is None:
        return "not known"
    return f"{time_of(first_ns)} – {time_of(last_ns)}, {duration(last_ns - first_ns, NS)}"


def _gaps(cause: str, total: "GapTotal") -> str:
    text = f"{cause} {total.count:,} ({duration(total.seconds)}"
    if total.missing:
        text += f", {total.missing:,} missing"
    if total.filled:
        text += f", {total.filled:,} filled"
    return text + ")"


def _counted(what: str, counts: Mapping[str, int]) -> str:
    total = f"{sum(counts.values()):,} {what}"
    return f"{total} ({counts_of(counts)})" if counts else total
