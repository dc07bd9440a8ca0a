"""Everything that watches a log, together: a silent feed is told, and told to be over."""

import threading
from contextlib import closing
from pathlib import Path

import pytest

from alert_records_made import messages
from barograph import codec
from barograph.alert_records import Change
from barograph.app.alerting.watching import run, watching
from barograph.app.settings import Settings
from barograph.cases.spikes import SPIKES
from barograph.errors import RemovedError
from barograph.log import open_log
from barograph.log.topics import TICKS
from barograph.types import Heartbeat, Message
from notebook_sinks import Notebook, begun, now
from waiting import until
from watched_series import alerts_in, with_topics

NS = 10**9


def beat():
    event = Heartbeat(product="BTC-USD", event_time_ns=NS, receive_time_ns=NS)
    return Message(TICKS, "BTC-USD", codec.encode(event))


@pytest.mark.slow
def test_a_feed_that_falls_silent_is_an_alert_that_is_resolved_when_it_speaks_again(tmp_path):
    with_topics(tmp_path)
    sink = Notebook()
    settings = Settings(
        home=tmp_path, alert_feed_age_s=1.0, alert_clear_s=0.2, health_every_s=0.1, alert_lag_s=0
    )
    with closing(open_log(tmp_path)) as log:
        begun(tmp_path, sink, log)
        log.append([beat()])
        with watching(settings, tmp_path, [SPIKES], [sink], pytest.fail) as parts:
            until(lambda: any(note.began for note in sink.notes))

            def over():
                log.append([beat()])
                return any(note.alerts[0].change is Change.ENDED for note in sink.notes)

            until(over, pause_s=0.05)
        made = [each for each in alerts_in(log) if each.rule == "feed_stale"]
    # It may fall silent once more before the end.
    assert [each.change for each in made[:2]] == [Change.BEGAN, Change.ENDED]
    assert sink.keys[:2] == [each.key for each in made[:2]]
    assert parts.senders.sent["notebook"].delivered >= 2


def test_a_run_ends_by_time_and_says_what_was_sent(tmp_path):
    with_topics(tmp_path)
    sink, stop = Notebook(), threading.Event()
    settings = Settings(home=tmp_path, health_every_s=600)
    with closing(open_log(tmp_path)) as log:
        begun(tmp_path, sink, log)
        last = now(number=1)
        log.append(messages(last))
        done = run(settings, tmp_path, [SPIKES], [sink], stop, pytest.fail, seconds=3.0)
        stop.set()
        again = run(settings, tmp_path, [SPIKES], [sink], stop, pytest.fail)
    assert sink.keys == [last.key]
    assert done.sent["notebook"].delivered == 1
    assert again.seconds < done.seconds


def test_a_log_that_is_removed_ends_it_in_one_line_and_none_is_made_in_its_place(tmp_path):
    with_topics(tmp_path)
    begun(tmp_path, Notebook(), log := open_log(tmp_path))
    log.close()
    settings = Settings(home=tmp_path, health_every_s=0.1)

    def remove():
        for path in filter(Path.is_file, tmp_path.glob("log.sqlite*")):
            path.unlink()

    threading.Timer(1.0, remove).start()
    with pytest.raises(RemovedError):
        run(settings, tmp_path, [SPIKES], [Notebook()], threading.Event(), pytest.fail, seconds=60)
    assert not (tmp_path / "log.sqlite").exists()
