"""Backup and restore by the command line."""

import json

import pytest

HOME = ("--home", "h")


@pytest.mark.slow
def test_a_home_goes_and_comes_back(run, recording, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "barograph.toml").write_text("seed = 2\n")
    assert run("replay", recording(), "--no-stages", *HOME)[0] == 0
    code, out, err = run("backup", "b", *HOME, "--json")
    assert (code, err) == (0, "")
    taken = json.loads(out)
    assert taken["settings"] == str(tmp_path / "barograph.toml")
    assert sum(taken["parts"].values()) == taken["bytes"]
    code, out, err = run("restore", "b", "--home", "again")
    assert (code, err) == (0, "")
    assert (tmp_path / "again" / "barograph.toml").read_text() == "seed = 2\n"
    assert run("archive", "verify", "--home", "again")[0] == 0


@pytest.mark.slow
def test_what_is_refused_is_one_line(run, recording):
    run("replay", recording(), "--no-stages", *HOME)
    for words, why in (
        (("backup", "h/inside", *HOME), "it lies in the home that is backed up"),
        (("backup", "b", "--home", "none"), "there is no such home"),
        (("restore", "none", "--home", "new"), "it is no folder"),
    ):
        code, _, err = run(*words)
        assert (code, err.count("\n"), why in err) == (2, 1, True), err
