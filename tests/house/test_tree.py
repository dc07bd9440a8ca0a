"""Where files lie, what they are called and how large they are."""

import hashlib
import os
from pathlib import Path

FORBIDDEN_NAMES = {"utils", "util", "base", "common", "helpers", "core", "manager", "handler"}

TESTED_ELSEWHERE = {
    "arrays.py": "test_codec.py",  # names alone
    "app/cli/__init__.py": "app/cli/test_cli.py",
    "cases/__init__.py": "cases/test_face.py",
    "app/runs/demo.py": "stories/test_demo.py",  # it is a story
    "app/runs/rehearsal.py": "stories/test_rehearsal.py",  # so is it
    "feature_set/catalogue.py": "feature_set/test_catalogue.py",
    "log/__init__.py": "log/test_contract.py",
    "log/kafka/__init__.py": "log/test_contract.py",
    "venues/entries.py": "venues/coinbase/test_machine.py",  # what it takes
    "venues/coinbase/dialect_machine.py": "venues/coinbase/test_machine.py",  # of both dialects
    "venues/coinbase/exchange.py": "venues/coinbase/test_machine.py",
    "venues/coinbase/advanced.py": "venues/coinbase/test_machine.py",
    "venues/continuity_state.py": "venues/test_continuity.py",  # its state
    "log/topics.py": "log/test_contract.py",  # four constants
    "registry/embedded.py": "registry/test_registry.py",  # its store, where no other is named
    "registry/storage.py": "stories/test_registry_on_a_server.py",  # what every store does
    "registry/server.py": "stories/test_registry_on_a_server.py",  # with a real one
}

SUITES = {
    "log/test_contract.py": "what a log is: belongs to every log",
    "log/test_contract_groups.py": "the same, of consumer groups",
    "venues/test_frames_law.py": "what becomes of each frame, over all that venues/ does",
    "venues/test_holes_law.py": "what becomes of each trade, over all that venues/ does",
    "venues/test_numbers_law.py": "what no number can do, over all that venues/ does",
    "venues/test_regimes_law.py": "what no recording loses, over all that venues/ does",
    "venues/test_event_times_law.py": "what no event time can do, over all that venues/ does",
    "feature_set/test_golden.py": "the values of a feature set, over all kernels",
    "feature_set/hourly/test_golden.py": "the same, of hours",
}

LONG: dict[str, str] = {}
MAX_LINES = 400
MAX_BYTES = 500 * 1024


def test_every_source_file_has_its_test_file_in_the_mirror(sources, tests):
    missing = []
    for name in sources:
        path = Path(name)
        if path.name == "__init__.py" and name not in TESTED_ELSEWHERE:
            continue
        expected = TESTED_ELSEWHERE.get(name) or (path.parent / f"test_{path.name}").as_posix()
        if expected not in tests:
            missing.append(f"{name} → tests/{expected}")
    assert missing == []


def test_every_test_file_in_the_mirror_has_its_source_file(sources, tests):
    mirrored = [
        name
        for name in tests
        if Path(name).name.startswith("test_")
        and not name.startswith(("given/", "house/", "stories/"))
    ]
    orphans = [
        name
        for name in mirrored
        if name.replace("test_", "", 1) not in sources
        and name not in {*TESTED_ELSEWHERE.values(), *SUITES}
    ]
    assert orphans == []


def test_no_exception_of_the_mirror_is_out_of_date(sources):
    assert [name for name in TESTED_ELSEWHERE if name not in sources] == []


def test_no_file_is_named_after_nothing(files):
    assert [str(path) for path in files if path.stem.lower() in FORBIDDEN_NAMES] == []


def test_a_source_file_past_400_lines_says_why(root, sources):
    """A mirror more than a rule: such a file asks to be two, or to have its reason above."""
    package = root / "src" / "barograph"
    lines = {name: (package / name).read_text(encoding="utf-8").count("\n") for name in sources}
    assert [name for name in lines if lines[name] > MAX_LINES and name not in LONG] == []
    assert [name for name in LONG if name not in sources] == []


def test_no_file_is_large(root, files):
    large = [str(path) for path in files if (root / path).stat().st_size > MAX_BYTES]
    assert large == []


def test_no_recording_of_the_shared_data_is_in_the_repository(root, files):
    """Most of it has no licence."""
    shared = Path(os.environ.get("BAROGRAPH_DATA", root / ".." / "shared" / "data"))
    names, sizes = set(), {}
    for path in shared.rglob("*") if shared.is_dir() else ():
        if path.is_file() and path.name != "README.md":
            names.add(path.name)
            sizes.setdefault(path.stat().st_size, []).append(path)
    recordings = [str(path) for path in files if path.name in names]
    recordings += [
        f"{path} is {other.name}"
        for path in files
        for other in sizes.get((root / path).stat().st_size, ())
        if _digest(root / path) == _digest(other)
    ]
    assert recordings == []


def _digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()
