"""The live terminal view: one line a product, alerts as they come."""

import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime

import msgspec
from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from barograph import codec
from barograph.log import APPENDED_TIME, Log
from barograph.log.topics import PREDICTIONS
from barograph.types import NS_PER_S, Prediction, Record, Verdict

_CHUNK = 2000
_BARS = "▁▂▃▄▅▆▇█"
_SEEN = 16
_OLD_S = 5.0
_WIDTH = 80


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
        self.unreadable = 0
        self._latencies_ms: deque[float] = deque(maxlen=100_000)

    def look(self) -> int:
        """Take in the predictions written since the last look; returns how many."""
        taken = 0
        for partition, offset in self._offsets.items():
            while records := self._log.read(PREDICTIONS, partition, offset, _CHUNK):
                for record in records:
                    self._read(record)
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

    def _read(self, record: Record) -> None:
        try:
            prediction = codec.decode_prediction.of(record)
        except codec.UnreadableError:
            self.unreadable += 1
        else:
            self._take(prediction, record.headers)

    def _take(self, prediction: Prediction, headers: dict[str, str]) -> None:
        latency_ms = None
        written_ns = codec.natural(headers.get(APPENDED_TIME))
        if prediction.receive_time_ns is not None and written_ns is not None:
            latency_ms = (written_ns - prediction.receive_time_ns) / 1e6
            self._latencies_ms.append(latency_ms)
        known = self.lines.get(prediction.product)
        was_alert = known is not None and known.prediction.spike
        past = known.probabilities if known else deque[float | None](maxlen=_SEEN)
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
    """The view as it stands, 80 columns wide: a table of products, then the latest alerts."""
    models = ", ".join(sorted({line.prediction.model for line in watch.lines.values()})) or "none"
    table = Table(
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        header_style="bold",
        caption=f"vol: bps/√s over 60 s; P: a spike (vol ≥ τ) within 60 s; model {models}",
        caption_justify="left",
    )
    for title in ("product", "mid", "vol", "of τ", "P(spike)", f"last {_SEEN}", "verdict"):
        right = title in {"mid", "vol", "of τ", "P(spike)"}
        table.add_column(title, justify="right" if right else "left", no_wrap=True)
    table.add_column("latency", justify="right", no_wrap=True)
    now_ns = clock_ns()
    for product, line in sorted(watch.lines.items()):
        said = line.prediction
        age_s = (now_ns - said.event_time_ns) / NS_PER_S
        table.add_row(
            Text(product, style="bold"),
            f"{said.mid:,.2f}",
            *_volatility(said),
            _probability(said),
            Text(_sparkline(line.probabilities), style="cyan"),
            _verdict(said) if age_s < _OLD_S else Text(f"silent {age_s:.0f} s", style="yellow"),
            "–" if line.latency_ms is None else f"{line.latency_ms:.0f} ms",
        )
    if not watch.lines:
        table.add_row("waiting for the first prediction …")
    alerts = Text("\n").join([_alert(alert) for alert in reversed(watch.alerts)])
    quiet = Text("none yet", style="dim")
    panel = Panel(
        alerts if watch.alerts else quiet, title="alerts", border_style="dim", width=_WIDTH
    )
    return Group(Text(f"feed: {feed_state}", style="dim"), table, panel)


def _volatility(said: Prediction) -> tuple[Text, Text]:
    """In bps/√s, and as a share of tau."""
    if said.realized_vol_60s is None:
        return Text("–", style="dim"), Text("–", style="dim")
    vol = Text(f"{1e4 * said.realized_vol_60s:.2f}")
    if not said.tau:
        return vol, Text("–", style="dim")
    share = said.realized_vol_60s / said.tau
    style = "red" if share >= 1 else "yellow" if share >= 0.7 else "green"
    return vol, Text(f"{share:.0%}", style=style)


def _probability(said: Prediction) -> Text:
    if said.probability is None:
        return Text("–", style="dim")
    return Text(f"{said.probability:.1%}", style="bold red" if said.spike else "")


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
