"""Our own verbs as processes: the working directory gives nothing, settings mean the same."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from barograph.app.runs import children
from barograph.app.runs.children import Child, absolute, environment
from barograph.app.settings import Settings
from waiting import until


def code_and_out(child):
    """Wait for its end."""
    while (code := child.wait()) is None:
        pass
    return code, child.out()


def runs_instead(monkeypatch, program):
    """Children run this program, in the place of a verb."""
    monkeypatch.setattr(children, "_program", lambda **_: program)


HOSTILE = """
open({mark!r}, "w").close()
raise SystemExit(99)
"""


@pytest.fixture
def hostile(tmp_path, monkeypatch):
    """A working directory whose files have names that Python and our packages look for."""
    place = tmp_path / "hostile"
    place.mkdir()
    mark = tmp_path / "executed"
    for name in ("random", "json", "typer", "numba", "sitecustomize", "barograph"):
        (place / f"{name}.py").write_text(HOSTILE.format(mark=str(mark)))
    monkeypatch.chdir(place)
    monkeypatch.setattr(sys, "path", [each for each in sys.path if each])
    return mark


@pytest.mark.slow
@pytest.mark.parametrize("own_case", [False, True])
def test_no_file_of_the_working_directory_is_executed(hostile, monkeypatch, own_case):
    if own_case:  # then it is searched, but last
        monkeypatch.setattr(sys, "path", [*sys.path, ""])
    with Child(["--version"], environment(Settings())) as child:
        code, out = code_and_out(child)
        assert code == 0, child.why()
    assert out.strip()
    assert not hostile.exists()


def test_a_case_of_ones_own_is_found_where_this_process_found_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*(each for each in sys.path if each), ""])
    text = "import my_case; print(my_case.WORD)"
    program = children._program(polite=False).partition("from barograph")[0] + text
    runs_instead(monkeypatch, program)
    (tmp_path / "my_case.py").write_text("WORD = 'found'")
    with Child([], environment(Settings())) as child:
        assert code_and_out(child) == (0, b"found\n")


@pytest.mark.slow
def test_settings_mean_the_same_in_parent_and_child(tmp_path, monkeypatch):
    """Also those of a barograph.toml, which lies in the working directory of the parent only."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BAROGRAPH_FOLDS", "7")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(["modules", *sys.path]))
    (tmp_path / "barograph.toml").write_text('home = "mine"\nseed = 42\nstale_after_s = 1.5\n')
    program = """
import os, sys
from barograph.app.settings import Settings
print(Settings().model_dump_json())
print(os.getcwd())
print(sys.path[0])
"""
    runs_instead(monkeypatch, program)
    settings = Settings()
    with Child([], environment(settings)) as child:
        code, out = code_and_out(child)
        assert code == 0, child.why()
    settings_json, place, first = out.decode().splitlines()
    theirs, ours = json.loads(settings_json), json.loads(settings.model_dump_json())
    assert theirs | {"home": None} == ours | {"home": None}
    assert (settings.seed, settings.folds) == (42, 7)
    assert Path(theirs["home"]) == tmp_path / "mine"
    assert (place, first) == ("/", str(tmp_path / "modules"))


@pytest.mark.parametrize(
    ("address", "same"),
    [
        ("kafka://127.0.0.1:9092/a", "kafka://127.0.0.1:9092/a"),
        ("sqlite:///log.sqlite", "sqlite:///{}/log.sqlite"),
        ("sqlite:////tmp/log.sqlite", "sqlite:////tmp/log.sqlite"),
        ("home", "{}/home"),
    ],
)
def test_a_log_is_the_same_one_in_any_working_directory(tmp_path, monkeypatch, address, same):
    monkeypatch.chdir(tmp_path)
    assert absolute(address) == same.format(tmp_path)


def test_of_a_child_that_writes_without_end_the_last_is_kept(monkeypatch):
    program = "import sys; sys.stdout.write('x' * 10**7 + 'end'); sys.exit('y' * 10**7)"
    runs_instead(monkeypatch, program)
    with Child([], environment(Settings())) as child:
        code, out = code_and_out(child)
        assert (code, len(out), out[-3:]) == (1, children.KEPT_BYTES, b"end")
        assert child.why() == "y" * 500


@pytest.mark.slow
def test_a_child_ends_with_its_parent_however_that_ends():
    program = (
        "import os\n"
        "from barograph.app.runs.children import Child\n"
        "child = Child(['simulate', '--port', '0'], dict(os.environ), polite=True)\n"
        "while b'to feed from it' not in child._err._kept: child.wait()\n"
        "print(child._process.pid, flush=True)\n"
        "child.wait(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as parent:
        child = int(parent.stdout.readline())
        parent.kill()
    until(lambda: is_over(child))


def is_over(process):
    """Whether it is gone, or ended and nobody has asked for its exit code."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True
