"""Alerts on a terminal: how each stands, and nothing that a stranger could make it do."""

from alert_records_made import NS, alert
from barograph.alert_records import Change, Judgement
from barograph.app.alerting.sender import Sent
from barograph.app.alerting.senders import Trial, Trials
from barograph.app.alerting.watching import AlertsSent
from barograph.app.terminal import alert_tables
from barograph.app.terminal.terminal import text_of
from barograph.pipeline.alert_list import AlertList

T0 = 1_750_000_000 * NS


def test_each_alert_is_a_line_with_since_when_how_long_and_outcome():
    judged = alert(1, Change.JUDGED, ended_ns=T0 + 90 * NS, judgement=Judgement.RIGHT)
    found = AlertList(alerts=[alert(2), judged], undelivered={"webhook-1": 3})
    text = text_of(alert_tables.alerts(found, T0 + 60 * NS))
    assert "2025-06-15 15:06:40" in text
    assert "60 s" in text
    assert "90 s" in text
    assert "right" in text
    assert "not delivered: webhook-1 3" in text


def test_nothing_of_an_alert_is_cut_at_80_columns(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    long = alert(3, text=" ".join(["word"] * 40))
    text = text_of(alert_tables.alerts(AlertList(alerts=[long], undelivered={}), T0 + 60 * NS))
    for part in (long.rule, long.subject, "2025-06-15 15:06:40"):
        assert part in text
    assert text.count("word") == 40
    assert "…" not in text


def test_without_alerts_it_says_so():
    assert alert_tables.alerts(AlertList(alerts=[], undelivered={}), T0) == "no alerts yet"


def test_a_change_is_one_line_and_harmless():
    text = text_of(alert_tables.change(alert(text="\x1b[2J\nsecond")))
    assert "\x1b[2J" not in text
    assert "began" in text
    assert len(text.strip().splitlines()) <= 2


def test_the_line_of_json_is_the_record():
    assert b'"type":"alert/1"' in alert_tables.line_of_json(alert())


def test_trials_and_senders_say_what_happened():
    done = Trials(sinks=[
        Trial(sink="a", delivered=True, seconds=0.1),
        Trial(sink="webhook http://127.0.0.1 (not signed: set BAROGRAPH_WEBHOOK_SECRET)",
              delivered=False, seconds=0.2, why="HTTP status 503"),
    ])  # fmt: skip
    text = text_of(alert_tables.trials(done))
    assert "delivered in 100 ms: a" in text
    assert "failed in 200 ms: webhook http://127.0.0.1" in text
    assert "HTTP status 503" in text
    sent = AlertsSent(seconds=3.0, sent={"a": Sent(delivered=1_234, failures=7)})
    assert "1,234" in text_of(alert_tables.sent(sent))
    assert "no sink" in alert_tables.sent(AlertsSent(seconds=1.0, sent={}))
