"""The page on a case of one's own: its code and its commands, run as they stand."""

import json
import re
import uuid
from pathlib import Path

import pytest

import queues
from barograph.cases import LiveSeries
from page_commands import answer

PAGE = Path(__file__).parents[2] / "docs" / "your-own-case.md"
KAFKA = "kafka://127.0.0.1:9092/mine"


def blocks(language):
    """Heading → the block of this language below it."""
    pairs = re.findall(
        rf"^## ([^\n]+)\n(?:(?!^## ).)*?^```{language}\n(.*?)^```",
        PAGE.read_text(encoding="utf-8"),
        re.MULTILINE | re.DOTALL,
    )
    return dict(pairs)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Runs the commands below a heading: standard output."""
    folder = tmp_path_factory.mktemp("mine")
    (folder / "machines.py").write_text(blocks("python")["The case"], encoding="utf-8")

    def call(commands, address=""):
        lines = commands.replace(KAFKA, address).splitlines()
        return "".join(answer(line, COLUMNS="200", BAROGRAPH_FOLDS="2") for line in lines)

    with pytest.MonkeyPatch.context() as now:
        now.chdir(folder)
        yield call


@pytest.fixture(scope="module")
def trained(run):
    return run(blocks("sh")["A model"])


def test_the_case_takes_less_than_a_hundred_lines():
    assert blocks("python")["The case"].count("\n") < 100


def test_the_series_on_the_page_is_the_one_that_runs_on_both_logs():
    page = {"Counters": queues.Counters, "contenders": queues.contenders}
    exec(blocks("python")["A series of your own"], page)  # noqa: S102 - our own page
    for name in LiveSeries.__dataclass_fields__:
        if name != "cold_start":  # a function
            assert getattr(page["LIVE"], name) == getattr(queues.LIVE, name)
    assert page["LIVE"].cold_start().dump() == queues.LIVE.cold_start().dump()
    assert (page["QUEUES"].name, page["QUEUES"].baselines) == ("queues", ("persistence",))


def test_a_model_is_trained_and_let_through(trained):
    assert "usable  4,000 of 4,000 rows" in trained
    assert "is champion" in trained


@pytest.mark.usefixtures("trained")
def test_on_the_embedded_log(run):
    output = run(blocks("sh")["Predictions"])
    assert "500 of 500 records sent" in output
    assert "500 records → 500 predictions" in output
    dumped = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    assert [each["value"]["verdict"] for each in dumped] == ["PREDICTED"] * 3
    refused = run(blocks("sh")["What is refused"])
    assert "1 records → 0 predictions, 1 dead letters" in refused
    assert "unknown_category" in refused


@pytest.mark.usefixtures("trained")
def test_on_kafka(run, kafka):
    """A file that was sent to one log is new to another."""
    address = f"kafka://{kafka}/test-{uuid.uuid4().hex}"
    run(blocks("sh")["Predictions"].splitlines()[0])
    output = run(blocks("sh")["On Kafka"], address)
    assert "500 of 500 records sent" in output
    assert "500 records → 500 predictions" in output
    assert "machines.predictions" in output


@pytest.mark.usefixtures("trained")
def test_all_at_once(run):
    output = run(blocks("sh")["All at once"])
    assert "nothing lost, nothing invented" in output
