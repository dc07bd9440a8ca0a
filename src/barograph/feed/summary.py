"""What one run of a feed took and gave, in figures."""

from collections.abc import Mapping, Sequence

import msgspec

from barograph.times import widened, widened_by
from barograph.types import Event, Gap, Heartbeat, Tick, Trade


class Summary(msgspec.Struct, kw_only=True):
    """What one run of the feed took and gave.

    `trades` have no quote of their own; `filled` of them came from REST. `missing` counts the
    trades or frames that gaps tell of. `quiet` frames are understood and were no event when they
    came (subscriptions). `skipped` files were done before. `forms` say
    what the reader settled on for each file. `resumed_at` is the line of the first
    file at which an interrupted replay went on. `one_book` has the names under which products were
    heard beside their own. `remarks` are what else a person should know of it.
    `first_letters` has the first dead letter of each fault in words, `unread` the files of which
    nothing could be read, and why. Times are of events; `seconds` is the run's own duration.
    """

    files: list[str] = []
    forms: dict[str, str] = {}
    skipped: list[str] = []
    resumed_at: int = 0
    lines: int = 0
    ticks: int = 0
    heartbeats: int = 0
    trades: int = 0
    filled: int = 0
    quiet: int = 0
    blank_lines: int = 0
    gaps: dict[str, int] = {}
    missing: int = 0
    dead_letters: dict[str, int] = {}
    products: dict[str, int] = {}
    one_book: dict[str, str] = {}
    remarks: list[str] = []
    first_event_time_ns: int | None = None
    last_event_time_ns: int | None = None
    first_letters: dict[str, str] = {}
    unread: dict[str, str] = {}
    seconds: float = 0.0
    ticks_per_s: float = 0.0

    def count(self, event: Event) -> None:
        """Count an event."""
        if type(event) is Gap:
            self.gaps[event.cause] = self.gaps.get(event.cause, 0) + 1
            self.missing += event.missing or 0
            return
        if type(event) is Tick:
            self.ticks += 1
            self.products[event.product] = self.products.get(event.product, 0) + 1
        elif type(event) is Heartbeat:
            self.heartbeats += 1
        elif type(event) is Trade:
            self.trades += 1
            self.filled += event.filled
        time_ns = event.event_time_ns  # type: ignore[union-attr]  # a gap has left above
        self.first_event_time_ns, self.last_event_time_ns = widened(
            self.first_event_time_ns, self.last_event_time_ns, time_ns
        )

    def count_ticks(self, times: Mapping[str, Sequence[int]]) -> None:
        """Count ticks: the event times of each product's."""
        for product, times_ns in times.items():
            self.ticks += len(times_ns)
            self.products[product] = self.products.get(product, 0) + len(times_ns)
            self.first_event_time_ns, self.last_event_time_ns = widened_by(
                self.first_event_time_ns, self.last_event_time_ns, times_ns
            )

    def facts(self) -> dict[str, object]:
        """Return what was taken and refused so far, by name."""
        return {
            "ticks": self.ticks,
            "heartbeats": self.heartbeats,
            "gaps": dict(self.gaps),
            "dead_letters": dict(self.dead_letters),
        }

    def line(self) -> str:
        """Return the figures so far as one line of text."""
        gaps, letters = sum(self.gaps.values()), sum(self.dead_letters.values())
        beats = self.heartbeats
        return f"{self.ticks:,} ticks, {beats:,} heartbeats, {gaps} gaps, {letters} dead letters"

    def remark_letters(self, most: float) -> None:
        """Add a remark where more than this share of the lines became dead letters."""
        letters = sum(self.dead_letters.values())
        if self.lines and letters > most * self.lines:
            firsts = "; ".join(f"{fault}: {each}" for fault, each in self.first_letters.items())
            self.remarks.append(f"{letters / self.lines:.1%} of the lines were refused: {firsts}")

    def finish(self, seconds: float) -> None:
        """Set the duration of the run."""
        self.seconds = seconds
        self.ticks_per_s = self.ticks / seconds if seconds > 0 else 0.0
