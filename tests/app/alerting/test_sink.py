"""The bell rings for what begins, and says nothing else."""

from alert_records_made import alert
from barograph.alert_records import Change
from barograph.app.alerting.notes import note_of, trial_note
from barograph.app.alerting.sink import BELL_S, Bell, SinkError


def test_it_rings_once_for_an_alert_that_begins_and_for_a_test():
    rung = []
    bell = Bell(lambda: rung.append(1))
    bell.send(note_of(alert()))
    bell.send(trial_note(1))
    bell.send(note_of(alert(change=Change.ENDED)))
    assert len(rung) == 2
    assert bell.latest_s == BELL_S


def test_an_error_of_a_sink_says_whether_it_is_final():
    assert SinkError("no").final is False
    assert SinkError("no", final=True).final is True
