"""All senders of a process: which sinks there are, and a thread for each."""

import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Self

import msgspec

from barograph.app.alerting.command import Command
from barograph.app.alerting.notes import trial_note
from barograph.app.alerting.sender import Sender, SendingPlan, Sent
from barograph.app.alerting.services import Service
from barograph.app.alerting.sink import Sink, SinkError
from barograph.app.alerting.webhook import Webhook
from barograph.app.secrets import ALERT_URLS, WEBHOOK_SECRET, WEBHOOK_URLS
from barograph.deadline import SENT, Deadline
from barograph.errors import BadInputError
from barograph.foreign import one_line
from barograph.pipeline.side_threads import SideThreads

MAX_SINKS = 20
_LEAVE_S = 2.0


def sinks_of(
    environment: Mapping[str, str] = os.environ,
    *,
    commands: Sequence[str] = (),
    webhooks: Sequence[str] = (),
) -> list[Sink]:
    """The sinks that environment and options name, each once. Raises BadInputError."""
    secret = environment.get(WEBHOOK_SECRET, "").encode()
    urls = [*webhooks, *environment.get(WEBHOOK_URLS, "").split()]
    sinks: list[Sink] = [Webhook(url, secret) for url in urls]
    sinks += [Service(url) for url in environment.get(ALERT_URLS, "").split()]
    sinks += [Command(line) for line in commands]
    if len(sinks) > MAX_SINKS:
        raise BadInputError(
            "alerts", f"{len(sinks)} sinks are more than {MAX_SINKS}", "Name fewer of them"
        )
    return list({sink.name: sink for sink in sinks}.values())


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a test message: `why` says what went wrong, "" where nothing did."""

    sink: str
    delivered: bool
    seconds: float
    why: str = ""


class Trials(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a test message at each sink."""

    sinks: list[Trial]


def trial(sink: Sink, time_ns: int, link: str = "") -> Trial:
    """Send a test message to a sink, once."""
    started_s = time.monotonic()
    why = ""
    try:
        sink.send(trial_note(time_ns, link))
    except SinkError as error:
        why = one_line(error.reason)
    seconds = round(time.monotonic() - started_s, 3)
    return Trial(sink=sink.label, delivered=not why, seconds=seconds, why=why)


class Senders:
    """A sender with a thread of its own for each sink, while the `with` block runs.

    What one of them dies of is reported to `warn`, and the others go on.
    """

    def __init__(
        self,
        sinks: Sequence[Sink],
        plan: SendingPlan,
        warn: Callable[[str], None],
        deadline: Deadline | None = None,
    ) -> None:
        self._deadline = deadline or Deadline()
        self._stop = threading.Event()
        self._senders = [Sender(sink, plan, self._stop, warn) for sink in sinks]
        self._labels = _distinct([sink.label for sink in sinks])
        self._threads = SideThreads(
            [
                (f"alerts to {each.sink.label}: nothing is sent any more", each.run)
                for each in self._senders
            ],
            warn,
        )

    @property
    def sent(self) -> dict[str, Sent]:
        """What each sender did so far, by the label of its sink; a second of one label has a 2."""
        return dict(zip(self._labels, [each.sent for each in self._senders], strict=True))

    def __enter__(self) -> Self:
        """Start the threads and return self."""
        self._threads.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop; an attempt that takes two seconds more, or beyond the deadline, is left behind."""
        self._stop.set()
        self._threads.join(self._deadline.left_s(_LEAVE_S, SENT))


def _distinct(labels: Sequence[str]) -> list[str]:
    """Labels with a number behind each that came before; two webhooks of a host have one label."""
    counts = Counter[str]()
    distinct = []
    for label in labels:
        counts[label] += 1
        distinct.append(label if counts[label] == 1 else f"{label} ({counts[label]})")
    return distinct
