"""Sinks of environment and options, and senders that do not wait for each other."""

import threading
from contextlib import closing

import pytest

from alert_records_made import messages
from barograph.app.alerting.command import Command
from barograph.app.alerting.sender import SendingPlan
from barograph.app.alerting.senders import MAX_SINKS, Senders, sinks_of, trial
from barograph.app.alerting.sink import SinkError
from barograph.app.alerting.webhook import Webhook
from barograph.errors import BadInputError
from barograph.log import open_log
from notebook_sinks import Notebook, begun, now
from receivers import Receiver
from waiting import until
from watched_series import with_topics


@pytest.mark.slow
def test_sinks_come_from_the_environment_and_from_options_each_once():
    environment = {
        "BAROGRAPH_ALERT_URLS": "json://127.0.0.1/TOKEN12345 \n json://127.0.0.1/OTHER",
        "BAROGRAPH_WEBHOOK_URLS": "https://h/a https://h/b",
        "BAROGRAPH_WEBHOOK_SECRET": "s",
    }
    sinks = sinks_of(environment, commands=["true"], webhooks=["https://h/a"])
    assert len(sinks) == 5
    assert [type(each) for each in sinks[:2]] == [Webhook, Webhook]
    assert "(signed)" in sinks[0].label
    assert isinstance(sinks[-1], Command)
    assert sinks_of({}) == []


def test_too_many_sinks_are_refused():
    with pytest.raises(BadInputError, match=str(MAX_SINKS)):
        sinks_of({}, webhooks=[f"https://h/{n}" for n in range(MAX_SINKS + 1)])


def test_a_trial_says_what_happened():
    with Receiver(503) as receiver:
        failed = trial(Webhook(receiver.url), 1)
        receiver.status = 200
        done = trial(Webhook(receiver.url), 1)
    assert (failed.delivered, done.delivered, done.why) == (False, True, "")
    assert "503" in failed.why
    assert {note["type"] for note in receiver.notes()} == {"test-note/1"}


class Hanging:
    """A sink whose first send does not come back until the test ends."""

    name = label = "hanging"
    latest_s = 1e9

    def __init__(self):
        self.reached, self.released = threading.Event(), threading.Event()

    def send(self, note):
        self.reached.set()
        self.released.wait(60)
        raise SinkError(f"no {note.key}")


class Dying:
    """A sink with an error that a sink must not raise."""

    name = label = "dying"
    latest_s = 1e9

    def send(self, note):
        raise ZeroDivisionError(note.key)


def test_two_webhooks_of_one_host_are_counted_apart(tmp_path):
    sinks = [Webhook("http://127.0.0.1:9/a"), Webhook("http://127.0.0.1:9/b"), Notebook()]
    sent = Senders(sinks, SendingPlan(address=tmp_path, give_up_s=1.0), pytest.fail).sent
    first, second, notebook = sent
    assert (second, notebook) == (f"{first} (2)", "notebook")


@pytest.mark.slow
def test_sinks_that_hang_or_die_delay_nobody_and_are_left_behind(tmp_path):
    with_topics(tmp_path)
    notebook, hanging, dying, warnings = Notebook(), Hanging(), Dying(), []
    with closing(open_log(tmp_path)) as log:
        for sink in (notebook,):
            begun(tmp_path, sink, log)
        plan = SendingPlan(address=tmp_path, give_up_s=60.0, first_s=0.01, cap_s=0.01)
        with Senders([hanging, dying, notebook], plan, warnings.append) as senders:
            number = 0
            while not hanging.reached.is_set() or not warnings:
                number += 1
                log.append(messages(now(number=number)))
                until(lambda number=number: now(number=number).key in notebook.keys)
            log.append(messages(*(now(number=n) for n in range(1000, 1010))))
            until(lambda: now(number=1009).key in notebook.keys)
    assert senders.sent["notebook"].delivered >= 10
    assert senders.sent["hanging"].delivered == 0
    assert warnings[0].startswith("alerts to dying: nothing is sent any more: ZeroDivisionError")
    hanging.released.set()
