"""`barograph doctor` as scripts and persons call it."""

import json
import re
import shlex
import shutil
import socket
from contextlib import closing

import pytest

from barograph.log import open_log
from barograph.registry.registry import Registry
from barograph.simulated.exchange import Exchange, running
from barograph.simulated.law import PRESETS
from barograph.simulated.market import SimulatedMarket
from barograph.simulated.sources import simulated
from registered_models import facts_of, graph

COMMAND = re.compile(r"`barograph ([^`]+)`")


@pytest.fixture
def nowhere():
    """The options of a venue at which nothing listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield ("--venue", "simulated", "--url", f"ws://127.0.0.1:{taken.getsockname()[1]}")


@pytest.fixture
def examined(run, nowhere):
    """Call doctor with --json: (exit code, its state, name → finding)."""

    def call(*words):
        code, out, _ = run("doctor", *nowhere, *words, "--json")
        answer = json.loads(out)
        return code, answer["state"], {each["name"]: each for each in answer["findings"]}

    return call


def test_a_fresh_machine_without_network_has_warnings_and_ends_with_0(examined, tmp_path):
    code, state, found = examined("--home", "new")
    assert (code, state) == (0, "warning")
    assert "barograph demo" in found["home"]["cure"]
    assert found["simulated REST"]["state"] == "warning"
    assert list(tmp_path.iterdir()) == []


def test_every_finding_that_is_not_well_has_a_cure(examined):
    _, _, found = examined("--home", "new")
    assert all(bool(each["cure"]) == (each["state"] != "ok") for each in found.values())


def test_a_page_fits_a_screen(run, nowhere):
    code, out, err = run("doctor", *nowhere)
    assert (code, err) == (0, "")
    assert max(map(len, out.splitlines())) <= 80
    assert len(out.splitlines()) <= 40


def test_what_a_feed_needs_is_a_problem_where_it_is_missing(run, nowhere):
    code, out, err = run("doctor", *nowhere, "--for", "feed", "--home", "new")
    assert (code, err.count("\n")) == (1, 1)
    assert "simulated WebSocket" in err
    assert "✗" in out


def test_a_simulated_exchange_that_runs_is_reached_and_in_time(run):
    market = SimulatedMarket(PRESETS["market"], ["BTC-USD"], 3, 1_750_000_000 * 10**9)
    with running(Exchange(simulated(market))) as exchange:
        words = ("--venue", "simulated", "--url", f"ws://{exchange.address}", "--home", "new")
        code, out, _ = run("doctor", *words, "--json")
    found = {each["name"]: each for each in json.loads(out)["findings"]}
    assert code == 0
    assert found["simulated WebSocket"]["state"] == found["simulated REST"]["state"] == "ok"


@pytest.mark.slow
def test_a_version_without_a_champion_is_promoted_as_advised(run, examined, made_home, tmp_path):
    home, onnx = shutil.copytree(made_home, tmp_path / "home"), graph()
    Registry(home).register("spikes", onnx, facts_of(onnx))
    _, _, found = examined("--home", home)
    (command,) = COMMAND.findall(found["model"]["cure"])
    assert run(*shlex.split(command))[0] == 0
    assert examined("--home", home)[2]["model"]["state"] == "ok"


def test_a_damaged_log_is_a_problem_that_a_script_sees(examined, tmp_path):
    with closing(open_log(tmp_path / "home")):
        pass
    (tmp_path / "home" / "log.sqlite").write_bytes(b"\xff" * 9000)
    code, state, found = examined("--home", "home")
    assert (code, state, found["log"]["state"]) == (1, "problem", "problem")


def test_wrong_settings_are_a_finding_and_the_rest_is_looked_at(examined, tmp_path):
    (tmp_path / "barograph.toml").write_text("fold = 3\n")
    code, _, found = examined()
    assert (code, found["settings"]["state"]) == (1, "problem")
    assert "Did you mean folds" in found["settings"]["cure"]
    assert found["versions"]["state"] == "ok"


def test_a_misspelt_variable_is_a_warning(examined, monkeypatch):
    monkeypatch.setenv("BAROGRAPH_HOEM", "x")
    _, _, found = examined()
    assert found["settings"]["state"] == "warning"
    assert "BAROGRAPH_HOME" in found["settings"]["cure"]


def test_a_cluster_that_is_away_is_a_problem(examined, nowhere):
    broker = nowhere[-1].removeprefix("ws://")
    code, _, found = examined("--for", "kafka", "--log", f"kafka://{broker}")
    assert (code, found[f"broker {broker}"]["state"]) == (1, "problem")
    code, _, found = examined("--for", "kafka")
    assert (code, "--log" in found["kafka"]["cure"]) == (1, True)


@pytest.mark.parametrize("subject", ["report", "airflow"])
def test_a_subject_is_looked_at_alone(examined, subject):
    _, _, found = examined("--for", subject, "--home", "new")
    assert "home" in found
    assert not any("simulated" in name for name in found)


def test_a_subject_that_is_none_is_refused_with_those_there_are(run):
    code, out, err = run("doctor", "--for", "nonsense")
    assert (code, out) == (2, "")
    assert ": 'nonsense' is not one of 'feed', 'kafka', 'report', 'airflow'" in err
    assert "Value error" not in err
