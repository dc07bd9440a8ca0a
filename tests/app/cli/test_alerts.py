"""Alerts by the command line: listed, tested and sent."""

import json
import time
from contextlib import closing

import pytest

from alert_records_made import alert, messages
from barograph.log import open_log
from receivers import Receiver
from watched_series import with_topics

HOME = ("--home", "h")


@pytest.fixture
def home(tmp_path, monkeypatch):
    for name in ("BAROGRAPH_ALERT_URLS", "BAROGRAPH_WEBHOOK_URLS", "BAROGRAPH_WEBHOOK_SECRET"):
        monkeypatch.delenv(name, raising=False)
    with_topics(tmp_path / "h")
    return tmp_path / "h"


def test_the_newest_alerts_are_listed(run, home):
    with closing(open_log(home)) as log:
        log.append(messages(*(alert(n, time_ns=time.time_ns()) for n in range(3))))
    code, out, err = run("alerts", "list", *HOME)
    assert (code, err) == (0, "")
    assert "BTC-USD" in out
    code, out, _ = run("alerts", "list", "--limit", "2", *HOME, "--json")
    assert len(json.loads(out)["alerts"]) == 2


def test_a_home_without_a_log_is_refused(run):
    code, _, err = run("alerts", "list", *HOME)
    assert (code, "there is no log" in err) == (2, True)


def test_a_test_goes_through_every_sink_and_says_what_happened(run, home, monkeypatch):
    assert home.exists()
    with Receiver() as receiver:
        monkeypatch.setenv("BAROGRAPH_WEBHOOK_URLS", receiver.url)
        monkeypatch.setenv("BAROGRAPH_WEBHOOK_SECRET", "s3cret")
        code, out, err = run("alerts", "test", "--on-alert", "true", *HOME, "--json")
        assert (code, err) == (0, "")
        assert [each["delivered"] for each in json.loads(out)["sinks"]] == [True, True]
        assert "s3cret" not in out
        assert receiver.notes()[0]["type"] == "test-note/1"
        code, out, err = run("alerts", "test", "--on-alert", "false")
    assert code == 1
    assert "not delivered: command false" in err
    assert "exit code 1" in out


def test_a_test_without_a_sink_says_how_to_have_one(run, home):
    assert home.exists()
    code, _, err = run("alerts", "test")
    assert (code, "BAROGRAPH_ALERT_URLS" in err) == (2, True)


def test_a_run_says_what_it_sent(run, home):
    assert home.exists()
    code, out, _ = run("alerts", "run", "--minutes", "0.01", "--on-alert", "true", *HOME, "--json")
    assert code == 0
    assert json.loads(out)["sent"]["command true"]["delivered"] == 0


def test_a_case_that_is_no_series_is_refused(run, home):
    assert home.exists()
    code, _, err = run("alerts", "run", "--case", "churn", "--minutes", "0", *HOME)
    assert (code, "series" in err) == (2, True)
