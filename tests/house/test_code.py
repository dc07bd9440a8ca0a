"""What does not stand in the code, whoever writes it."""

import ast
import re
from pathlib import Path

import pytest

CATCHES_ALL = {
    "app/cli/__init__.py": "the door: told where memory is short, else raised again",
    "pipeline/follower.py": "a look at the registry: reported, and tried again",
    "pipeline/side_threads.py": "a thread beside a pipeline: reported, and nothing depends on it",
    "pipeline/monitor.py": "its thread: reported, and tried again with the next sample",
    "pipeline/threads.py": "a stage's thread: raised at the door; the shadow's is reported",
    "app/runs/doctor/examination.py": "a look's thread: raised where its findings are gathered",
    "app/runs/retraining.py": "its thread: reported, and tried again",
    "log/retention.py": "its thread: reported, and tried again when it is due",
    "app/runs/up.py": "closes the log, and raises again",
    "log/database.py": "closes, or rolls back, and raises again",
    "training/engines.py": "a worker: raised by who reads its answer",
    "feed/feed.py": "lets another feed in, and raises again",
}
"""Files that may name BaseException; Exception nobody may."""

MARKS = re.compile(r"\b(?:TODO|FIXME|XXX|HACK)\b")
UNSAFE = {"eval", "exec", "pickle", "cPickle", "dill", "joblib", "marshal", "shelve"}
SQL = re.compile(
    r"\b(?:SELECT\s.+\sFROM|INSERT\s+INTO|UPDATE\s.+\sSET|DELETE\s+FROM|CREATE\s+TABLE"
    r"|DROP\s+TABLE|PRAGMA\s+\w+)\b",
    re.DOTALL,
)


def test_nobody_catches_what_cannot_be_named(nodes):
    """`except BaseException` only where it is raised again, there or at the door."""
    broad = []
    for name, of_file in nodes.items():
        for node in of_file:
            if not isinstance(node, ast.ExceptHandler):
                continue
            caught = _names(node.type) if node.type is not None else {"Exception"}
            allowed = {"BaseException"} if name in CATCHES_ALL else set()
            if caught & {"Exception", "BaseException"} - allowed:
                broad.append(f"{name}:{node.lineno}")
    assert broad == []


def test_every_exception_for_catching_all_is_still_needed(nodes):
    still = {
        name
        for name, of_file in nodes.items()
        for node in of_file
        if isinstance(node, ast.ExceptHandler) and "BaseException" in _names(node.type)
    }
    assert set(CATCHES_ALL) == still


def test_what_a_decoder_may_raise_is_listed_in_one_place(nodes):
    """`codec.UNREADABLE`: a list of one's own forgets one of them."""
    sorts = {"codec.py", "cases/contract.py", "venues/refusals.py"}  # these tell them apart
    own = [
        f"{name}:{node.lineno}"
        for name, of_file in nodes.items()
        for node in of_file
        if isinstance(node, ast.ExceptHandler) and node.type is not None and name not in sorts
        if {"msgspec.DecodeError", "RecursionError"}
        & {ast.unparse(part) for part in ast.walk(node.type) if isinstance(part, ast.expr)}
    ]
    assert own == []


@pytest.mark.slow
def test_nothing_is_left_for_later(texts):
    here = Path(__file__).name
    marked = [
        f"{path}:{number}"
        for path, text in texts.items()
        if path.suffix in {".py", ".sql", ".toml", ".md", ".yml"} and path.name != here
        for number, line in enumerate(text.splitlines(), 1)
        if MARKS.search(line)
    ]
    assert marked == []


@pytest.mark.slow
def test_no_test_sleeps(tests):
    """A test waits for a condition, with a limit."""
    asleep = [
        f"{name}:{node.lineno}"
        for name, tree in tests.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {"time.sleep", "sleep"}
    ]
    assert asleep == []


def test_nothing_is_unpickled_or_evaluated(nodes):
    unsafe = []
    for name, of_file in nodes.items():
        for node in of_file:
            used = set()
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                used = {node.func.id}
            elif isinstance(node, ast.Import):
                used = {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                used = {(node.module or "").split(".")[0]}
            if used & UNSAFE:
                unsafe.append(f"{name}:{node.lineno} {used & UNSAFE}")
    assert unsafe == []


@pytest.mark.parametrize(
    "code",
    ['q = f"SELECT {c} FROM t"', 'q = "DELETE FROM %s" % n', 'q = "INSERT INTO " + n'],
)
def test_the_search_for_sql_finds_sql(code):
    assert list(_sql(list(ast.walk(ast.parse(code)))))


@pytest.mark.slow
def test_sql_stands_in_sql_files_only(nodes):
    """Named queries with parameters: nothing is glued, so nothing can be injected."""
    places = [f"{name}:{line}" for name, of_file in nodes.items() for line in _sql(of_file)]
    assert places == []


def _names(node):
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name)} if node else set()


def _sql(nodes):
    docstrings = {
        id(node.value)
        for node in nodes
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in nodes:
        if isinstance(node, ast.JoinedStr):
            text = ast.unparse(node)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            text = "" if id(node) in docstrings else node.value
        else:
            continue
        if SQL.search(text):
            yield node.lineno


SPEAKS = {
    "app/cli/answers.py": "lines that `one_line` spelled out",
}
"""Files that may print; all others show through `terminal.Screen`, which spells out."""

WRITES = {
    "app/cli/answers.py": "JSON that is escaped, what a `Screen` made, and what `say` gets",
    "app/cli/deadletters.py": "--original: the bytes as they came",
}
"""Files that may write to standard output as it is."""

SAYS = {
    "app/cli/answers.py": "JSON",
    "app/cli/__init__.py": "the version",
    "app/cli/forms.py": "TOML whose names are escaped",
    "app/cli/reference.py": "help, and a script for the shell",
}
"""Files that may say a line which no `Screen` made."""


def test_what_reaches_a_terminal_goes_through_one_screen(nodes):
    made, printed, written, say_directly = set(), set(), set(), set()
    for name, of_file in nodes.items():
        for node in of_file:
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                made |= {name} if called.rpartition(".")[2] == "Console" else set()
                printed |= {name} if called in {"print", "typer.echo", "rich.print"} else set()
                written |= {name} if called == "streams.write" else set()
                say_directly |= {name} if called in {"say", "answers.say"} else set()
    assert made == set(), "terminal.Screen is the console of the house"
    assert printed == set(SPEAKS)
    assert written == set(WRITES)
    assert say_directly == set(SAYS)


def test_pages_are_written_in_one_place(nodes):
    """`markup.html` escapes and spells out; whoever writes a page by hand would have to as well."""
    writers = {
        name
        for name, of_file in nodes.items()
        for node in of_file
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("tostring")
    }
    assert writers == {"app/reports/markup.py"}
