"""A log of either kind, watched: measured, alerted about, and heard of by a sink."""

from contextlib import closing

import pytest

from barograph import codec
from barograph.alert_records import Change
from barograph.app.alerting.watching import watching
from barograph.app.settings import Settings
from barograph.cases.spikes import SPIKES
from barograph.log import open_log
from barograph.log.topics import TICKS
from barograph.types import Heartbeat, Message
from notebook_sinks import Notebook, begun
from waiting import until
from watched_series import alerts_in, with_topics

pytestmark = pytest.mark.operations

NS = 10**9


def beat():
    event = Heartbeat(product="BTC-USD", event_time_ns=NS, receive_time_ns=NS)
    return Message(TICKS, "BTC-USD", codec.encode(event))


@pytest.mark.slow
def test_a_feed_that_falls_silent_is_told_and_that_it_speaks_again(address, tmp_path):
    with_topics(address)
    sink = Notebook()
    settings = Settings(
        home=tmp_path, alert_feed_age_s=2.0, alert_clear_s=0.2, health_every_s=0.2, alert_lag_s=0
    )
    with closing(open_log(address)) as log:
        begun(address, sink, log)
        log.append([beat()])
        with watching(settings, address, [SPIKES], [sink], pytest.fail):
            until(lambda: any(note.began for note in sink.notes))

            def over():
                log.append([beat()])
                return any(note.alerts[0].change is Change.ENDED for note in sink.notes)

            until(over, pause_s=0.1)
        made = [each for each in alerts_in(log) if each.rule == "feed_stale"]
    assert [each.change for each in made[:2]] == [Change.BEGAN, Change.ENDED]
    assert sink.keys[:2] == [each.key for each in made[:2]]
