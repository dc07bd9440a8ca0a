"""Check by the command line: an answer, and an exit code for scripts."""

import json

import pytest

HOME = ("--home", "h")


@pytest.mark.slow
def test_a_topic_with_enough_ticks_is_ok(run, recording):
    run("replay", recording(), *HOME)
    code, out, err = run("check", "--topic", "ticks.raw", "--min", "100", *HOME)
    assert (code, err) == (0, "")
    assert out.startswith("ok: ticks.raw has ")
    assert "BTC-USD" in out
    code, out, _ = run("check", "--min", "100", *HOME, "--json")
    found = json.loads(out)
    assert (code, found["ok"], found["lag"]) == (0, True, {"featurizer": 0, "scorer": 0})
    assert found["counted"] >= 100
    assert json.loads(found["sample"])["topic"] == "ticks.raw"


def test_a_topic_that_is_short_says_how_many_there_are(run, recording):
    run("replay", recording(), "--no-stages", *HOME)
    code, out, err = run("check", "--min", "1000000", *HOME, "--json")
    found = json.loads(out)
    assert (code, found["ok"]) == (1, False)
    assert f"ticks.raw has {found['counted']:,} ticks, 1,000,000 were wanted" in err


def test_a_watch_of_a_quiet_topic_is_short(run, recording):
    run("replay", recording(), "--no-stages", *HOME)
    code, out, err = run("check", "--min", "1", "--seconds", "0.3", *HOME)
    assert (code, "in 0.3 s" in err) == (1, True)
    assert out.startswith("short")


@pytest.mark.slow
def test_any_topic_can_be_counted(run, recording):
    run("replay", recording(), *HOME)
    code, out, _ = run("check", "--topic", "ticks.features", "--min", "10", *HOME, "--json")
    assert (code, json.loads(out)["kinds"].keys()) == (0, {"features"})


def test_where_nothing_is_one_line_says_so(run):
    code, out, err = run("check", *HOME)
    assert (code, out, err.count("\n")) == (2, "", 1)
    run("topics", "create", "things", *HOME)
    code, _, err = run("check", *HOME)
    assert (code, "there is no topic" in err) == (2, True)
