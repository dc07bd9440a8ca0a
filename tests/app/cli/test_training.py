"""Models by the command line."""

import fcntl
import json
from pathlib import Path

import pytest

from barograph.cases.spikes import SPIKES
from barograph.registry.registry import Registry
from barograph.times import parse_time
from barograph.training.due import turn
from datasets_written import written
from markets import market


def test_too_few_records_for_a_training_are_reported(run, people):
    run("dataset", people(12), "--case", "churn", "--home", "h")
    code, out, err = run("train", "--case", "churn", "--home", "h")
    assert (code, out, err.count("\n")) == (2, "", 1)


ASKED = {
    "another horizon": (("--horizon", "300"), "(--case spikes-5m)"),
    "another horizon of hours": (
        ("--case", "hourly-realized", "--horizon", "21600"),
        "(--case hourly-realized-6h)",
    ),
    "a horizon of no case": (("--horizon", "45"), "docs/your-own-case.md"),
    "a horizon of records": (("--case", "churn", "--horizon", "45"), "docs/your-own-case.md"),
    "a quantile of records": (("--case", "churn", "--quantile", "0.8"), "Leave it out"),
    "a quantile beyond all": (("--quantile", "1"), "--help"),
}


@pytest.mark.parametrize(("words", "cure"), ASKED.values(), ids=ASKED)
def test_a_question_that_a_case_does_not_have_is_refused_with_the_way_to_it(run, words, cure):
    code, out, err = run("train", *words, "--home", "h")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert cure in err


@pytest.mark.slow
def test_some_candidates_are_trained_and_the_report_says_which(run, people):
    run("dataset", people(400), "--case", "churn", "--home", "h")
    words = ("train", "--case", "churn", "--no-control", "--folds", "2", "--home", "h")
    code, out, err = run(*words, "--candidates", "logistic", "--json")
    report = json.loads(out)
    assert (code, err) == (0, "")
    assert report["settings"]["candidates"] == ["logistic"]
    assert report["model"]["chosen"] == "logistic"
    code, out, err = run(*words, "--candidates", "oracle")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "the baselines are always tested" in err
    code, out, err = run(*words, "--candidates", "logistic,nowhere_at_all:FOREST")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "--candidates nowhere_at_all:FOREST: there is no module nowhere_at_all" in err
    code, out, _ = run(*words, "--candidates", "logistic")
    assert code == 0
    assert len(out.splitlines()) <= 12
    assert "next: barograph report card 2 --case churn --home h" in out
    assert len(run(*words, "--candidates", "logistic", "-v")[1].splitlines()) > 12


def not_trained(run, *words):
    code, out, err = run("train", "--if-due", "--home", "h", *words, "--json")
    assert (code, err) == (0, "")
    answer = json.loads(out)
    assert answer.keys() == {"due", "why"}
    assert not answer["due"]
    return answer["why"]


@pytest.mark.parametrize("waits", ["--if-due", "--follow"])
@pytest.mark.parametrize("other", [("--once",), ("--at", "2026-01-31T00:00:00Z")])
def test_what_waits_until_it_is_due_takes_no_time_of_its_own(run, waits, other):
    words = ("train", "--case", "churn", "--home", "h")
    code, out, err = run(*words, waits, *other)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert f"leave out {other[0]}, or {waits}" in err
    for cured in (other, ("--if-due",)):
        assert "leave out" not in run(*words, *cured)[2]


@pytest.mark.slow
def test_what_is_not_due_is_not_trained_and_that_is_no_error(run, monkeypatch):
    assert not_trained(run) == "there is nothing to train on yet"
    code, out, _ = run("train", "--if-due", "--home", "h")
    assert (code, out) == (0, "not trained: there is nothing to train on yet\n")
    with turn(Path("h"), "spikes"):
        assert not_trained(run) == "another training of spikes is running"
        assert not_trained(run, "--case", "churn") == "there is nothing to train on yet"
    monkeypatch.setenv("BAROGRAPH_RETRAIN_EVERY_H", "0")
    assert not_trained(run) == "retrain_every_h is 0"


@pytest.mark.slow
def test_what_is_due_is_trained_on_the_archive_as_it_is_by_now(run, recording):
    """Of a minute and a half nothing can be learned, and the dataset is of all of it."""
    run("replay", recording(), "--home", "h", "--no-stages")
    code, out, err = run("train", "--if-due", "--home", "h")
    assert (code, out, err.count("\n")) == (2, "", 2)
    assert "training spikes: there is no version yet" in err
    assert json.loads(Path("h/datasets/spikes.json").read_bytes())["rows"] == 89


def test_records_are_due_when_their_dataset_is_another(run, people):
    run("dataset", people(12), "--case", "churn", "--home", "h")
    code, out, err = run("train", "--if-due", "--case", "churn", "--home", "h")
    assert (code, out, err.count("\n")) == (2, "", 2)


@pytest.mark.slow
def test_who_follows_is_told_once_why_a_training_fails_and_stops_when_told(
    run, people, signalled, tmp_path
):
    run("dataset", people(12), "--case", "churn", "--home", "h")
    pulse = tmp_path / "h" / "datasets" / "churn.lock"
    signaller = signalled(lambda: pulse.exists() and not _held(pulse))
    code, out, err = run("train", "--follow", "--case", "churn", "--home", "h")
    signaller.join()
    assert (code, out) == (0, "")
    assert err.count("\n") <= 1


def _held(lock):
    with lock.open("wb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


AT = "2026-01-31T00:00:00Z"


@pytest.mark.slow
def test_a_training_is_done_once_as_at_a_time_and_promotes_only_if_it_may(run, people):
    run("dataset", people(1200), "--case", "churn", "--home", "h")
    words = ("train", "--case", "churn", "--no-control", "--folds", "2", "--home", "h",
             "--candidates", "logistic", "--once", "--no-promote", "--at", AT)  # fmt: skip
    code, out, _ = run(*words)
    assert code == 0
    assert "churn/1 (logistic) is a candidate that the gate lets pass" in out
    registry = Registry(Path("h"))
    assert registry.champion_version("churn") is None
    assert registry.facts("churn", 1).created_time_ns == parse_time(AT)
    code, out, _ = run(*words, "--json")
    answer = json.loads(out)
    assert (code, answer["due"], answer["version"]) == (0, False, 1)
    assert "churn/1 was trained on these rows" in answer["why"]
    assert [each.version for each in registry.versions("churn")] == [1]
    run("models", "promote", "candidate", "--gated", "--case", "churn", "--home", "h")
    assert registry.champion_version("churn") == 1


def test_rows_of_records_are_not_sampled(run, people):
    run("dataset", people(1200), "--case", "churn", "--home", "h")
    words = ("train", "--case", "churn", "--no-control", "--folds", "2", "--home", "h")
    code, out, err = run(*words, "--max-rows", "1000")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "case churn has 1200 rows, and cannot be trained on a sample of them. Leave it" in err
    code, out, err = run(*words, "--max-rows", "999")
    assert (code, out) == (2, "")
    assert "--max-rows" in err


@pytest.mark.slow
def test_a_long_dataset_is_sampled_and_the_answer_says_so(run, tmp_path):
    frame = market("market", 12, seed=2, products=("BTC-USD", "ETH-USD")).frame
    home = written(tmp_path / "long", SPIKES, frame)
    words = (
        "train",
        "--max-rows",
        "60000",
        "--folds",
        "2",
        "--candidates",
        "ridge",
        "--no-control",
    )
    code, out, err = run(*words, "--home", home, "--no-control", "--json")
    assert (code, err) == (0, "")
    report = json.loads(out)
    assert report["settings"]["max_rows"] == 60_000
    sample = report["data"]["sample"]
    assert sample["rows"] == len(frame) > sample["complete_rows"] + sample["history_kept"]
    code, out, err = run(*words, "--home", home, "--no-control", "--once")
    assert (code, err) == (0, "")
    assert "spikes/1 was trained on these rows with these settings and this code" in out
    code, out, err = run(*words, "--home", home, "--no-control", "--seed", "9")
    assert (code, err) == (0, "")
    assert "  sampled: " in out
    code, out, err = run(*words, "--home", home, "--split", "leave-session-out")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "Walk forward (leave out --split)" in err
