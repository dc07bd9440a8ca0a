"""`check` beside a running `up`, and after it was killed: the same counts, another answer."""

import json

import pytest

from verb_processes import Life
from waiting import until

pytestmark = pytest.mark.operations

LIMIT_S = 240.0


def check(home, *words):
    """The exit code and the answer of a check in JSON."""
    code, out, _ = Life("check", "--home", home, "--json", *words).end()
    return code, json.loads(out) if out else None


def test_a_feed_is_ok_while_it_runs_and_not_after_it_died(tmp_path):
    up = Life(
        "up", "--venue", "simulated", "--home", tmp_path, "--no-retrain", "--json",
    )  # fmt: skip
    last = {}

    def alive():
        assert up.is_alive(), up.warned().decode()
        last["code"], report = check(tmp_path)
        last["report"] = report
        return bool(
            report and report.get("status") and report["ok"]
            and len(report["health"]["verdicts"]) == 2
        )  # fmt: skip

    until(alive, LIMIT_S)
    report = last["report"]
    health = report["health"]
    assert (last["code"], health["problems"]) == (0, [])
    assert (health["max_age_s"], health["champion"]) == (30.0, None)
    assert health["verdicts"].keys() == {"BTC-USD", "ETH-USD"}
    assert set(health["verdicts"].values()) <= {"WARMUP", "NO_MODEL", "GAP"}
    assert health["remarks"] == ["no champion: the baseline predicts until a model is promoted"]
    assert all(product["heard_s"] < 30 for product in report["products"].values())
    up.kill()

    def silent():
        last["code"], last["dead"] = check(tmp_path, "--max-age", "1")
        # Something else may be older than a second before the receipts are.
        problems = last["dead"]["health"]["problems"]
        return any("nothing was received for" in each for each in problems)

    until(silent, LIMIT_S)
    assert (last["code"], last["dead"]["ok"]) == (1, False)
    assert last["dead"]["counted"] >= report["counted"]
    assert check(tmp_path, "--max-age", "0")[0] == 0
