"""Alerts of a process that is killed again and again: each once in the log, each at the webhook.

BAROGRAPH_ALERT_KILLS is how often; 50 is the whole proof.
"""

import os
import random
import threading
import time
from collections import Counter
from contextlib import closing

import pytest

from alert_records_made import messages
from barograph import codec
from barograph.app.alerting.senders import Senders
from barograph.app.alerting.webhook import Webhook
from barograph.log import browse, open_log
from barograph.log.topics import ALERTS, UNDELIVERED
from barograph.pipeline.worker import when_idle
from killed_watchers import SECRET, Watcher, sending_plan
from notebook_sinks import now
from receivers import Receiver
from waiting import until
from watched_series import SERIES, alerts_in, plan, predictions, sample, with_topics

pytestmark = pytest.mark.operations

KILLS = int(os.environ.get("BAROGRAPH_ALERT_KILLS", "8"))
PRODUCTS = ("BTC-USD", "ETH-USD", "SOL-USD", "DOGE-USD")
NS = 10**9


def stream(chance, start_s, seconds):
    """Messages of so many seconds: predictions with episodes, and health with its own."""
    made = []
    for product in PRODUCTS:
        level, levels = 0.1, []
        for _ in range(seconds):
            level = chance.choices([level, 0.1, 0.45, 0.7, None], [12, 2, 1, 2, 1])[0]
            levels.append(level)
        made.append(predictions(product, start_s, levels))
    made.append([
        sample((start_s + n) * NS, feed_age_s=chance.choice([0.0, 40.0]))
        for n in range(0, seconds, 5)
    ])  # fmt: skip
    # Side by side, as they would come.
    return [each for part in zip(*(cut(one, 20) for one in made), strict=True)
            for messages_of in part for each in messages_of]  # fmt: skip


def cut(of, count):
    size = -(-len(of) // count)
    return [of[n * size : (n + 1) * size] for n in range(count)]


def undisturbed(folder, sent):
    """The alerts of a run that nobody kills, as sorted bytes."""
    with_topics(folder)
    with closing(open_log(folder)) as log:
        log.append(sent)
        here = plan(folder)
        here.predictions(SERIES, when_idle, print)
        here.health(when_idle, print)
        return sorted(record.value for record in browse.records(log, ALERTS))


def test_alerts_of_a_process_that_is_killed_at_random_moments_come_once_or_twice(
    address, tmp_path_factory
):
    kills, longest_s = (KILLS, 1.5) if "kafka" not in address else (max(2, KILLS // 3), 14.0)
    chance = random.Random(15)
    sent = stream(chance, int(time.time()), 30 * kills + 60)
    wanted = undisturbed(tmp_path_factory.mktemp("undisturbed"), sent)
    assert len(wanted) > 5 * kills
    with_topics(address)
    with Receiver() as receiver, closing(open_log(address)) as log:
        begin_sink(log, address, receiver)
        before = {record.value for record in browse.records(log, ALERTS)}
        for part in cut(sent, kills):
            watcher = Watcher(address, receiver.url)
            log.append(part)
            moment_s = time.monotonic() + chance.uniform(0.05, longest_s)
            until(lambda moment_s=moment_s: time.monotonic() >= moment_s)
            watcher.kill()
            watcher.join()
        watcher = Watcher(address, receiver.url)
        until(lambda: len(alerts_in(log)) - len(before) >= len(wanted), 240.0)
        keys = [each.key for each in alerts_in(log)][len(before) :]
        until(lambda: set(keys) <= {*receiver.came_keys(), *undelivered(log)}, limit_s=240.0)
        watcher.kill()
        watcher.join()
        made = sorted(
            record.value for record in browse.records(log, ALERTS) if record.value not in before
        )
        unknown = undelivered(log)
    assert made == wanted
    counts = Counter(key for key in receiver.came_keys() if key in set(keys))
    assert set(counts.values()) <= {1, 2}
    assert set(keys) == set(counts) | unknown


def undelivered(log):
    """The keys of what two kills in a row left unknown."""
    kept = map(codec.decode_undelivered.of, browse.records(log, UNDELIVERED))
    return {each.alert.key for each in kept}


def begin_sink(log, address, receiver):
    """A first run gives the sink its place at the newest alert."""
    numbers = iter(range(10_000, 99_999))

    def arrives():
        log.append(messages(now(number=next(numbers))))
        return receiver.came

    with Senders([Webhook(receiver.url, SECRET)], sending_plan(address), print):
        until(arrives, pause_s=0.2, limit_s=240.0)
        last = now(number=next(numbers))
        log.append(messages(last))
        until(lambda: last.key in receiver.came_keys())


def test_a_webhook_that_is_dead_for_a_while_gets_everything_once_it_is_back(address):
    with_topics(address)
    with closing(open_log(address)) as log:
        with Receiver() as receiver:
            begin_sink(log, address, receiver)
        alerts = [now(number=n) for n in range(20)]
        with Senders([Webhook(receiver.url, SECRET)], sending_plan(address), print) as senders:
            log.append(messages(*alerts))
            (sent,) = senders.sent.values()
            until(lambda: sent.failures >= 5)
            with Receiver(port=receiver.port) as back:
                until(lambda: len(back.came) >= 20)
        assert back.came_keys() == [each.key for each in alerts]
        assert sent.undelivered == 0


@pytest.mark.slow
def test_a_webhook_that_hangs_delays_no_other(address):
    before = set(threading.enumerate())
    with_topics(address)
    with closing(open_log(address)) as log, Receiver() as hangs, Receiver() as answers:
        begin_sink(log, address, hangs)
        begin_sink(log, address, answers)
        hangs.hang.clear()
        sinks = [Webhook(each.url, SECRET) for each in (hangs, answers)]
        alerts = [now(number=n) for n in range(20)]
        with Senders(sinks, sending_plan(address), print):
            log.append(messages(*alerts))
            until(lambda: alerts[-1].key in answers.came_keys())
            assert alerts[-1].key not in hangs.came_keys()
    assert len(set(threading.enumerate()) - before) < 50
