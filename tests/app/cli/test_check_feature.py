"""Features of one's own checked from the command line, over the records of a log."""

import json
import re
from contextlib import closing

import pytest

import queues
from barograph.log import open_log
from command_line import call

ORACLE = """
import json, math

def features(values):
    waiting = [json.loads(value)["waiting"] for value in values][-10:]
    mean = math.fsum(waiting) / 10 if len(waiting) == 10 else None
    return [waiting[-1], mean, json.loads(values[-1])["arriving"]]

def wrong(values):
    return [0.0, *features(values)[1:]]

def failing(values):
    return values[10**6]
"""


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "queues_oracle.py").write_text(ORACLE)
    with closing(open_log(tmp_path)) as log:
        log.create(queues.source_topic())
        log.append(queues.minutes(60, seed=1))
    return tmp_path


def test_laws_that_hold_are_told_with_code_0_and_one_that_breaks_with_code_1(
    home, monkeypatch, capfdbinary
):
    words = ("check-feature", "queues:QUEUES", "--home", home)
    code, out, err = call(
        monkeypatch, capfdbinary, *words, "--oracle", "queues_oracle:features", "--json"
    )
    made = json.loads(out)
    assert (code, err) == (0, "")
    assert (made["records"], made["rows"], made["keys"]) == (120, 120, 2)
    assert [law["law"] for law in made["laws"] if not law["holds"]] == []
    assert made["laws"][-1]["law"] == "the oracle says the same"
    code, out, _ = call(monkeypatch, capfdbinary, *words, "--oracle", "queues_oracle:wrong")
    assert code == 1
    assert re.search(r"✗ the oracle says the same\s+waiting of", out)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (
            ("queues:QUEUES", "--oracle", "queues_oracle:failing"),
            "IndexError: .*queues_oracle.py, line",
        ),
        (("queues:QUEUES", "--oracle", "queues_oracle"), "it is not package.module:NAME"),
        (("churn",), "it is not a series"),
        (("hourly",), "gave no row|there is no|unknown"),
    ],
)
def test_what_cannot_be_checked_says_why_in_one_line(home, monkeypatch, capfdbinary, words, why):
    code, _, err = call(monkeypatch, capfdbinary, "check-feature", *words, "--home", home)
    assert code == 2
    assert re.search(why, err.replace("\n", " ")), err
