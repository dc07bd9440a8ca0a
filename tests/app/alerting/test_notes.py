"""The words of a message: what, since when, how sure, what it was worth, and where to look."""

import json

from alert_records_made import NS, alert
from barograph.alert_records import Change, Judgement
from barograph.app.alerting.notes import held_note, note_of, trial_note

PAGE = "http://127.0.0.1:8000"


def test_an_alert_that_begins_says_what_its_models_alerts_were_worth():
    note = note_of(alert(right=7, wrong=2), PAGE)
    assert note.title == "Barograph alert: BTC-USD"
    assert note.text.splitlines() == [
        "BTC-USD: alert 1 began.",
        "So far 7 of 9 alerts of spikes/3 on it were right (78%).",
    ]
    assert note.key == alert().key
    assert note.began


def test_a_note_leads_to_the_page_and_that_of_a_product_to_its_charts():
    charts = f"{PAGE}/#case=spikes&product=BTC-USD"
    assert note_of(alert(), PAGE).link == note_of(alert(), f"{PAGE}/").link == charts
    odd = note_of(alert(subject="a b&c"), PAGE).link
    assert odd == f"{PAGE}/#case=spikes&product=a%20b%26c"
    assert note_of(alert(rule="feed_stale", subject=""), PAGE).link == PAGE
    assert note_of(alert()).link == ""


def test_before_one_was_judged_it_says_what_the_test_promised():
    assert note_of(alert(), promised=lambda label: f"{label} warned of 60%").text.endswith(
        "spikes/3 warned of 60%"
    )
    assert note_of(alert()).text.endswith("No alert of spikes/3 was judged yet.")


def test_later_changes_and_other_rules_say_nothing_of_worth():
    for other in (alert(change=Change.ENDED, right=7), alert(rule="feed_stale", model="")):
        note = note_of(other)
        assert note.text == other.text
    assert not note_of(alert(change=Change.ENDED)).began


def test_the_record_goes_with_it_as_json_on_one_line():
    body = note_of(alert(), PAGE).json()
    assert b"\n" not in body
    note = json.loads(body)
    assert note["type"] == "alert-note/1"
    assert note["key"] == alert().key
    assert note["alert"]["probability"] == alert().probability  # exact: the same JSON number
    assert note["link"].startswith(PAGE)


def test_foreign_text_is_printable():
    note = note_of(alert(subject="A\x1b[2J", text="x\n\x07"))
    assert all(line.isprintable() for line in [note.title, *note.text.splitlines()])


def test_what_was_held_back_is_summed_up():
    records = [
        alert(1), alert(1, Change.ENDED), alert(2, time_ns=1_750_000_060 * NS),
        alert(1, Change.JUDGED, judgement=Judgement.RIGHT, time_ns=1_750_000_061 * NS),
    ]  # fmt: skip
    note = held_note(records, PAGE)
    first, *shown = note.text.splitlines()
    assert first == (
        "2 alerts began from 2025-06-15 15:06:40Z to 2025-06-15 15:07:41Z, and were not sent: "
        "1 of them still last; 1 were right, 0 false alarms."
    )
    assert shown == ["BTC-USD: alert 2 began.", "over: BTC-USD: alert 1 began."]
    assert len(json.loads(note.json())["alerts"]) == 4
    assert held_note(records).key == note.key


def test_a_long_night_is_cut():
    note = held_note([alert(n) for n in range(50)])
    assert len(note.text.splitlines()) == 12
    assert note.text.endswith("… and 40 more: `barograph alerts list`")


def test_a_test_says_that_it_is_one():
    note = trial_note(NS)
    assert "test" in note.title
    assert json.loads(note.json())["alert"] is None
    assert not note.began
