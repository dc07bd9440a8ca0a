"""Alerts, senders and test messages on a terminal."""

from rich.console import Group, RenderableType
from rich.text import Text

from barograph import codec
from barograph.alert_records import AlertRecord, Change, Judgement
from barograph.app.alerting.senders import Trials
from barograph.app.alerting.watching import AlertsSent
from barograph.app.terminal.terminal import counts_of, plain, plain_table
from barograph.figures import duration
from barograph.foreign import one_line
from barograph.pipeline.alert_list import AlertList
from barograph.times import time_of
from barograph.types import NS_PER_S

_OUTCOMES = {
    Judgement.RIGHT: ("right", "green"),
    Judgement.WRONG: ("wrong", "red"),
    Judgement.UNKNOWN: ("not observed", "yellow"),
}


def alerts(found: AlertList, now_ns: int) -> RenderableType:
    """Alerts as they stand at `now_ns`, and what was not delivered.

    Of each a line with since when (UTC), rule, subject, how long and outcome; its sentence below.
    """
    if not found.alerts:
        return "no alerts yet"
    lines: list[Text] = []
    for alert in found.alerts:
        ended_ns = now_ns if alert.ended_ns is None else alert.ended_ns
        lasted = duration(round(max(0, ended_ns - alert.started_ns) / NS_PER_S))
        facts = (
            plain(alert.rule),
            plain(alert.subject),
            Text(f"for {lasted}", style="bold red" if alert.ended_ns is None else ""),
            _outcome(alert),
        )
        lines.append(Text("  ").join([Text(time_of(alert.started_ns)), *filter(None, facts)]))
        lines.append(Text.assemble("  ", plain(alert.text)))
    if found.undelivered:
        counts = counts_of({one_line(sink): count for sink, count in found.undelivered.items()})
        lines.append(Text(f"not delivered: {counts}", style="yellow"))
    return Group(*lines)


def _outcome(alert: AlertRecord) -> Text:
    if alert.judgement is not None:
        return Text(*_OUTCOMES[alert.judgement])
    return Text("open" if alert.ended_ns is None else "", style="dim")


def change(alert: AlertRecord) -> RenderableType:
    """One change of an alert as a line."""
    style = "bold red" if alert.change is Change.BEGAN else ""
    return Text.assemble(
        (f"{time_of(alert.time_ns)}  ", "dim"), (f"{alert.change}  ", style), one_line(alert.text)
    )


def line_of_json(alert: AlertRecord) -> bytes:
    """One change of an alert as a line of JSON."""
    return codec.encode(alert)


def trials(done: Trials) -> RenderableType:
    """What became of a test message at each sink, a line each, and why where it failed."""
    lines: list[Text] = []
    for each in done.sinks:
        word = ("delivered", "green") if each.delivered else ("failed", "red")
        lines.append(Text.assemble(word, f" in {duration(each.seconds)}: ", plain(each.sink)))
        if each.why:
            lines.append(Text.assemble("  ", plain(each.why)))
    return Group(*lines)


def sent(done: AlertsSent) -> RenderableType:
    """What the senders did."""
    if not done.sent:
        return f"watched for {duration(done.seconds)}; no sink is configured"
    table = plain_table("", ("sink", "delivered", "not delivered", "failed attempts"))
    for label, each in done.sent.items():
        counts = (each.delivered, each.undelivered, each.failures)
        table.add_row(plain(label), *(f"{count:,}" for count in counts))
    return table
