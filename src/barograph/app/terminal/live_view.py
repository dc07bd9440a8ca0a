"""The live terminal view: one line per product, what is known before there is a model, alerts."""

import time
from collections import deque
from collections.abc import Callable, Mapping

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.text import Text

from barograph.alert_records import AlertRecord, Ending, Judgement
from barograph.app.terminal.fitted_table import Column, FittedTable
from barograph.evaluation.alerts import Alert
from barograph.figures import MS, NOT_DEFINED, duration, price
from barograph.foreign import one_line
from barograph.pipeline.progress import Wait
from barograph.pipeline.watch import PredictionWatch, ProductLine
from barograph.times import clock_of
from barograph.types import NS_PER_S, Prediction, Verdict

_BARS = "▁▂▃▄▅▆▇█"
_OLD_S = 5.0
_MARGIN = 4
_COLUMNS = (
    Column("product"),
    Column("mid", right=True, rank=3),
    Column("vol", right=True, rank=4),
    Column("of τ", right=True, rank=2),
    Column("P(spike)", right=True, rank=1),
    Column("last", rank=5, least=8),
    Column("verdict"),
    Column("latency", right=True, rank=6),
)
_WHY = {"missing": "a hole", "silent": "silence", "model": "another model"}


def render(
    watch: PredictionWatch,
    feed_state: str,
    clock_ns: Callable[[], int] = time.time_ns,
    warmups_s: Mapping[str, int] | None = None,
) -> Group:
    """Render the view for any width: products, what those without a probability wait for, alerts.

    warmups_s: the longest window in seconds of the features of each model, by its label.
    """
    now_ns = clock_ns()
    table = FittedTable(_COLUMNS, margin=_MARGIN)
    waits: list[Text] = []
    for product, line in sorted(watch.lines.items()):
        prediction, wait = line.prediction, _wait(watch, line, warmups_s or {})
        table.add_row(
            Text(product, style="bold"),
            price(prediction.mid),
            *_volatility(prediction),
            _probability(prediction),
            Text(_sparkline(line.probabilities), style="cyan"),
            _standing(prediction, wait, (now_ns - prediction.event_time_ns) / NS_PER_S),
            duration(line.latency_ms, MS),
        )
        if wait is not None:
            waits.append(_so_far(watch, product, wait))
    shown: list[RenderableType] = [Text(f"feed: {feed_state}", style="dim")]
    if watch.lines:
        shown += [Text(), table, Text(), *waits, _legend(watch)]
    else:
        shown.append(Text("waiting for the first prediction: features and scorer are starting …"))
    return Group(*shown, _alerts(watch, now_ns))


def _legend(watch: PredictionWatch) -> Text:
    models = sorted({line.prediction.model for line in watch.lines.values()})
    return Text(
        f"vol: bps/√s over 60 s; P: a spike (vol ≥ τ) within 60 s; model {', '.join(models)}",
        style="dim",
    )


def _wait(watch: PredictionWatch, line: ProductLine, warmups_s: Mapping[str, int]) -> Wait | None:
    progress = watch.progress.get(line.prediction.product)
    if progress is None:
        return None
    return progress.wait(line.prediction, warmups_s.get(line.prediction.model))


def _so_far(watch: PredictionWatch, product: str, wait: Wait) -> Text:
    """When the first probability comes, and what is known meanwhile."""
    known = watch.progress[product].known
    vols = ", ".join(f"{w} s {1e4 * value:.2f}" for w, value in known.volatility.items())
    spread = "" if known.spread_bps is None else f"; spread {known.spread_bps:.3g} bps"
    return Text.assemble(
        (product, "bold"),
        f": first probability in about {duration(wait.left_s)}{spread}",
        f"; vol {vols} bps/√s" if vols else "",
    )


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


def _standing(prediction: Prediction, wait: Wait | None, age_s: float) -> Text:
    """The verdict in words, with a count where it waits, or for how long the product is silent."""
    if age_s >= _OLD_S:
        return Text(f"silent {duration(round(age_s))}", style="yellow")
    if prediction.alarm:
        return Text("SPIKE AHEAD", style="bold red")
    if prediction.verdict is Verdict.PREDICTED:
        return Text("calm", style="green")
    if wait is None:
        return Text(prediction.verdict, style="yellow")
    if wait.learning:
        return Text(f"learning {wait.have}/{wait.need}", style="yellow")
    return Text(f"{prediction.verdict} {wait.have}/{wait.need} s", style="yellow")


def _alerts(watch: PredictionWatch, now_ns: int) -> Panel:
    latest = sorted(watch.alerts.values(), key=lambda alert: alert.started_ns, reverse=True)
    shown = [_notice(each) for each in watch.notices.values()]
    lines = Text("\n").join([*shown, *(_alert(alert, now_ns) for alert in latest)])
    counts = ", ".join(f"{count:,} {name}" for name, count in sorted(watch.judgements.items()))
    return Panel(
        lines if latest or shown else Text("none yet", style="dim"),
        title=f"alerts (UTC): {counts}" if counts else "alerts (UTC)",
        border_style="dim",
    )


def _notice(notice: AlertRecord) -> Text:
    """What is wrong with the log, in a line."""
    clock = (f"{clock_of(notice.started_ns)}  ", "dim")
    return Text.assemble(clock, (one_line(notice.text), "bold yellow"))


def _alert(alert: Alert, now_ns: int) -> Text:
    """One alert: since when, how likely, how long, and what became of it."""
    lasted = duration(round(alert.lasted_s(now_ns)))
    if alert.ended_ns is None:
        end = (f"for {lasted}", "bold red")
    elif alert.ending is Ending.CALM:
        end = (f"lasted {lasted}", "")
    else:
        end = (f"{lasted}, then {_WHY.get(alert.why, alert.why)}", "yellow")
    return Text.assemble(
        (f"{clock_of(alert.started_ns)}  ", "dim"),
        (alert.product, "bold"),
        f"  {alert.peak:.0%} at {price(alert.mid)}, ",
        end,
        ", ",
        _judged(alert),
    )


def _judged(alert: Alert) -> tuple[str, str]:
    if alert.judgement is None:
        return "outcome open", "dim"
    if alert.judgement is Judgement.RIGHT:
        return "right", "green"
    if alert.judgement is Judgement.WRONG:
        return "wrong", "red"
    return "not observed", "yellow"


def _sparkline(values: deque[float | None]) -> str:
    return "".join(
        "·" if value is None else _BARS[min(len(_BARS) - 1, int(value * len(_BARS)))]
        for value in values
    )
