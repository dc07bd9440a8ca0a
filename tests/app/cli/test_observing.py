"""How a verb is observed: where its lines go, and on which port its metrics are."""

import json
import socket
import urllib.request

import pytest

from barograph.app.cli.answers import warn
from barograph.app.cli.observing import observed
from barograph.app.settings import Settings
from barograph.errors import BadInputError


@pytest.fixture
def settings(tmp_path):
    return Settings(home=tmp_path)


def test_warnings_are_log_lines_while_it_lasts(settings, capsys):
    with observed(settings, "up", None, "json"):
        warn("inside\nof it")
    warn("after it")
    first, second = capsys.readouterr().err.splitlines()
    assert json.loads(first)["event"] == r"inside\nof it"
    assert second == "barograph: after it"


def test_on_a_screen_warnings_are_for_people_and_nothing_else_is_printed(settings, capsys):
    with observed(settings, "up", None, None) as events:
        events.started(settings.home, settings.home)
        warn("look")
    assert capsys.readouterr().err == "barograph: look\n"


def test_without_a_screen_lines_have_time_and_level(settings, capsys):
    with observed(settings, "up", None, None, on_screen=False) as events:
        events.started(settings.home, settings.home)
        warn("look")
    started, warned = capsys.readouterr().err.splitlines()
    assert "Z  info     started verb=up version=" in started
    assert warned.endswith("Z  warning  look")


def test_machines_get_their_lines_on_a_screen_too(settings, capsys):
    with observed(settings, "up", None, "json") as events:
        events.started(settings.home, settings.home)
    assert json.loads(capsys.readouterr().err)["event"] == "started"


def test_an_option_is_stronger_than_a_setting(tmp_path, capsys):
    settings = Settings(home=tmp_path, log_format="json")
    with observed(settings, "up", None, None):
        warn("machine")
    with observed(settings, "up", None, "console", on_screen=False):
        warn("person")
    first, second = capsys.readouterr().err.splitlines()
    assert json.loads(first)["level"] == "warning"
    assert second.endswith("warning  person")


def test_metrics_are_on_the_port_and_say_what_runs(settings):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with observed(settings, "feed", port, None):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
            text = answer.read().decode()
        with (
            pytest.raises(BadInputError, match="--metrics-port"),
            observed(settings, "feed", port, None),
        ):
            pytest.fail("the port was taken")
    assert 'verb="feed"' in text
    assert "barograph_warnings_total" in text
