"""Terminal output: progress on standard error, answers on standard output."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from io import StringIO
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.segment import Segment
from rich.status import Status
from rich.table import Table
from rich.text import Text

from barograph.app.terminal.detail import Detail, chosen
from barograph.figures import MS, US, duration
from barograph.foreign import one_line, spelled_out
from barograph.times import time_of
from barograph.types import NS_PER_S

if TYPE_CHECKING:  # each verb has already imported what it prints
    from pathlib import Path

    from barograph.app.runs.predicting import Predicted
    from barograph.app.runs.rehearsal_accounts import Rehearsal
    from barograph.app.wiring import Consumed
    from barograph.feed.produce import Produced
    from barograph.feed.summary import Summary
    from barograph.pipeline.threads import Pipeline
    from barograph.pipeline.verify import Verification
    from barograph.pipeline.worker import Tally
    from barograph.training.dataset import DatasetManifest
    from barograph.training.record_dataset import RecordManifest


class Screen(Console):
    """A console that interprets no markup and passes no control characters to the terminal."""

    def __init__(self, *, stderr: bool = False, like: Console | None = None) -> None:
        """Write to standard output or error, or to a buffer with width and colours of `like`."""
        super().__init__(
            file=None if like is None else StringIO(),
            force_terminal=None if like is None else like.is_terminal,
            width=None if like is None else like.width,
            stderr=stderr,
            markup=False,
            emoji=False,
        )

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterator[Segment]:
        """Yield the segments of a renderable, with control characters escaped."""
        for segment in super().render(renderable, options):
            if segment.control or segment.text.isprintable():
                yield segment
            else:
                yield segment._replace(text=spelled_out(segment.text))


def can_be_written_over(console: Console) -> bool:
    """Whether what a console writes can move: on a terminal, and not where only colours are.

    Rich takes `FORCE_COLOR`, which Jupyter and CI set for the commands of a cell or a step, for a
    terminal; there each turn of a spinner would be a line of its own.
    """
    return console.is_terminal and console.file.isatty()


def text_of(answer: RenderableType) -> str:
    """Render an answer as text; if standard output is a terminal, with its colours and width.

    Plain text is not folded: a path in it can be copied.
    """
    screen = Screen(like=Screen())
    with screen.capture() as captured:
        screen.print(answer, soft_wrap=isinstance(answer, str))
    return captured.get()


class _TicksColumn(ProgressColumn):
    """Number of ticks so far, and ticks per second."""

    def render(self, task: Task) -> Text:
        """Return the counts, or empty text if no ticks are counted."""
        ticks = task.fields["ticks"]
        if not ticks:
            return Text()
        rate = ticks / task.elapsed if task.elapsed else 0.0
        return Text(f"{ticks:,} ticks, {rate:,.0f}/s", style="cyan")


class Bar:
    """One progress bar."""

    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._task = bars.add_task("working", total=None, ticks=0)

    def bytes_and_ticks(self, done: int, total: int, ticks: int) -> None:
        """Show a replay: `done` of `total` bytes read, and ticks so far."""
        self._bars.update(
            self._task, description="replaying", completed=done, total=total, ticks=ticks
        )

    def rows(self, done: int) -> None:
        """Show the rows compared so far."""
        self._bars.update(self._task, description=f"{done:,} rows")

    def events(self, done: int) -> None:
        """Show the events read so far."""
        self._bars.update(self._task, description=f"{done:,} events")

    def computed(self, done: int, of: int) -> None:
        """Show `done` events of all computed."""
        self._bars.update(self._task, description=f"{done:,} events", completed=done, total=of)

    def records(self, done: int) -> None:
        """Show the records processed so far."""
        self._bars.update(self._task, description=f"{done:,} records")

    def sent(self, done: int, of: int) -> None:
        """Show `done` records sent of `of` in the file."""
        self._bars.update(self._task, description=f"{done:,} sent", completed=done, total=of)

    def hours(self, done: int, of: int) -> None:
        """Show `done` hours that are in the log of `of` wanted ones."""
        self._bars.update(self._task, description=f"{done:,} hours", completed=done, total=of)

    def letters(self, done: int) -> None:
        """Show the letters re-driven so far."""
        self._bars.update(self._task, description=f"{done:,} sent again")

    def moved(self, done: int, of: int) -> None:
        """Show `done` bytes of `of` that stand where they are to stand."""
        self._bars.update(self._task, description=f"{done / 1e6:,.0f} MB", completed=done, total=of)

    def steps(self, what: str, done: int, of: int) -> None:
        """Show step `done` of `of`, described by `what`."""
        self._bars.update(self._task, description=what, completed=done, total=of)

    def say(self, what: str) -> None:
        """Show a description without a count."""
        self._bars.update(self._task, description=what)


@contextmanager
def progress() -> Iterator[Bar]:
    """Show a transient progress bar on standard error, if that is a terminal."""
    console = Screen(stderr=True)
    bars = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        _TicksColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=chosen() is Detail.QUIET or not can_be_written_over(console),
    )
    with bars:
        yield Bar(bars)


class Phases:
    """Shows the current phase of work and records each phase's duration in `seconds`."""

    def __init__(self, console: Console) -> None:
        # With -q it writes into a buffer that nobody reads.
        self._console = Screen(like=console) if chosen() is Detail.QUIET else console
        self.seconds: dict[str, float] = {}

    @contextmanager
    def of(self, what: str) -> Iterator[Status]:
        """Time one phase; its name is the part of `what` before the first colon or comma."""
        started = time.monotonic()
        status = self._console.status(Text(what))
        with status if can_be_written_over(self._console) else nullcontext():
            yield status
        name = what.split(":", maxsplit=1)[0].split(",", maxsplit=1)[0]
        self.seconds[name] = round(time.monotonic() - started, 3)
        seconds = (f"({duration(self.seconds[name])})", "dim")
        self._console.print(Text.assemble(("✓", "green"), f" {what} ", seconds))


def tally(done: "Tally", source: str, target: str) -> str:
    """One line: records in, values out, dead letters."""
    letters = f", {done.dead_letters:,} dead letters" if done.dead_letters else ""
    return f"{done.records:,} {source} → {done.values:,} {target}{letters}"


def produced(done: "Produced") -> RenderableType:
    """What a producer sent, and what is left of the file."""
    lines = []
    if done.skipped:
        lines.append(f"{done.skipped:,} of {done.rows:,} records were already sent")
    lines.append(
        f"{done.sent:,} of {done.rows:,} records sent in {duration(done.seconds)}, "
        f"{done.rate:,.0f}/s"
    )
    left = done.rows - done.skipped - done.sent
    if left:
        lines.append(f"stopped: {left:,} are left; run the same command to send them")
    return "\n".join(lines)


def consumed(done: "Consumed") -> RenderableType:
    """What a consumer processed, its speed, and the records left."""
    left = f"\n{done.lag:,} records are left" if done.lag else ""
    return (
        f"{tally(done, 'records', 'predictions')}\n"
        f"{duration(done.seconds)}, {done.records_per_s:,.0f} records/s{left}"
    )


def replayed(fed: "Summary", running: "Pipeline | None") -> RenderableType:
    """What a replay read and, if the stages ran, what they wrote."""
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    for name in fed.skipped:
        table.add_row("skipped", f"{name}: already replayed into this home")
    for line, names in _by_form(fed.forms).items():
        table.add_row("form", Text(f"{_some(names)}: {line}"))
    if fed.resumed_at:
        table.add_row("resumed", f"at line {fed.resumed_at + 1:,}, where an earlier run stopped")
    table.add_row(
        "lines", f"{fed.lines:,} of {len(fed.files)} file(s), {fed.ticks_per_s:,.0f} ticks/s"
    )
    table.add_row("ticks", f"{fed.ticks:,}  {counts_of(fed.products)}")
    add_remarks(table, fed)
    if fed.first_event_time_ns is not None and fed.last_event_time_ns is not None:
        table.add_row(
            "events", f"{time_of(fed.first_event_time_ns)} → {time_of(fed.last_event_time_ns)}"
        )
    table.add_row("gaps", f"{sum(fed.gaps.values()):,}  {counts_of(fed.gaps)}")
    table.add_row(
        "dead letters", f"{sum(fed.dead_letters.values()):,}  {counts_of(fed.dead_letters)}"
    )
    if running is not None:
        if running.featurized.dead_letters:
            table.add_row("late ticks", f"{running.featurized.dead_letters:,}")
        table.add_row("feature rows", f"{running.featurized.values:,}")
        table.add_row("predictions", f"{running.scored.values:,}")
    return table


def _by_form(forms: Mapping[str, str]) -> dict[str, list[str]]:
    """Return what the reader settled on, and the files of which it is true."""
    by_form: dict[str, list[str]] = {}
    for name, line in forms.items():
        by_form.setdefault(one_line(line), []).append(one_line(name))
    return by_form


def _some(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1:,} more"


def add_remarks(table: Table, fed: "Summary") -> None:
    """Add rows to a table: which names are one book, and what else there is to know of a feed."""
    for name, product in fed.one_book.items():
        table.add_row("one book", f"{name} is {product}")
    for remark in fed.remarks:
        table.add_row("remark", plain(remark))


def predicted(done: "Predicted") -> RenderableType:
    """Rows of a table of predictions by product and verdict, and its alarms."""
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_row("rows", f"{done.rows:,}  {counts_of(done.products)}")
    table.add_row("verdicts", counts_of(done.verdicts))
    table.add_row("alarms", f"{done.alarms:,} seconds at or above the threshold")
    table.add_row("model", done.model)
    table.add_row("table", plain(done.out))
    return table


def verified(verification: "Verification") -> RenderableType:
    """The result of `verify`, with the first difference if there is one."""
    where = (
        f"{verification.rows:,} feature rows of {', '.join(verification.products) or 'no product'}"
    )
    foreign = "".join(
        f"\n{rows:,} rows of feature set {feature_set}, another version's: not compared"
        for feature_set, rows in verification.foreign.items()
    )
    if verification.difference is None:
        return Text(f"{where}: live and replay are identical{foreign}", style="green")
    first = verification.difference
    when = time_of(first.second * NS_PER_S)
    return Group(
        Text(f"live and replay differ after {where}", style="bold red"),
        f"{first.product}, second {first.second} ({when}), {first.what}:",
        f"  live     {first.live}",
        f"  replayed {first.replayed}",
    )


def dataset(made: "DatasetManifest") -> RenderableType:
    """Contents of a series dataset: usable rows, and the others by reason."""
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    for line, names in _by_form(made.forms).items():
        table.add_row("form", Text(f"{_some(names)}: {line}"))
    for product, facts in made.products.items():
        span = f"{time_of(facts.first_second * NS_PER_S)} → {time_of(facts.last_second * NS_PER_S)}"
        table.add_row(product, f"{facts.rows:,} rows, {facts.labelled:,} with a label  {span}")
    table.add_row("usable", f"{made.usable:,} of {made.rows:,} rows")
    table.add_row("not usable", counts_of(made.unused))
    for name, why in made.left_out.items():
        table.add_row("left out", f"{name}: {why}")
    if made.late_ticks:
        table.add_row("late ticks", f"{made.late_ticks:,}")
    if made.dead_letters:
        count = sum(made.dead_letters.values())
        table.add_row("dead letters", f"{count:,}  {counts_of(made.dead_letters)}")
    table.add_row("data", f"sha256 {made.data_hash[:16]}…, feature set {made.feature_set}")
    return table


def record_dataset(made: "RecordManifest") -> RenderableType:
    """Contents of a record dataset, and the refused records."""
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_row("usable", f"{made.usable:,} of {made.rows:,} rows, {made.yes:,} of them positive")
    if made.unused:
        table.add_row("not usable", counts_of(made.unused))
    if made.repeated_keys:
        table.add_row("repeated keys", f"{made.repeated_keys:,}")
    if made.refused:
        table.add_row("refused", counts_of(made.refused))
    for refusal in made.first_refused:
        where = f"{refusal.file}, line {refusal.line}: "
        table.add_row("", Text(where).append_text(plain(refusal.detail)))
    table.add_row("data", f"sha256 {made.data_hash[:16]}…, feature set {made.feature_set}")
    return table


def rehearsed(done: "Rehearsal", reports: "Path") -> RenderableType:
    """Counts and latencies of a rehearsal, its problems, and the path of the report."""
    table = plain_table("", ("", "stream", "batch"))
    modes = (done.stream, done.batch)
    for name, cells in (
        ("records sent", [f"{mode.producer.sent:,}" for mode in modes]),
        ("predictions", [f"{mode.predictions:,}" for mode in modes]),
        ("dead letters", [f"{sum(mode.dead_letters.values()):,}" for mode in modes]),
        ("lost, invented", [f"{mode.lost:,}, {mode.invented:,}" for mode in modes]),
        ("consumed per second", [f"{mode.consumer.records_per_s:,.0f}" for mode in modes]),
        ("latency p50", [duration(mode.latency.p50_ms, MS) for mode in modes]),
        ("latency p99", [duration(mode.latency.p99_ms, MS) for mode in modes]),
        ("inference mean", [duration(mode.inference.mean_us, US) for mode in modes]),
    ):
        table.add_row(name, *cells)
    problems = [Text(problem, style="bold red") for problem in done.problems]
    ok = [Text("each record once: nothing lost, nothing invented", style="green")]
    invented = ["the records are generated: no FILE was given"] if done.invented_records else []
    page = reports / done.case / "index.html"
    return Group(table, *(problems or ok), *invented, f"details: {page} and summary.json")


def plain(text: str) -> Text:
    """Outside text with control characters escaped, so that none reaches the terminal."""
    return Text(spelled_out(text))


def plain_table(title: str, columns: Sequence[str]) -> Table:
    """An empty table without inner lines; the first column is left-aligned, the others right."""
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=0)
    for i, column in enumerate(columns):
        table.add_column(column, justify="right" if i else "left", no_wrap=True)
    return table


def counts_of(counts: Mapping[str, int]) -> str:
    """Names and counts on one line, separated by commas."""
    return ", ".join(f"{name} {count:,}" for name, count in counts.items())
