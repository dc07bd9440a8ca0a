"""Produce and consume: every record of a file goes in once and comes out once."""

import json

import pytest

from barograph.cases.churn import CHURN, STREAM
from barograph.log import open_log


@pytest.fixture
def answer(run):
    """Call a verb on one home, in JSON: its answer; warnings are left aside."""

    def call(*words):
        code, out, _ = run(*words, "--case", "churn", "--home", "h", "--json")
        assert code == 0
        return json.loads(out)

    return call


def held(tmp_path, topic):
    log = open_log(tmp_path / "h")
    count = sum(extent.next - extent.oldest for extent in log.extents(topic))
    log.close()
    return count


@pytest.mark.slow
def test_a_file_goes_in_once_and_comes_out_once(answer, people):
    file = people(30, b'{"customerID": "X"}', b"nonsense")
    assert (answer("produce", file)["sent"], answer("produce", file)["skipped"]) == (32, 32)
    done = answer("consume", "--batch-size", "7")
    assert (done["records"], done["values"], done["dead_letters"]) == (32, 30, 2)
    assert (done["lag"], done["commits"] >= 5, done["records_per_s"] > 0) == (0, True, True)
    assert answer("consume")["records"] == 0
    assert answer("produce", file, "--again")["sent"] == 32
    assert answer("consume")["values"] == 30


def test_a_person_reads_what_went_where(run, people):
    file = people(3)
    _, out, _ = run("produce", file, "--case", "churn", "--home", "h")
    assert "3 of 3 records sent" in out
    _, out, _ = run("produce", file, "--case", "churn", "--home", "h")
    assert "3 of 3 records were already sent" in out
    code, out, err = run("consume", "--case", "churn", "--home", "h")
    assert (code, "3 records → 3 predictions" in out) == (0, True)
    assert "NO_MODEL" in err  # there is no champion


def test_a_dry_run_shows_the_records_and_makes_nothing(run, people, tmp_path):
    file = people(3, b"nonsense")
    code, out, _ = run("produce", file, "--case", "churn", "--home", "h", "--dry-run")
    lines = [json.loads(line) for line in out.splitlines()]
    assert (code, len(lines)) == (0, 4)
    assert {line["topic"] for line in lines} == {STREAM.source}
    assert lines[0]["key"] == lines[0]["value"]["customerID"]
    assert "base64" in lines[3]["value"]
    assert not (tmp_path / "h").exists()


@pytest.mark.slow
def test_a_producer_that_is_told_to_stop_says_what_is_left_and_goes_on_next_time(
    run, answer, people, tmp_path, signalled
):
    file = people(200)
    answer("produce", people(1, name="one.ndjson"))  # makes the topics
    words = ("--case", "churn", "--home", "h", "--mode", "stream", "--rate", "20")
    signaller = signalled(lambda: held(tmp_path, STREAM.source) > 3)
    code, out, err = run("produce", file, *words)
    signaller.join()
    assert (code, err) == (0, "")
    assert "are left; run the same command" in " ".join(out.split())
    went = held(tmp_path, STREAM.source)  # with the one of the file that this one goes on
    rest = answer("produce", file)
    assert (rest["skipped"], rest["sent"]) == (went, 200 - went)


@pytest.mark.slow
def test_a_consumer_follows_until_it_is_told_to_stop(answer, people, tmp_path, signalled):
    answer("produce", people(20))
    signaller = signalled(lambda: held(tmp_path, STREAM.target) == 20)
    done = answer("consume", "--mode", "stream")
    signaller.join()
    assert (done["records"], done["lag"]) == (20, 0)


@pytest.mark.slow
def test_a_consumer_may_come_first_and_leave_after_a_time(answer):
    done = answer("consume", "--mode", "stream", "--seconds", "0.5")
    assert (done["records"], done["seconds"] >= 0.5) == (0, True)


REFUSED = {
    "no log yet": ("consume", "--case", "churn"),
    "no case": ("consume",),
    "a case without records": ("consume", "--case", "spikes", "--mode", "stream"),
    "a case that takes no file": ("produce", "people.ndjson", "--case", "spikes"),
    "no file": ("produce", "nowhere.csv", "--case", "churn"),
    "no rate": ("produce", "people.ndjson", "--case", "churn", "--rate", "0"),
    "no batch": ("produce", "people.ndjson", "--case", "churn", "--batch-size", "0"),
    "an unknown mode": ("produce", "people.ndjson", "--case", "churn", "--mode", "burst"),
}


@pytest.mark.parametrize("words", REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_is_refused(run, people, words):
    people(2)
    code, out, err = run(*words, "--home", "h")
    assert (code, out, "Traceback" in err) == (2, "", False)


def test_the_case_of_these_tests_has_a_stream():
    assert CHURN.stream is STREAM
