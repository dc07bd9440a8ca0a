"""What a sink is given: an alert in words for people, and as a record for programs."""

from collections.abc import Callable, Sequence
from urllib.parse import quote, urlencode

import msgspec

from barograph import codec
from barograph.alert_records import FORECAST, PROBABILITY, AlertRecord, Change, identity
from barograph.figures import figure
from barograph.foreign import one_line
from barograph.times import time_of

Promised = Callable[[str], str]
"""The label of a model → what its test says its alerts are worth, in a sentence; "" if unknown."""

_TITLES = {Change.BEGAN: "alert", Change.ENDED: "over", Change.JUDGED: "outcome"}
_SHOWN_HELD = 10

Kind = str
"""`alert`, `held` (a summary of what quiet hours held back) or `test`."""


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """One message of a sink.

    `key` is the same whenever the note is sent again. `title` and `text` are for people, in
    printable lines; `link` leads to the page, empty without one. `alerts` are the records that it
    is about: one, or those held back, or none in a test.
    """

    key: str
    kind: Kind
    title: str
    text: str
    link: str = ""
    alerts: Sequence[AlertRecord] = ()

    @property
    def began(self) -> bool:
        """Whether an alert begins with it."""
        return any(alert.change is Change.BEGAN for alert in self.alerts)

    def json(self) -> bytes:
        """The note as a JSON object on one line: its fields, and `alert` where it is about one."""
        fields = {
            "type": f"{self.kind}-note/1",
            "key": self.key,
            "title": self.title,
            "text": self.text,
            "link": self.link,
        }
        if self.kind == "held":
            return codec.encode({**fields, "alerts": list(self.alerts)})
        return codec.encode({**fields, "alert": self.alerts[0] if self.alerts else None})


def note_of(record: AlertRecord, link: str = "", promised: Promised = lambda _model: "") -> Note:
    """The note of one change of an alert.

    It has the record's sentence, and where an alert about predictions begins what the model's
    alerts were worth so far: as judged live on this product, or as its test promised. `link` is the
    page; that of an alert about predictions opens its product there.
    """
    of = one_line(record.subject) or record.rule
    lines = [one_line(record.text)]
    if record.rule in {PROBABILITY, FORECAST} and record.change is Change.BEGAN:
        # A test promises what alarms are worth, not forecasts over a limit of one's own.
        lines.append(_worth(record, promised if record.rule == PROBABILITY else _no_promise))
    return Note(
        key=record.key,
        kind="alert",
        title=f"Barograph {_TITLES[record.change]}: {of}",
        text="\n".join(line for line in lines if line),
        link=_link(link, record),
        alerts=(record,),
    )


def _link(page: str, record: AlertRecord) -> str:
    if not page or record.rule not in {PROBABILITY, FORECAST}:
        return page
    chosen = urlencode({"case": record.case, "product": record.subject}, quote_via=quote)
    return f"{page.rstrip('/')}/#{chosen}"


def _no_promise(_model: str) -> str:
    return ""


def _worth(record: AlertRecord, promised: Promised) -> str:
    judged = record.right + record.wrong
    model = one_line(record.model)
    if not judged:
        return one_line(promised(record.model)) or f"No alert of {model} was judged yet."
    share = figure(record.right / judged, 0, share=True)
    return f"So far {record.right} of {judged} alerts of {model} on it were right ({share})."


def held_note(records: Sequence[AlertRecord], link: str = "") -> Note:
    """The summary of what quiet hours held back: counts, what still lasts, and the first ones."""
    began = [each for each in records if each.change is Change.BEGAN]
    ended = {each.id for each in records if each.change is Change.ENDED}
    lasting = [each for each in began if each.id not in ended]
    right = sum(each.judgement == "right" for each in records if each.change is Change.JUDGED)
    wrong = sum(each.judgement == "wrong" for each in records if each.change is Change.JUDGED)
    first_ns, last_ns = records[0].time_ns, records[-1].time_ns
    when = f"from {time_of(first_ns)} to {time_of(last_ns)}"
    counts = f"{len(lasting)} of them still last; {right} were right, {wrong} false alarms"
    lines = [f"{len(began)} alerts began {when}, and were not sent: {counts}."]
    shown = sorted(began, key=lambda each: each.id in ended)[:_SHOWN_HELD]
    lines += [f"{'over: ' if each.id in ended else ''}{one_line(each.text)}" for each in shown]
    if len(began) > _SHOWN_HELD:
        lines.append(f"… and {len(began) - _SHOWN_HELD} more: `barograph alerts list`")
    return Note(
        key=f"{identity('held', records[0].key)}-held",
        kind="held",
        title="Barograph: quiet hours are over",
        text="\n".join(lines),
        link=link,
        alerts=tuple(records),
    )


def trial_note(time_ns: int, link: str = "") -> Note:
    """A message that says that it is a test."""
    return Note(
        key=f"{identity('test', time_ns)}-test",
        kind="test",
        title="Barograph test: no alert",
        text=f"This is a test message of {time_of(time_ns)}. Nothing has happened.",
        link=link,
    )
