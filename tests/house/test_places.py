"""Nothing that is published names a machine, and the lock is complete and names no address."""

import re
import tomllib
from pathlib import Path

import pytest

MACHINE = re.compile(r"(?<![\w.])/(?:home|Users|work|mnt|media|private)/\w[\w.-]*/|[A-Z]:\\Users\\")
INDEX = re.compile(
    r"(?:--(?:extra-)?index-url|--find-links|--trusted-host)[ =]\S"
    r"|\bhttps?://\S*(?:/simple\b|pypi|artifactory|nexus|devpi)"
    r"|\bfiles\.pythonhosted\.org"
)
PINNED = re.compile(r"[A-Za-z0-9._-]+(?:\[[\w,-]+\])?==[\w.+!-]+(?: ; .+)?")


@pytest.mark.slow
def test_no_file_names_a_place_of_a_machine(texts):
    places = [
        f"{path}:{number}"
        for path, text in texts.items()
        for number, line in enumerate(text.splitlines(), 1)
        if MACHINE.search(line)
    ]
    assert places == []


@pytest.mark.slow
def test_no_file_names_a_package_index(texts):
    here = Path(__file__).name
    places = [
        f"{path}:{number}"
        for path, text in texts.items()
        if path.name != here
        for number, line in enumerate(text.splitlines(), 1)
        if INDEX.search(line)
    ]
    assert places == []


def test_every_line_of_the_lock_pins_one_package(texts):
    loose = [line for line in _lock(texts) if not PINNED.fullmatch(line)]
    assert loose == []


def test_the_lock_pins_everything_that_the_project_names(texts):
    """Core, extras and groups resolve together."""
    project = tomllib.loads(texts[Path("pyproject.toml")])
    named = list(project["project"]["dependencies"])
    for extra in project["project"]["optional-dependencies"].values():
        named += extra
    for group in project["dependency-groups"].values():
        named += [line for line in group if isinstance(line, str)]
    pinned = {_normal(line) for line in _lock(texts)}
    assert {_normal(line) for line in named} - pinned == set()


def _lock(texts):
    lines = texts[Path("requirements.lock")].splitlines()
    return [line for line in lines if line and not line.lstrip().startswith("#")]


def _normal(requirement):
    return re.sub(r"[-_.]+", "-", re.match(r"[\w.-]+", requirement)[0]).lower()
