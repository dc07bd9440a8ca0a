"""What the rules look at: the files of the repository, read once."""

import ast
import gc
import subprocess
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def _kept():
    """Syntax trees have millions of objects, and stay: none of them is searched for garbage."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


@pytest.fixture(scope="session")
def root():
    """The repository."""
    return ROOT


@pytest.fixture(scope="session")
def files(root):
    """Every file that is or would be tracked, relative to the repository."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    done = subprocess.run(command, cwd=root, capture_output=True, check=False)
    if done.returncode:
        pytest.skip("this is no git checkout, so nobody knows which files belong to it")
    names = {Path(name) for name in done.stdout.decode().split("\0") if name}
    return sorted(name for name in names if (root / name).is_file())


@pytest.fixture(scope="session")
def texts(root, files):
    """Path → content of every file that is text."""
    by_name = {}
    for name in files:
        try:
            by_name[name] = (root / name).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
    return by_name


@pytest.fixture(scope="session")
def sources(root):
    """Path below src/barograph, as text with slashes → the file's syntax tree."""
    package = root / "src" / "barograph"
    with _kept():
        return _trees(package)


@pytest.fixture(scope="session")
def nodes(sources):
    """Path below src/barograph → all nodes of the file's syntax tree, walked once for all rules."""
    with _kept():
        return {name: list(ast.walk(tree)) for name, tree in sources.items()}


@pytest.fixture(scope="session")
def tests(root):
    """Path below tests, as text with slashes → the file's syntax tree."""
    with _kept():
        return _trees(root / "tests")


def _trees(folder):
    return {
        path.relative_to(folder).as_posix(): ast.parse(path.read_text(encoding="utf-8"))
        for path in sorted(folder.rglob("*.py"))
    }
