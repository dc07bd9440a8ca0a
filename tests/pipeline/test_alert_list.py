"""Alerts as they stand: one of each id, and what was not delivered."""

from contextlib import closing

import pytest

from alert_records_made import NS, alert, messages
from barograph import codec
from barograph.alert_records import Change, Undelivered
from barograph.log import open_log
from barograph.log.topics import ALERTS, UNDELIVERED
from barograph.pipeline.alert_list import lasting, latest, listed, merged
from barograph.types import Message
from watched_series import with_topics


@pytest.fixture
def log(tmp_path):
    with closing(open_log(tmp_path)) as opened:
        yield opened


def test_the_newest_record_of_an_id_is_how_it_stands():
    changes = [alert(1), alert(2, time_ns=1_750_000_009 * NS), alert(1, Change.ENDED)]
    assert [(each.id, each.change) for each in merged(changes)] == [
        (alert(2).id, Change.BEGAN),
        (alert(1).id, Change.ENDED),
    ]


def test_a_log_without_the_topics_has_no_alerts(log):
    assert latest(log, 10) == []
    assert listed(log, 10).undelivered == {}


def test_the_list_has_the_newest_and_counts_what_was_not_delivered(log, tmp_path):
    with_topics(tmp_path)
    log.append(messages(*(alert(n, time_ns=(1_750_000_000 + n) * NS) for n in range(20))))
    log.append([Message(ALERTS, "x", b"{}")])
    lost = Undelivered(sink="bell", reason="no", attempts=1, alert=alert())
    log.append([Message(UNDELIVERED, "bell", codec.encode(lost))] * 2)
    found = listed(log, 5)
    assert [each.id for each in found.alerts] == [alert(n).id for n in range(19, 14, -1)]
    assert found.undelivered == {"bell": 2}


def test_a_shorter_list_is_the_beginning_of_a_longer_one(log, tmp_path):
    with_topics(tmp_path)
    late = alert(30, started_ns=1_750_000_900 * NS)
    early = [alert(n, started_ns=(1_750_000_000 + n) * NS) for n in range(20)]
    log.append(messages(late, *early))
    assert [each.id for each in latest(log, 2)] == [late.id, early[-1].id]
    assert latest(log, 2) == latest(log, 9)[:2]


def test_those_that_last_have_no_end(log, tmp_path):
    with_topics(tmp_path)
    log.append(messages(alert(1), alert(2), alert(1, Change.ENDED, ended_ns=1_750_000_001 * NS)))
    assert [each.id for each in lasting(log)] == [alert(2).id]
