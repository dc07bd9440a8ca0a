"""What .github/ does is the project's own make targets, with pinned actions and least rights."""

import json
import re
import runpy
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

PINNED = re.compile(r"[\w-]+/[\w-]+@[0-9a-f]{40}")
USES = re.compile(r"uses: (\S+) # (v\d+\.\d+\.\d+)$", re.MULTILINE)
WRITES = {
    ("test", "comment"): {"pull-requests"},
    ("release", "image"): {"attestations", "id-token", "packages"},
    ("release", "notes"): {"contents"},
}
"""What a job may write; every other one only reads the contents."""

OTHERS = {".ci/run", "gh pr comment", "gh release create"}
"""Commands beside `make`: what CI runs, and GitHub's own."""

FORK = "github.event.pull_request.head.repo.full_name == github.repository"


@pytest.fixture(scope="module")
def texts(root):
    folder = root / ".github" / "workflows"
    return {path.stem: path.read_text(encoding="utf-8") for path in folder.glob("*.yml")}


@pytest.fixture(scope="module")
def workflows(texts):
    return {name: yaml.safe_load(text) for name, text in texts.items()}


@pytest.fixture(scope="module")
def jobs(workflows):
    return {(name, job): of for name, each in workflows.items() for job, of in each["jobs"].items()}


def steps(jobs, kind):
    return [(place, step) for place, job in jobs.items() for step in job["steps"] if kind in step]


def test_there_are_those_of_changes_of_the_suite_and_of_releases(workflows):
    assert set(workflows) == {"dev", "test", "release"}


def test_every_command_is_a_target_of_make(root, jobs):
    makefile = (root / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):.*##", makefile, re.MULTILINE))
    commands = [step["run"] for _, step in steps(jobs, "run")]
    assert len(commands) > 8
    for command in commands:
        if any(command.startswith(other) for other in OTHERS):
            continue
        words = command.split()
        assert words[0] == "make", command
        names = [
            word for before, word in pairwise(words)
            if "=" not in word and before != "-C" and word != "-C"
        ]  # fmt: skip
        assert names, command
        assert set(names) <= targets, command


def test_every_action_is_pinned_to_a_commit_and_says_its_version(texts, jobs):
    used = [step["uses"] for _, step in steps(jobs, "uses")]
    assert len(used) > 8
    assert [each for each in used if not PINNED.fullmatch(each)] == []
    pairs = [pair for text in texts.values() for pair in USES.findall(text)]
    assert len(pairs) == len(used)
    assert len(dict(pairs)) == len(set(pairs)), "one commit has two versions"
    actions = {commit.split("@")[0] for commit, _ in pairs}
    assert len(actions) == len(set(pairs)), "an action is used in two versions"


def test_nobody_may_more_than_his_job_needs(workflows, jobs):
    assert [each["permissions"] for each in workflows.values()] == [{}] * len(workflows)
    for place, job in jobs.items():
        may = job["permissions"]
        assert {right for right, how in may.items() if how == "write"} == WRITES.get(place, set())
        assert "timeout-minutes" in job, place


def test_a_pull_request_reaches_no_secret_and_a_fork_no_token_that_writes(texts, workflows, jobs):
    for name, each in workflows.items():
        events = set(each[True])  # YAML's word for `on`
        assert "pull_request_target" not in events
        assert "workflow_run" not in events
        assert "secrets." not in texts[name]
    for (name, job), of in jobs.items():
        writes = "write" in of["permissions"].values()
        if writes and "pull_request" in workflows[name][True]:
            assert FORK in of["if"], (name, job)
            assert "actions/checkout" not in json.dumps(of), "the token meets the branch's code"


def test_no_checkout_leaves_its_token_behind(jobs):
    of = [step for _, step in steps(jobs, "uses") if step["uses"].startswith("actions/checkout@")]
    assert of
    assert {step["with"]["persist-credentials"] for step in of} == {False}


def test_expressions_stand_in_no_command(jobs):
    """A branch's or a title's name would be a command of the shell."""
    assert [step["run"] for _, step in steps(jobs, "run") if "${{" in step["run"]] == []


@pytest.fixture(scope="module")
def rules(root):
    return json.loads((root / ".github" / "rulesets" / "main.json").read_text(encoding="utf-8"))


def test_the_rules_of_the_branch_ask_for_the_jobs_of_a_pull_request(rules, workflows):
    """A job that may not run in a fork's pull request cannot be asked for."""
    (checks,) = [each for each in rules["rules"] if each["type"] == "required_status_checks"]
    asked = {each["context"] for each in checks["parameters"]["required_status_checks"]}
    there = {
        job["name"]
        for each in workflows.values()
        if "pull_request" in each[True]
        for job in each["jobs"].values()
        if FORK not in job.get("if", "")
    }
    assert asked == there


def test_the_rules_let_nobody_by_and_are_of_known_kinds(rules):
    assert (rules["enforcement"], rules["target"], rules["bypass_actors"]) == (
        "active",
        "branch",
        [],
    )
    assert {each["type"] for each in rules["rules"]} == {
        "deletion", "non_fast_forward", "required_linear_history", "pull_request",
        "required_status_checks",
    }  # fmt: skip


def test_rules_are_made_or_replaced_by_name(root):
    script = runpy.run_path(str(root / "deploy" / "branch_rules.py"))
    (made,) = script["calls"]([root / ".github" / "rulesets" / "main.json"], {})
    (replaced,) = script["calls"]([root / ".github" / "rulesets" / "main.json"], {"main": 7})
    assert made[:5] == ("gh", "api", "--method", "POST", "repos/{owner}/{repo}/rulesets")
    assert replaced[3:5] == ("PUT", "repos/{owner}/{repo}/rulesets/7")


def test_a_dry_run_of_the_rules_calls_nobody(root):
    script = root / "deploy" / "branch_rules.py"
    done = subprocess.run(
        [sys.executable, script, "--dry-run"], capture_output=True, check=True, text=True,
        env={"PATH": "/nowhere"},
    )  # fmt: skip
    assert "--method POST repos/{owner}/{repo}/rulesets" in done.stdout


@pytest.fixture(scope="module")
def notes(root):
    return runpy.run_path(str(root / "deploy" / "release_notes.py"))["notes"]


CHANGES = "# Changelog\n\n## 1.1.0 (unreleased)\n\nn\n\n## 1.0.0 (2026-12-01)\n\n### Added\n\n- a\n"


def test_a_releases_notes_are_its_part_of_the_changelog(notes):
    assert notes("v1.0.0", CHANGES, "1.0.0") == "### Added\n\n- a\n"


@pytest.mark.parametrize(
    ("tag", "version", "why"),
    [
        ("v1.0.1", "1.0.0", "is not v1.0.0"),
        ("v1.1.0", "1.1.0", "has no date for 1.1.0"),
        ("v2.0.0", "2.0.0", "has nothing about 2.0.0"),
    ],
)
def test_a_release_that_is_none_is_refused(notes, tag, version, why):
    with pytest.raises(ValueError, match=re.escape(why)):
        notes(tag, CHANGES, version)


@pytest.mark.slow
@pytest.mark.parametrize("program", ["actionlint", "zizmor"])
def test_the_linters_of_workflows_are_content(root, program):
    """Offline, and without shell scripts, of which there are none."""
    beside = Path(sys.executable).with_name(program)
    found = str(beside) if beside.exists() else shutil.which(program)
    if found is None:
        pytest.skip(f"no {program} here: `make lint-workflows` installs both")
    files = sorted((root / ".github" / "workflows").glob("*.yml"))
    options = {"zizmor": ["--offline", "--no-progress"]}
    done = subprocess.run(
        [found, *options.get(program, ["-shellcheck="]), *files],
        cwd=root, capture_output=True, check=False, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
