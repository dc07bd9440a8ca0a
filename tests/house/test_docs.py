"""The documentation says what the code does: each verb, setting, error and word stands in it."""

import enum
import inspect
import json
import re
import runpy
import subprocess
import sys
import tomllib
from pathlib import Path

import msgspec
import pytest

from barograph import alert_records, candle_records, errors, types
from barograph.app.settings import Settings

DOORS = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")
PARTS_OF_A_DECISION = ("## Context", "## Choice", "## Price", "## When to undo")


@pytest.fixture(scope="module")
def pages(root):
    """Path → text of every page."""
    paths = [root / name for name in DOORS] + sorted((root / "docs").rglob("*.md"))
    return {path: path.read_text(encoding="utf-8") for path in paths}


@pytest.fixture(scope="module")
def make(root):
    """What docs/make.py defines."""
    return runpy.run_path(str(root / "docs" / "make.py"))


@pytest.mark.slow
def test_what_is_made_from_the_code_is_up_to_date(root):
    """Features, options and JSON keys, settings and the README's figures."""
    done = subprocess.run(
        [sys.executable, "docs/make.py", "--check"],
        cwd=root,
        capture_output=True,
        check=False,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_verb_has_a_section_with_an_example(root, make):
    text = (root / "docs" / "cli.md").read_text(encoding="utf-8")
    section = re.compile(r"^## ([a-z][a-z -]*)\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
    sections = dict(section.findall(text))
    assert set(sections) == set(make["verbs"]())
    for verb, section in sections.items():
        by_hand = re.sub(r"<!-- .*:begin -->.*<!-- .*:end -->", "", section, flags=re.DOTALL)
        assert re.search(rf"^    barograph {verb}\b", by_hand, re.MULTILINE), verb


def test_every_verb_that_answers_in_json_has_its_keys_documented(make):
    answering = {
        verb
        for verb, command in make["verbs"]().items()
        if any("--json" in option.opts for option in command.params)
    }
    assert answering <= set(make["ANSWERS"])


def test_examples_name_options_that_exist(pages, make):
    """Every command line in every page, as far as its verb and options go."""
    wrong = []
    verbs = make["verbs"]()
    groups = {verb.split()[0] for verb in verbs if " " in verb}
    for path, text in pages.items():
        for line in re.findall(r"^(?:    |\$ )barograph ([^\n#]+)", text, re.MULTILINE):
            words = line.split(" && ")[0].split()
            verb = " ".join(words[:2]) if words[0] in groups else words[0]
            if verb.startswith("-"):
                continue
            known = {"--help", "-h"}
            if verb in verbs:
                known |= {name for option in verbs[verb].params for name in option.opts}
            unknown = {word.split("=")[0] for word in words if word.startswith("--")} - known
            if verb not in verbs or unknown:
                wrong.append(f"{path.name}: {line}")
    assert wrong == []


def test_every_setting_stands_in_the_example_with_its_default(root):
    text = (root / "docs" / "barograph.toml").read_text(encoding="utf-8")
    example = tomllib.loads(text)
    defaults = {name: field.default for name, field in Settings.model_fields.items()}
    assert {name: type(defaults[name])(value) for name, value in example.items()} == defaults
    for name in example:
        assert re.search(rf"^# .+\n{name} = ", text, re.MULTILINE), f"{name} has no comment"


def test_every_setting_is_documented(root):
    text = (root / "docs" / "settings.md").read_text(encoding="utf-8")
    assert [name for name in Settings.model_fields if f"| `{name}` |" not in text] == []


UNBOUNDED = {
    "app.runs.children:KEPT_BYTES": "of what a child of our own writes",
    "registry.registry:_MAX_FACTS_BYTES": "of a registry of our own",
    "registry.registry:_MAX_BESIDE_BYTES": "of a registry of our own",
    "log.kafka.cluster:LARGEST_MESSAGE_BYTES": "a value with its frame",
    "venues.coinbase.plain_lines:MAX_NAME_BYTES": "of a compiled record's field",
}
"""Largest sizes that bound nothing that a stranger fills, and why."""


def test_every_bound_in_bytes_stands_in_the_table_of_bounds(root, sources):
    text = (root / "docs" / "bounds.toml").read_text(encoding="utf-8")
    known = {place for bound in tomllib.loads(text)["bound"] for place in bound["limit"]}
    largest = r"^(_?(?:MAX|LARGEST|LONGEST|KEPT)[A-Z_]*BYTES)(?:: .*?)? = "
    constant = re.compile(largest, re.MULTILINE)
    bounds = {
        f"{name.removesuffix('.py').removesuffix('/__init__').replace('/', '.')}:{constant_name}"
        for name in sources
        for constant_name in constant.findall(
            (root / "src" / "barograph" / name).read_text(encoding="utf-8")
        )
    }
    assert bounds - {place.removeprefix("barograph.") for place in known} - set(UNBOUNDED) == set()
    assert set(UNBOUNDED) - bounds == set()


def test_every_error_is_documented(root):
    text = (root / "docs" / "errors.md").read_text(encoding="utf-8")
    names = [
        name
        for name, member in inspect.getmembers(errors, inspect.isclass)
        if issubclass(member, errors.BarographError)
    ]
    assert [name for name in names if f"`{name}`" not in text] == []


def test_every_word_is_in_the_vocabulary(root):
    text = (root / "docs" / "vocabulary.md").read_text(encoding="utf-8")
    words = [
        name
        for words_of in (types, alert_records, candle_records)
        for name, member in inspect.getmembers(words_of, inspect.isclass)
        if member.__module__ == words_of.__name__
    ]
    assert [name for name in words if f"**{name}**" not in text] == []


@pytest.mark.parametrize("kind", [types.Verdict, types.Reason, types.Fault, types.GapCause])
def test_every_member_is_in_the_vocabulary(root, kind):
    text = (root / "docs" / "vocabulary.md").read_text(encoding="utf-8")
    names = [str(member.name if isinstance(member, enum.IntEnum) else member) for member in kind]
    assert [name for name in names if f"| `{name}` |" not in text] == []


def test_every_link_leads_somewhere(pages):
    broken = []
    for path, text in pages.items():
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            if re.match(r"[a-z]+:", target):
                continue
            name, _, anchor = target.partition("#")
            place = (path.parent / name).resolve() if name else path
            if not place.exists() or (anchor and anchor not in _anchors(place)):
                broken.append(f"{path.name}: {target}")
    assert broken == []


def test_every_decision_is_one_screen_with_its_four_parts(root):
    for path in sorted((root / "docs" / "decisions").glob("*.md")):
        text = path.read_text(encoding="utf-8")
        assert re.match(r"\d{4}-[a-z0-9-]+\.md", path.name), path.name
        assert text.startswith(f"# {path.name[:4]} "), path.name
        assert [part for part in PARTS_OF_A_DECISION if part not in text] == [], path.name
        assert text.count("\n") <= 60, path.name


def test_decisions_are_numbered_without_a_hole(root):
    numbers = [int(path.name[:4]) for path in (root / "docs" / "decisions").glob("*.md")]
    assert sorted(numbers) == list(range(1, len(numbers) + 1))


def test_every_file_named_in_the_docs_exists(root, pages):
    """`src/…`, `tests/…`, `docs/…` and `benchmarks/…` as they stand in backquotes."""
    named = re.compile(r"`((?:src|tests|docs|benchmarks)/[\w./-]+\.\w+)`").findall
    lost = [
        f"{path.name}: {name}"
        for path, text in pages.items()
        for name in named(text)
        if not (root / name).exists() and Path(name).name != "results.json"
    ]
    assert lost == []


def test_every_result_of_the_benchmark_has_its_keys(root):
    results = root / "benchmarks" / "results.json"
    if not results.exists():
        pytest.skip("benchmarks/results.json is not there yet: `make bench` writes it")
    rows = json.loads(results.read_text(encoding="utf-8"))
    wanted = {"name", "unit", "ours", "peer", "ratio", "goal", "met"}
    assert [row for row in rows if set(row) != wanted] == []


def test_every_page_made_of_structs_knows_them(make):
    """A key of an answer whose type has no words would show Python's own name."""
    kinds = {kind for answer in make["ANSWERS"].values() for _, kind in make["keys"](answer)}
    assert [kind for kind in kinds if "<class" in kind or "typing" in kind] == []
    assert issubclass(make["ANSWERS"]["verify"], msgspec.Struct)


def _anchors(path):
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    plain = (re.sub(r"[^\w\- ]", "", heading).strip().lower() for heading in headings)
    return {heading.replace(" ", "-") for heading in plain}
