"""One home with two logs, and a log that was lost, by the command line."""

import json

import pytest

HOME = ("--home", "h")


def archived(tmp_path):
    return {path.name: path.read_bytes() for path in (tmp_path / "h" / "archive").glob("*.gz")}


@pytest.fixture
def other(tmp_path):
    """The address of a second log."""
    return ("--log", f"sqlite:///{tmp_path}/other.sqlite")


@pytest.mark.slow
def test_a_home_with_two_logs_keeps_what_both_heard(run, recording, other, tmp_path):
    """The first log took the files of the second one for the tail of a crash and removed them."""
    path = recording()
    run("replay", path, *HOME)
    run("dataset", *HOME)
    rows = json.loads((tmp_path / "h" / "datasets" / "spikes.json").read_text())["rows"]
    run("replay", path, *HOME, *other)
    run("replay", recording("more.ndjson", 95), "--no-stages", *HOME, *other)
    files = archived(tmp_path)
    code, _, err = run("replay", recording("third.ndjson", 99), *HOME)
    assert (code, err) == (0, "")
    assert archived(tmp_path).items() > files.items()
    assert run("archive", "verify", *HOME)[0] == 0
    assert run("featurize", *HOME, *other)[0] == 0
    for log in ((), other):
        code, out, err = run("verify", "--archive", *HOME, *log)
        assert (code, err) == (0, ""), out
    code, out, _ = run("archive", "list", *HOME)
    assert (code, "log 1: log.sqlite" in out, "log 2: " in out) == (0, True, True)
    (tmp_path / "h" / "archive" / "000003.ndjson.gz").unlink()
    (tmp_path / "h" / "archive" / "000004.ndjson.gz").unlink()
    run("dataset", *HOME)
    again = json.loads((tmp_path / "h" / "datasets" / "spikes.json").read_text())["rows"]
    assert again == rows, "of the same recording in two files"


@pytest.mark.slow
def test_a_log_that_was_removed_is_reported_and_recovered(run, recording, tmp_path):
    run("replay", recording(), *HOME)
    files = archived(tmp_path)
    for path in (tmp_path / "h").glob("log.sqlite*"):
        if path.is_file():
            path.unlink()
    code, _, err = run("replay", recording(), "--no-stages", *HOME, "--products", "NONE")
    warning = (
        "the archive has 1 file that this log does not know: stop, and `barograph recover --home "
        "h` takes it in; behind new events only a log made anew can have it"
    )
    first, second = err.splitlines()
    assert (code, first) == (2, f"barograph: {warning}")
    assert "is of a product that was asked for (BTC-USD was not asked for" in second
    assert second.endswith("Name one that it has, or leave --products out.")
    assert archived(tmp_path).items() >= files.items()
    code, out, err = run("recover", *HOME)
    assert (code, out) == (2, "")
    assert "later events" in err
    cure = err.rpartition("(`barograph ")[2].rpartition("`)")[0].split()
    code, out, err = run(*cure, "--json")
    assert (code, err) == (0, "")
    assert json.loads(out)["feed"]["ticks"] > 100
    code, out, _ = run(*cure)
    assert (code, "nothing to recover" in out) == (0, True)


@pytest.mark.slow
def test_recovered_at_once_the_log_is_what_it_was(run, recording, tmp_path):
    run("replay", recording(), *HOME)
    for path in (tmp_path / "h").glob("log.sqlite*"):
        if path.is_file():
            path.unlink()
    code, out, err = run("recover", *HOME)
    assert (code, err) == (0, "")
    assert "1 files read into" in out
    assert run("featurize", *HOME)[0] == 0
    assert run("verify", "--archive", *HOME)[0] == 0


def test_without_an_archive_no_log_is_made(run, tmp_path):
    code, out, err = run("recover", *HOME)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "there is no archive" in err
    assert not (tmp_path / "h" / "log.sqlite").exists()
