"""A sender on a log: once, in order, with patience, and never in the way of another."""

from contextlib import closing
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from alert_records_made import NS, alert, messages
from barograph import codec
from barograph.alert_records import Change
from barograph.app.alerting.marks import MOST_SENDS, Marks
from barograph.app.alerting.quiet import QuietHours
from barograph.app.alerting.sender import NEWS_S
from barograph.app.alerting.sink import SinkError
from barograph.log import browse, open_log
from barograph.log.topics import UNDELIVERED
from counted_metrics import Counted
from notebook_sinks import Clock, Notebook, begun, now, sending
from waiting import until
from watched_series import with_topics

HOUR = timedelta(hours=1)


@pytest.fixture
def log(tmp_path):
    with_topics(tmp_path)
    with closing(open_log(tmp_path)) as opened:
        yield opened


def test_alerts_are_sent_in_order_each_once_over_restarts(log, tmp_path):
    sink = Notebook()
    begun(tmp_path, sink, log)
    alerts = [now(number=n) for n in range(6)]
    for part in (alerts[:3], alerts[3:]):
        with sending(tmp_path, sink):
            log.append(messages(*part))
            until(lambda part=part: part[-1].key in sink.keys)
    wanted = [each.key for each in alerts]
    assert [key for key in sink.keys if key in wanted] == wanted


def test_what_is_delivered_retried_and_given_up_is_counted(log, tmp_path):
    sink = Notebook(name="counted-notebook")
    begun(tmp_path, sink, log)
    counted = Counted()
    sink.errors = [SinkError("the sink is away"), SinkError("no", final=True)]

    def results():
        return [
            counted.since("barograph_alert_deliveries_total", sink=sink.name, result=result)
            for result in ("delivered", "retried", "undelivered")
        ]

    with sending(tmp_path, sink):
        log.append(messages(now(number=1), now(number=2)))
        until(lambda: sum(results()) == 3)
    assert results() == [1, 1, 1]


def test_a_new_sink_begins_at_the_newest_alert(log, tmp_path):
    log.append(messages(*(now(number=n) for n in range(700))))
    sink = Notebook()
    with sending(tmp_path, sink) as (sender, _):
        until(lambda: sender.sent.passed_over == 700)
        log.append(messages(now(number=701)))
        until(lambda: sink.notes)
    assert sink.keys == [now(number=701).key]


def test_what_happened_long_before_it_was_written_is_no_news(log, tmp_path):
    sink = Notebook()
    begun(tmp_path, sink, log)
    old = alert(number=1, time_ns=Clock()() - int((NEWS_S + 5) * NS))
    with sending(tmp_path, sink):
        log.append(messages(old, now(number=2)))
        until(lambda: now(number=2).key in sink.keys)
    assert old.key not in sink.keys


def test_only_the_changes_that_are_wanted_are_sent(log, tmp_path):
    sink = Notebook()
    begun(tmp_path, sink, log)
    with sending(tmp_path, sink, changes={Change.BEGAN}):
        log.append(messages(now(number=1, change=Change.ENDED), now(number=2)))
        until(lambda: now(number=2).key in sink.keys)
    assert all(note.began for note in sink.notes)


def test_a_sink_that_fails_is_tried_again_with_the_same_key_and_reported_once(log, tmp_path):
    sink = Notebook()
    begun(tmp_path, sink, log)
    sink.errors = [SinkError("500")] * 5
    with sending(tmp_path, sink) as (sender, warnings):
        log.append(messages(now(number=1)))
        until(lambda: now(number=1).key in sink.keys)
    assert sink.attempts >= 6
    assert sender.sent.failures == 5
    assert len([line for line in warnings if "500. It is tried again for" in line]) == 1
    assert not browse.last(log, UNDELIVERED, 10)


def test_ten_minutes_of_failures_lose_nothing(log, tmp_path):
    sink, clock = Notebook(), Clock()
    begun(tmp_path, sink, log)
    sink.errors = [SinkError("dead")] * 10
    with sending(tmp_path, sink, clock, give_up_s=3600.0):
        log.append(messages(*(now(number=n) for n in range(3))))
        until(lambda: sink.attempts >= 5)
        clock.ahead_ns += 600 * NS
        until(lambda: now(number=2).key in sink.keys)
    assert {now(number=n).key for n in range(3)} <= set(sink.keys)


def test_what_a_sink_does_not_take_in_time_is_kept_with_the_reason(log, tmp_path):
    sink, clock = Notebook(), Clock()
    begun(tmp_path, sink, log)
    sink.errors = [SinkError("dead")] * 10_000
    with sending(tmp_path, sink, clock) as (sender, warnings):
        log.append(messages(now(number=1)))
        until(lambda: sink.attempts >= 3)
        clock.ahead_ns += 61 * NS
        until(lambda: sender.sent.undelivered)
        sink.errors.clear()
        log.append(messages(now(number=2)))
        until(lambda: now(number=2).key in sink.keys)
    (record,) = browse.last(log, UNDELIVERED, 10)
    kept = codec.decode_undelivered.of(record)
    assert (kept.sink, kept.reason, kept.alert.id) == ("notebook", "dead", now(number=1).id)
    assert kept.attempts >= 3
    assert any("not delivered after" in line for line in warnings)


def test_a_final_refusal_is_not_tried_again(log, tmp_path):
    sink = Notebook()
    begun(tmp_path, sink, log)
    sink.errors = [SinkError("422", final=True)]
    with sending(tmp_path, sink) as (sender, _):
        log.append(messages(now(number=1)))
        until(lambda: sender.sent.undelivered)
    assert codec.decode_undelivered.of(browse.last(log, UNDELIVERED, 1)[0]).attempts == 1


def test_alerts_that_no_sender_saw_in_time_are_kept_and_not_sent(log, tmp_path):
    sink, clock = Notebook(), Clock()
    begun(tmp_path, sink, log)
    log.append(messages(now(number=1)))
    clock.ahead_ns = 7200 * NS
    with sending(tmp_path, sink, clock) as (sender, _):
        until(lambda: sender.sent.undelivered)
    assert now(number=1).key not in sink.keys
    kept = [codec.decode_undelivered.of(each) for each in browse.last(log, UNDELIVERED, 9)]
    assert {each.attempts for each in kept} == {0}
    assert "no sender" in kept[0].reason


def test_a_sink_for_news_alone_is_not_given_what_is_old(log, tmp_path):
    sink, clock = Notebook(), Clock()
    begun(tmp_path, sink, log)
    sink.latest_s = 60.0
    log.append(messages(now(number=1)))
    clock.ahead_ns = 59 * NS * 2
    with sending(tmp_path, sink, clock, give_up_s=3600.0) as (sender, _):
        until(lambda: sender.sent.passed_over)
    assert now(number=1).key not in sink.keys


def test_quiet_hours_hold_back_and_are_summed_up_afterwards(log, tmp_path):
    sink, clock = Notebook(), Clock()
    begun(tmp_path, sink, log)
    moment = datetime.fromtimestamp(clock() // NS, UTC)
    ends = ((moment + hours).time().replace(tzinfo=None) for hours in (-HOUR, HOUR))
    quiet = QuietHours(*ends)
    with sending(tmp_path, sink, clock, quiet=quiet):
        log.append(messages(now(number=1), now(number=1, change=Change.ENDED), now(number=2)))
    assert not sink.notes
    clock.ahead_ns = 2 * 3600 * NS
    with sending(tmp_path, sink, clock, quiet=quiet):
        until(lambda: sink.notes)
    (note,) = sink.notes
    assert note.kind == "held"
    assert {each.key for each in note.alerts} >= {now(number=1).key, now(number=2).key}


def test_stopping_waits_for_no_pause_and_the_next_run_sends_it(log, tmp_path):
    sink = Notebook()
    begun(tmp_path, sink, log)
    sink.errors = [SinkError("dead")]
    with sending(tmp_path, sink, first_s=3000.0, cap_s=3000.0):
        log.append(messages(now(number=1)))
        until(lambda: sink.attempts)
    assert now(number=1).key not in sink.keys
    with sending(tmp_path, sink):
        until(lambda: now(number=1).key in sink.keys)


def test_an_unreadable_record_is_reported_and_passed_over(log, tmp_path):
    sink = Notebook()
    begun(tmp_path, sink, log)
    with sending(tmp_path, sink) as (_, warnings):
        log.append([msgspec.structs.replace(messages(now(number=1))[0], value=b"{}")])
        log.append(messages(now(number=2)))
        until(lambda: now(number=2).key in sink.keys)
    assert any("alerts@" in line for line in warnings)


def test_a_note_that_two_processes_ended_with_is_not_sent_a_third_time(log, tmp_path):
    sink = Notebook()
    begun(tmp_path, sink, log)
    lost, next_one = now(number=1), now(number=2)
    Marks(log, sink.name).mark(lost.key, MOST_SENDS)
    log.append(messages(lost, next_one))
    with sending(tmp_path, sink):
        until(lambda: next_one.key in sink.keys)
    assert lost.key not in sink.keys
    kept = [codec.decode_undelivered.of(each) for each in browse.last(log, UNDELIVERED, 9)]
    assert [(each.alert.id, each.attempts) for each in kept] == [(lost.id, MOST_SENDS)]
    assert kept[0].reason.startswith("it may have been delivered: ")


def test_failures_that_are_known_do_not_count_as_sends(log, tmp_path):
    sink = Notebook()
    begun(tmp_path, sink, log)
    last = now(number=1)
    log.append(messages(last))
    for _ in range(3):
        sink.errors = [SinkError("dead")]
        sink.attempts = 0
        with sending(tmp_path, sink, first_s=3000.0, cap_s=3000.0):
            until(lambda: sink.attempts)
    with sending(tmp_path, sink):
        until(lambda: last.key in sink.keys)
    assert not browse.last(log, UNDELIVERED, 9)
