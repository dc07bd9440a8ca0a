"""The live terminal view: one line a product, alerts as they come."""

import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime

import msgspec
from rich.console import Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from barograph import codec
from barograph.log import Log
from barograph.log.topics import PREDICTIONS
from barograph.types import NS_PER_S, Prediction, Verdict

_CHUNK = 2000
_BARS = "▁▂▃▄▅▆▇█"


class Latencies(msgspec.Struct, frozen=True, kw_only=True):
    """Milliseconds from the frame that closed a second to its prediction, committed."""

    count: int
    p50_ms: float | None
    p99_ms: float | None


class Line(msgspec.Struct, kw_only=True):
    """What the view knows of one product."""

    prediction: Prediction
    latency_ms: float | None
    probabilities: deque[float | None]


class Watch:
    """Follows a log's predictions from now on, or from the oldest one kept."""

    def __init__(self, log: Log, *, from_oldest: bool = False) -> None:
        self._log = log
        self._offsets = {
            extent.partition: extent.oldest if from_oldest else extent.next
            for extent in log.extents(PREDICTIONS)
        }
        self.lines: dict[str, Line] = {}
        self.alerts: deque[Prediction] = deque(maxlen=8)
        self.verdicts: dict[str, int] = {}
        self.models: dict[str, int] = {}
        self.alert_count = 0
        self._latencies_ms: deque[float] = deque(maxlen=100_000)

    def look(self) -> int:
        """Take in the predictions written since the last look; returns how many."""
        taken = 0
        for partition, offset in self._offsets.items():
            while records := self._log.read(PREDICTIONS, partition, offset, _CHUNK):
                for record in records:
                    self._take(codec.decode_prediction(record.value), record.headers)
                offset = records[-1].offset + 1  # noqa: PLW2901 - the place to go on from
                taken += len(records)
            self._offsets[partition] = offset
        return taken

    def latencies(self) -> Latencies:
        """Over all predictions taken in."""
        ordered = sorted(self._latencies_ms)
        if not ordered:
            return Latencies(count=0, p50_ms=None, p99_ms=None)
        return Latencies(
            count=len(ordered),
            p50_ms=ordered[len(ordered) // 2],
            p99_ms=ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))],
        )

    def _take(self, prediction: Prediction, headers: dict[str, str]) -> None:
        latency_ms = None
        written = headers.get("appended_time_ns")
        if prediction.receive_time_ns is not None and written is not None:
            latency_ms = (int(written) - prediction.receive_time_ns) / 1e6
            self._latencies_ms.append(latency_ms)
        known = self.lines.get(prediction.product)
        was_alert = known is not None and known.prediction.spike
        past = known.probabilities if known else deque[float | None](maxlen=40)
        past.append(prediction.probability)
        self.lines[prediction.product] = Line(
            prediction=prediction, latency_ms=latency_ms, probabilities=past
        )
        self.verdicts[prediction.verdict] = self.verdicts.get(prediction.verdict, 0) + 1
        self.models[prediction.model] = self.models.get(prediction.model, 0) + 1
        if prediction.spike and not was_alert:
            self.alert_count += 1
            self.alerts.append(prediction)


def render(watch: Watch, feed_state: str, clock_ns: Callable[[], int] = time.time_ns) -> Group:
    """The view as it stands: a table of products, then the latest alerts."""
    table = Table(expand=True, border_style="dim", header_style="bold")
    for title, justify in (
        ("product", "left"),
        ("mid", "right"),
        ("volatility now", "right"),
        ("P(spike in 60 s)", "right"),
        ("last 40 s", "left"),
        ("verdict", "left"),
        ("latency", "right"),
        ("age", "right"),
        ("model", "left"),
    ):
        table.add_column(title, justify=justify, no_wrap=True)  # type: ignore[arg-type]  # both literals
    now_ns = clock_ns()
    for product, line in sorted(watch.lines.items()):
        said = line.prediction
        table.add_row(
            Text(product, style="bold"),
            f"{said.mid:,.2f}",
            _volatility(said),
            _probability(said),
            Text(_sparkline(line.probabilities), style="cyan"),
            _verdict(said),
            "–" if line.latency_ms is None else f"{line.latency_ms:.0f} ms",
            f"{max(0.0, (now_ns - said.event_time_ns) / NS_PER_S):.0f} s",
            Text(said.model, style="dim"),
        )
    if not watch.lines:
        table.add_row("waiting for the first prediction …", *[""] * 8)
    parts = [table]
    alerts = Text("\n").join([_alert(alert) for alert in reversed(watch.alerts)])
    quiet = Text("none yet", style="dim")
    panel = Panel(alerts if watch.alerts else quiet, title="alerts", border_style="dim")
    return Group(Text(f"feed: {feed_state}", style="dim"), *parts, panel)


def _volatility(said: Prediction) -> Text:
    if said.realized_vol_60s is None:
        return Text("–", style="dim")
    if said.tau is None:
        return Text(f"{1e4 * said.realized_vol_60s:.2f} bps/√s")
    share = said.realized_vol_60s / said.tau
    style = "red" if share >= 1 else "yellow" if share >= 0.7 else "green"
    return Text(f"{1e4 * said.realized_vol_60s:.2f} bps/√s ({share:.0%} of τ)", style=style)


def _probability(said: Prediction) -> Text:
    if said.probability is None:
        return Text("–", style="dim")
    style = "bold red" if said.spike else "white"
    return Text(f"{said.probability:.1%}", style=style)


def _verdict(said: Prediction) -> Text:
    if said.verdict is not Verdict.PREDICTED:
        return Text(said.verdict, style="yellow")
    return Text("SPIKE AHEAD", style="bold red") if said.spike else Text("calm", style="green")


def _alert(said: Prediction) -> Text:
    at = datetime.fromtimestamp(said.event_time_ns / NS_PER_S, UTC).strftime("%H:%M:%S")
    return Text.assemble(
        (f"{at} UTC  ", "dim"),
        (said.product, "bold"),
        f"  {said.probability:.0%} for the next {said.horizon_s} s at {said.mid:,.2f}",
        (f"  (alert from {said.threshold:.0%})", "dim"),
    )


def _sparkline(values: deque[float | None]) -> str:
    return "".join(
        "·" if value is None else _BARS[min(len(_BARS) - 1, int(value * len(_BARS)))]
        for value in values
    )
