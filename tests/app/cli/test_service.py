"""The files of a service by the command line."""

import json


def test_the_files_run_this_program_in_this_home(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ("--venue", "simulated", "--user", "nobody", "--home", "h", "--json")
    code, out, err = run("service", "files", *words)
    assert (code, err) == (0, "")
    answer = json.loads(out)
    unit = (tmp_path / "files" / "barograph.service").read_text()
    assert answer["files"][0] == str(tmp_path / "files" / "barograph.service")
    assert (
        f"up --venue simulated --products BTC-USD,ETH-USD --port 8000 --home {tmp_path}/h" in unit
    )
    assert f"WorkingDirectory={tmp_path}\n" in unit
    assert f"chown -R nobody {tmp_path}/h" in answer["commands"]
    assert (tmp_path / "h").is_dir()


def test_a_folder_that_cannot_be_made_is_refused(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    code, _, err = run("service", "file/files", "--home", "h")
    assert (code, err.count("\n")) == (2, 1)
