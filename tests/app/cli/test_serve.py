"""The verb serve: where it is, what it refuses, and how it ends."""

import json
import signal
from contextlib import closing

import msgspec

from barograph.app.cli.serve import cases_served
from barograph.app.web.server import ServeSummary, listening
from barograph.cases.named import CASES
from web_site import market_log


def test_it_says_where_it_is_and_answers_with_what_it_did(run, tmp_path):
    with market_log(tmp_path):
        code, out, err = run(
            "serve", "--home", tmp_path, "--port", "0", "--minutes", "0.001", "--json"
        )
    assert code == 0
    assert "serving at http://127.0.0.1:" in err
    assert msgspec.convert(json.loads(out), ServeSummary).requests == 0


def test_a_port_that_is_taken_is_refused(run, tmp_path):
    with market_log(tmp_path), closing(listening("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, _, err = run("serve", "--home", tmp_path, "--port", port)
    assert code == 2
    assert f"port {port}: another program listens there. Use --port 0" in err


def test_a_home_without_a_log_is_refused(run, tmp_path):
    code, _, err = run("serve", "--home", tmp_path, "--port", "0")
    assert code == 2
    assert "there is no log" in err


def test_it_ends_when_it_is_asked_to(run, signalled, tmp_path):
    before = signal.getsignal(signal.SIGINT)
    signalled(lambda: signal.getsignal(signal.SIGINT) is not before)
    with market_log(tmp_path):
        code, out, _ = run("serve", "--home", tmp_path, "--port", "0")
    assert code == 0
    assert "requests answered" in out


def test_a_case_of_ones_own_is_served_beside_the_built_in_ones():
    names = [case.name for case in cases_served(["queues:QUEUES", "churn"])]
    assert names == [*CASES, "queues"]
