"""The live terminal view: one line per product, and recent alerts."""

import time
from collections import deque
from collections.abc import Callable

from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from barograph.figures import MS, NOT_DEFINED, duration
from barograph.pipeline.watch import SEEN, PredictionWatch
from barograph.times import clock_of
from barograph.types import NS_PER_S, Prediction, Verdict

_BARS = "▁▂▃▄▅▆▇█"
_OLD_S = 5.0
_WIDTH = 80


def render(
    watch: PredictionWatch, feed_state: str, clock_ns: Callable[[], int] = time.time_ns
) -> Group:
    """Render the view, 80 columns wide: a table of products, then the latest alerts."""
    models = ", ".join(sorted({line.prediction.model for line in watch.lines.values()})) or "none"
    table = Table(
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        header_style="bold",
        caption=f"vol: bps/√s over 60 s; P: a spike (vol ≥ τ) within 60 s; model {models}",
        caption_justify="left",
    )
    for title in ("product", "mid", "vol", "of τ", "P(spike)", f"last {SEEN}", "verdict"):
        right = title in {"mid", "vol", "of τ", "P(spike)"}
        table.add_column(title, justify="right" if right else "left", no_wrap=True)
    table.add_column("latency", justify="right", no_wrap=True)
    now_ns = clock_ns()
    for product, line in sorted(watch.lines.items()):
        prediction = line.prediction
        age_s = (now_ns - prediction.event_time_ns) / NS_PER_S
        silent = f"silent {duration(round(age_s))}"
        table.add_row(
            Text(product, style="bold"),
            _mid(prediction),
            *_volatility(prediction),
            _probability(prediction),
            Text(_sparkline(line.probabilities), style="cyan"),
            _verdict(prediction) if age_s < _OLD_S else Text(silent, style="yellow"),
            duration(line.latency_ms, MS),
        )
    if not watch.lines:
        table.add_row("waiting for the first prediction …")
    alerts = Text("\n").join([_alert(alert) for alert in reversed(watch.alerts)])
    quiet = Text("none yet", style="dim")
    panel = Panel(
        alerts if watch.alerts else quiet, title="alerts", border_style="dim", width=_WIDTH
    )
    return Group(Text(f"feed: {feed_state}", style="dim"), table, panel)


def _mid(prediction: Prediction) -> str:
    return NOT_DEFINED if prediction.mid is None else f"{prediction.mid:,.2f}"


def _volatility(prediction: Prediction) -> tuple[Text, Text]:
    """Current volatility in bps/√s, and as a share of tau."""
    if prediction.value_now is None:
        return Text(NOT_DEFINED, style="dim"), Text(NOT_DEFINED, style="dim")
    vol = Text(f"{1e4 * prediction.value_now:.2f}")
    if not prediction.tau:
        return vol, Text(NOT_DEFINED, style="dim")
    share = prediction.value_now / prediction.tau
    style = "red" if share >= 1 else "yellow" if share >= 0.7 else "green"
    return vol, Text(f"{share:.0%}", style=style)


def _probability(prediction: Prediction) -> Text:
    if prediction.probability is None:
        return Text(NOT_DEFINED, style="dim")
    return Text(f"{prediction.probability:.1%}", style="bold red" if prediction.alarm else "")


def _verdict(prediction: Prediction) -> Text:
    if prediction.verdict is not Verdict.PREDICTED:
        return Text(prediction.verdict, style="yellow")
    return (
        Text("SPIKE AHEAD", style="bold red") if prediction.alarm else Text("calm", style="green")
    )


def _alert(prediction: Prediction) -> Text:
    return Text.assemble(
        (f"{clock_of(prediction.event_time_ns)} UTC  ", "dim"),
        (prediction.product, "bold"),
        f"  {prediction.probability:.0%} for the next {prediction.horizon_s} s",
        f" at {_mid(prediction)}",
        (f"  (alert from {prediction.threshold:.0%})", "dim"),
    )


def _sparkline(values: deque[float | None]) -> str:
    return "".join(
        "·" if value is None else _BARS[min(len(_BARS) - 1, int(value * len(_BARS)))]
        for value in values
    )
