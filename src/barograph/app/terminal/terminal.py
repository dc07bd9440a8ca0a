"""What a person sees of a verb: progress on standard error, the answer on standard output."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
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

from barograph.figures import MS, US, duration
from barograph.foreign import spelled_out
from barograph.times import time_of
from barograph.types import NS_PER_S

if TYPE_CHECKING:  # what is only drawn here is not imported for it: each verb has what it needs
    from pathlib import Path

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
    """A console on which what others wrote is text: no markup, and nothing a terminal obeys."""

    def __init__(self, *, stderr: bool = False, like: Console | None = None) -> None:
        """On standard output or error; or into a buffer, as the console `like` would show it."""
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
        """The segments of a renderable, each spelled out."""
        for segment in super().render(renderable, options):
            if segment.control or segment.text.isprintable():
                yield segment
            else:
                yield segment._replace(text=spelled_out(segment.text))


def text_of(answer: RenderableType) -> str:
    """An answer as standard output shows it: in colours, and as wide, where that is a terminal."""
    screen = Screen(like=Screen())
    with screen.capture() as captured:
        screen.print(answer)
    return captured.get()


class _TicksColumn(ProgressColumn):
    """Ticks so far and a second."""

    def render(self, task: Task) -> Text:
        """Nothing for work that counts no ticks."""
        ticks = task.fields["ticks"]
        if not ticks:
            return Text()
        rate = ticks / task.elapsed if task.elapsed else 0.0
        return Text(f"{ticks:,} ticks, {rate:,.0f}/s", style="cyan")


class Bar:
    """One bar, made when there is first something to tell."""

    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._task = bars.add_task("working", total=None, ticks=0)

    def bytes_and_ticks(self, done: int, total: int, ticks: int) -> None:
        """For a replay: bytes read of all, ticks so far."""
        self._bars.update(
            self._task, description="replaying", completed=done, total=total, ticks=ticks
        )

    def rows(self, done: int) -> None:
        """For a comparison whose end is not known."""
        self._bars.update(self._task, description=f"{done:,} rows")

    def events(self, done: int) -> None:
        """For a reading whose end is not known."""
        self._bars.update(self._task, description=f"{done:,} events")

    def records(self, done: int) -> None:
        """For a consumer, whose end is not known."""
        self._bars.update(self._task, description=f"{done:,} records")

    def sent(self, done: int, of: int) -> None:
        """For a producer: records sent of those in the file."""
        self._bars.update(self._task, description=f"{done:,} sent", completed=done, total=of)

    def letters(self, done: int) -> None:
        """For a re-drive, whose end is not known."""
        self._bars.update(self._task, description=f"{done:,} sent again")

    def steps(self, what: str, done: int, of: int) -> None:
        """For work in steps that are counted."""
        self._bars.update(self._task, description=what, completed=done, total=of)

    def say(self, what: str) -> None:
        """For work that cannot be counted."""
        self._bars.update(self._task, description=what)


@contextmanager
def progress() -> Iterator[Bar]:
    """A progress line on standard error, gone when the work is done; nothing where nobody looks."""
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
        disable=not console.is_terminal,
    )
    with bars:
        yield Bar(bars)


class Phases:
    """Says what is being done, and keeps how long it took."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self.seconds: dict[str, float] = {}

    @contextmanager
    def of(self, what: str) -> Iterator[Status]:
        """A phase: it is called what stands before the first colon or comma."""
        started = time.monotonic()
        with self._console.status(Text(what)) as status:
            yield status
        name = what.split(":", maxsplit=1)[0].split(",", maxsplit=1)[0]
        self.seconds[name] = round(time.monotonic() - started, 3)
        seconds = (f"({duration(self.seconds[name])})", "dim")
        self._console.print(Text.assemble(("✓", "green"), f" {what} ", seconds))


def tally(done: "Tally", source: str, target: str) -> str:
    """One line of a worker."""
    letters = f", {done.dead_letters:,} dead letters" if done.dead_letters else ""
    return f"{done.records:,} {source} → {done.values:,} {target}{letters}"


def produced(done: "Produced") -> RenderableType:
    """What a producer sent of a file."""
    lines = []
    if done.skipped:
        lines.append(f"{done.skipped:,} of {done.rows:,} records were sent before")
    lines.append(
        f"{done.sent:,} of {done.rows:,} records sent in {duration(done.seconds)}, "
        f"{done.rate:,.0f}/s"
    )
    left = done.rows - done.skipped - done.sent
    if left:
        lines.append(f"stopped: {left:,} are left, the same command goes on with them")
    return "\n".join(lines)


def consumed(done: "Consumed") -> RenderableType:
    """What a consumer did, and what it left."""
    left = f"\n{done.lag:,} records are left" if done.lag else ""
    return (
        f"{tally(done, 'records', 'predictions')}\n"
        f"{duration(done.seconds)}, {done.records_per_s:,.0f} records/s{left}"
    )


def replayed(fed: "Summary", running: "Pipeline | None") -> RenderableType:
    """What a replay took and, where the stages ran with it, gave."""
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    for name in fed.skipped:
        table.add_row("skipped", f"{name}: replayed before into this home")
    if fed.resumed_at:
        table.add_row("resumed", f"at line {fed.resumed_at + 1:,}, where an earlier run stopped")
    table.add_row(
        "lines", f"{fed.lines:,} of {len(fed.files)} file(s), {fed.ticks_per_s:,.0f} ticks/s"
    )
    table.add_row("ticks", f"{fed.ticks:,}  {counts_of(fed.products)}")
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


def verified(found: "Verification") -> RenderableType:
    """The verdict of verify."""
    where = f"{found.rows:,} feature rows of {', '.join(found.products) or 'no product'}"
    if found.difference is None:
        return Text(f"{where}: live and replay are the same bytes", style="green")
    first = found.difference
    when = time_of(first.second * NS_PER_S)
    return Group(
        Text(f"live and replay part after {where}", style="bold red"),
        f"{first.product}, second {first.second} ({when}), {first.what}:",
        f"  live     {first.live}",
        f"  replayed {first.replayed}",
    )


def dataset(made: "DatasetManifest") -> RenderableType:
    """What a dataset holds and what of it could not be used."""
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    for product, facts in made.products.items():
        span = f"{time_of(facts.first_second * NS_PER_S)} → {time_of(facts.last_second * NS_PER_S)}"
        table.add_row(product, f"{facts.rows:,} seconds, {facts.labelled:,} with a label  {span}")
    table.add_row("usable", f"{made.usable:,} of {made.rows:,} rows")
    table.add_row("not usable", counts_of(made.unused))
    for name, why in made.left_out.items():
        table.add_row("left out", f"{name}: {why}")
    table.add_row("late ticks", f"{made.late_ticks:,}")
    if made.dead_letters:
        count = sum(made.dead_letters.values())
        table.add_row("dead letters", f"{count:,}  {counts_of(made.dead_letters)}")
    table.add_row("data", f"sha256 {made.data_hash[:16]}…, feature set {made.feature_set}")
    return table


def record_dataset(made: "RecordManifest") -> RenderableType:
    """What a dataset of records holds and what was refused."""
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_row("usable", f"{made.usable:,} of {made.rows:,} rows, {made.yes:,} of them yes")
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
    """What a rehearsal came to, and where the rest stands."""
    table = plain_table("", ("", "stream", "batch"))
    modes = (done.stream, done.batch)
    for name, cells in (
        ("records sent", [f"{mode.producer.sent:,}" for mode in modes]),
        ("predictions", [f"{mode.predictions:,}" for mode in modes]),
        ("dead letters", [f"{sum(mode.dead_letters.values()):,}" for mode in modes]),
        ("lost, invented", [f"{mode.lost:,}, {mode.invented:,}" for mode in modes]),
        ("consumed a second", [f"{mode.consumer.records_per_s:,.0f}" for mode in modes]),
        ("latency p50", [duration(mode.latency.p50_ms, MS) for mode in modes]),
        ("latency p99", [duration(mode.latency.p99_ms, MS) for mode in modes]),
        ("inference mean", [duration(mode.inference.mean_us, US) for mode in modes]),
    ):
        table.add_row(name, *cells)
    problems = [Text(problem, style="bold red") for problem in done.problems]
    ok = [Text("each record once: nothing lost, nothing invented", style="green")]
    invented = ["the records are invented: no FILE was given"] if done.invented_records else []
    page = reports / done.case / "index.html"
    return Group(table, *(problems or ok), *invented, f"{page} and summary.json tell the rest")


def plain(text: str) -> Text:
    """What others wrote, with control characters spelled out: none reaches the terminal."""
    return Text(spelled_out(text))


def plain_table(title: str, columns: Sequence[str]) -> Table:
    """A table without lines; the first column holds names, the others figures."""
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=0)
    for i, column in enumerate(columns):
        table.add_column(column, justify="right" if i else "left", no_wrap=True)
    return table


def counts_of(counts: Mapping[str, int]) -> str:
    """Names and their counts in one line."""
    return ", ".join(f"{name} {count:,}" for name, count in counts.items())
