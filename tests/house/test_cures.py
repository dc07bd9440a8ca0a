"""Every command that a message advises is followed by a test."""

import ast
import re

import pytest

FOLLOWED = "tests/stories/test_cures.py"
ELSEWHERE = {
    "alerts list": ("tests/app/cli/test_alerts.py", "test_the_newest_alerts_are_listed"),
    "forms": ("tests/app/cli/test_forms.py", "test_a_file_is_shown_with_a_form_that_reads_it"),
    "verify --archive --log": (
        "tests/stories/test_one_home_two_logs.py",
        "test_a_home_moves_to_kafka_with_its_recording_and_to_a_log_made_anew",
    ),
    "forms --toml": (
        "tests/app/cli/test_forms.py",
        "test_the_form_alone_is_a_file_to_correct",
    ),
    "doctor": (
        "tests/stories/test_registry_on_a_server.py",
        "test_a_live_run_follows_the_champion_of_a_server_and_outlives_it",
    ),
    "models history": (
        "tests/stories/test_registry_on_a_server.py",
        "test_trainings_promotions_and_their_history_are_on_the_server",
    ),
    "demo": (
        "tests/stories/test_demo.py",
        "test_the_check_trains_promotes_predicts_and_verifies",
    ),
    "quality": (
        "tests/app/runs/test_hourly_demo.py",
        "test_candles_that_the_gate_stops_end_it_and_the_report_says_why",
    ),
    "simulate": (
        "tests/app/cli/test_doctor.py",
        "test_a_simulated_exchange_that_runs_is_reached_and_in_time",
    ),
    "models promote": (
        "tests/app/cli/test_doctor.py",
        "test_a_version_without_a_champion_is_promoted_as_advised",
    ),
    "archive push --remove": (
        "tests/app/cli/test_archive.py",
        "test_moved_away_the_archive_is_sound_and_comes_back_to_any_home",
    ),
    "archive push": (
        "tests/app/cli/test_archive.py",
        "test_moved_away_the_archive_is_sound_and_comes_back_to_any_home",
    ),
    "archive pull": (
        "tests/app/cli/test_archive.py",
        "test_moved_away_the_archive_is_sound_and_comes_back_to_any_home",
    ),
    "archive compact": (
        "tests/app/cli/test_archive.py",
        "test_moved_away_the_archive_is_sound_and_comes_back_to_any_home",
    ),
    "archive compact --out": (
        "tests/app/cli/test_archive.py",
        "test_a_lake_that_is_named_and_not_there_is_refused_before_anything_is_sent",
    ),
    "recover --log": (
        "tests/stories/test_one_home_two_logs.py",
        "test_a_home_moves_to_kafka_with_its_recording_and_to_a_log_made_anew",
    ),
}
"""Command → file and function of a test that follows it among other things."""

_COMMAND = re.compile(r"`barograph ([^`]+)`")


def text_of(node):
    """A string or f-string of the source, with … for each of its values; "" for anything else."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(
            text_of(part) if isinstance(part, ast.Constant) else "…" for part in node.values
        )
    return ""


def messages(nodes):
    """All strings of a source, given as its nodes, but docstrings and the parts of f-strings."""
    inner = {id(part) for node in nodes if isinstance(node, ast.JoinedStr) for part in node.values}
    inner |= {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    return [text for node in nodes if id(node) not in inner and (text := text_of(node))]


def keys(command):
    """Verb and options of each command of a text such as `dataset FILE… && barograph train`."""
    for part in command.split("&& barograph "):
        words = part.split()
        verbs = []
        for word in (word.rstrip("…") for word in words):
            if not re.fullmatch("[a-z]+", word):
                break
            verbs.append(word)
        yield " ".join([*verbs, *(word for word in words if word.startswith("--"))])


@pytest.fixture(scope="module")
def advised(nodes):
    found = {}
    for name, of_file in nodes.items():
        for text in messages(of_file):
            for command in _COMMAND.findall(text):
                for key in keys(command):
                    found.setdefault(key, f"src/barograph/{name}")
    return found


def functions_of(root, name):
    tree = ast.parse((root / name).read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


@pytest.fixture(scope="module")
def followed(root):
    """Command → its test of `FOLLOWED`."""
    for node in ast.parse((root / FOLLOWED).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "CURES":
            return ast.literal_eval(node.value)
    raise AssertionError(FOLLOWED)


def test_every_command_that_a_message_advises_is_followed_by_a_test(advised, followed):
    missing = {key: path for key, path in advised.items() if key not in followed | ELSEWHERE}
    assert missing == {}


def test_every_test_of_the_tables_is_there_and_every_command_of_them_is_advised(
    root, advised, followed
):
    assert not followed.keys() - {*advised, "--help"}
    assert set(followed.values()) <= functions_of(root, FOLLOWED)
    for command, (file, test) in ELSEWHERE.items():
        assert command not in advised or test in functions_of(root, file)
