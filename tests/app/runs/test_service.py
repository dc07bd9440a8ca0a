"""The files of a service are what their managers read."""

import plistlib
import shlex
import subprocess
from pathlib import Path

import pytest

from barograph.app.runs import service
from barograph.app.runs.service import CRON, PLIST, ROTATION, UNIT, ServicePlan, cron, unit, write
from barograph.errors import BadInputError
from programs import missing

LEAST_EXPOSED = 25
"""Of systemd's own scale of 100 for what a service may do; one that is not hardened has 96."""


def plan_of(folder, name="h", **changes):
    plan = {
        "program": service.program(),
        "words": ("--venue", "simulated", "--home", str(folder / name)),
        "home": folder / name,
        "folder": folder,
        "user": "root",
    }
    return ServicePlan(**plan | changes)


@pytest.fixture
def analyze():
    if reason := missing("systemd-analyze"):
        pytest.skip(reason)
    return "systemd-analyze"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["h", "with space", "50% $HOME", 'quo"te', "back\\slash"])
def test_systemd_reads_the_unit_without_a_word(tmp_path, analyze, name):
    write(tmp_path / "files", plan_of(tmp_path, name))
    words = [analyze, "verify", tmp_path / "files" / UNIT]
    done = subprocess.run(words, capture_output=True, check=False, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.slow
def test_the_unit_is_hardened(tmp_path, analyze):
    write(tmp_path, plan_of(tmp_path))
    words = [analyze, "security", "--offline=true", f"--threshold={LEAST_EXPOSED}"]
    done = subprocess.run([*words, tmp_path / UNIT], capture_output=True, check=False, text=True)
    assert done.returncode == 0, done.stdout[-300:]


def test_the_unit_restarts_what_another_start_may_mend(tmp_path):
    lines = unit(plan_of(tmp_path)).splitlines()
    for line in (
        "Type=notify", f"WatchdogSec={service.WATCHDOG_S}", "Restart=on-failure",
        "RestartPreventExitStatus=2", "ProtectSystem=strict", f"ReadWritePaths={tmp_path / 'h'}",
    ):  # fmt: skip
        assert line in lines


def test_launchd_reads_the_same_command(tmp_path):
    plan = plan_of(tmp_path, "a & b")
    done = write(tmp_path, plan)
    read = plistlib.loads((tmp_path / PLIST).read_bytes())
    assert read["ProgramArguments"] == [str(plan.program), "up", *plan.words]
    assert read["KeepAlive"] == {"SuccessfulExit": False}
    assert str(tmp_path / ROTATION) in done.files
    assert read["StandardErrorPath"] in (tmp_path / ROTATION).read_text()


def test_the_line_of_cron_makes_a_backup_of_its_day(tmp_path):
    """A percent sign that is not escaped is the end of cron's line."""
    line = cron(plan_of(tmp_path, "a home"))
    _, command = line.split(" root ")
    assert line.startswith("17 3 * * * ")
    assert "%" not in command.replace(r"\%", "")
    words = shlex.split(command.replace(r"\%", "%").replace("$(date +%F)", "2026-11-30"))
    assert words[-1] == str(tmp_path / "a home-backups" / "2026-11-30")
    assert words[1:] == ["backup", "--quiet", "--home", str(tmp_path / "a home"), words[-1]]


def test_files_are_written_again(tmp_path):
    write(tmp_path, plan_of(tmp_path))
    write(tmp_path, plan_of(tmp_path, user="nobody"))
    assert "User=nobody" in (tmp_path / UNIT).read_text()
    assert " nobody " in (tmp_path / CRON).read_text()


def test_without_a_command_beside_python_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(service.sys, "executable", str(Path(tmp_path, "python")))
    with pytest.raises(BadInputError, match="pip install"):
        service.program()
