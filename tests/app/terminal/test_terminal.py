"""What a person reads: counts, the first difference, intervals, and n/d for what is not defined."""

import io
import re
from pathlib import Path

import msgspec
from rich.console import Group
from rich.table import Table
from rich.text import Text

from barograph.app.terminal import terminal
from barograph.app.wiring import Consumed
from barograph.feed.produce import Produced
from barograph.feed.summary import Summary
from barograph.pipeline.verify import Mismatch, Verification
from barograph.pipeline.worker import Tally
from barograph.training.dataset import DatasetManifest
from barograph.training.dataset_parts import ProductFacts
from barograph.training.record_dataset import RecordManifest, Refusal
from rehearsals import rehearsal
from screen_text import text_of


class Ran:
    """The two tallies that a pipeline leaves."""

    def __init__(self, featurized, scored):
        self.featurized, self.scored = featurized, scored


def test_a_replay_tells_what_came_in_and_what_went_out():
    fed = Summary(
        files=["a.ndjson"],
        skipped=["b.ndjson"],
        resumed_at=41,
        lines=1234,
        ticks=1200,
        gaps={"silence": 2, "trade_id": 1},
        dead_letters={"crossed_quote": 4},
        products={"BTC-USD": 1200},
        first_event_time_ns=0,
        last_event_time_ns=86_400 * 10**9,
        ticks_per_s=5000.0,
    )
    running = Ran(Tally(values=90, dead_letters=3), Tally(values=88))
    shown = " ".join(text_of(terminal.replayed(fed, running)).split())
    for part in (
        "b.ndjson: already replayed", "at line 42", "1,234 of 1 file(s)", "BTC-USD 1,200",
        "1970-01-01 00:00:00Z → 1970-01-02 00:00:00Z", "silence 2, trade_id 1",
        "crossed_quote 4", "late ticks 3", "feature rows 90", "predictions 88",
    ):  # fmt: skip
        assert part in shown


def test_a_replay_without_stages_says_nothing_of_them():
    shown = text_of(terminal.replayed(Summary(), None))
    assert "ticks" in shown
    assert "predictions" not in shown


def produced(**changed):
    facts = {"rows": 10, "sent": 10, "skipped": 0, "seconds": 2.0, "rate": 5.0, "bytes": 99}
    return text_of(terminal.produced(Produced(**facts | changed, sha256="0" * 64)))


def test_a_producer_tells_what_it_sent_what_was_sent_and_what_is_left():
    assert produced() == "10 of 10 records sent in 2 s, 5/s\n"
    shown = produced(sent=3, skipped=5)
    assert "5 of 10 records were already sent" in shown
    assert "stopped: 2 are left; run the same command to send them" in shown


def test_a_consumer_tells_its_rate_and_what_is_left():
    facts = {"records": 5, "values": 4, "dead_letters": 1, "seconds": 2.0, "records_per_s": 1234.0}
    assert text_of(terminal.consumed(Consumed(**facts))) == (
        "5 records → 4 predictions, 1 dead letters\n2 s, 1,234 records/s\n"
    )
    assert "7 records are left" in text_of(terminal.consumed(Consumed(**facts, lag=7)))


def test_a_rehearsal_tells_both_modes_and_where_the_page_is():
    text = text_of(terminal.rehearsed(rehearsal(), Path("there")))
    for line in (
        "records sent 1,005 7,000", "predictions 1,005 7,000", "dead letters 2 0",
        "lost, invented 0, 0 0, 0", "latency p50 2 ms 2 ms", "inference mean 81.5 µs 81.5 µs",
        "nothing lost, nothing invented", "index.html and summary.json",
    ):  # fmt: skip
        assert line in " ".join(text.split())
    assert "no FILE was given" not in text


def test_a_rehearsal_that_lost_something_says_only_that():
    lost = msgspec.structs.replace(
        rehearsal(), ok=False, problems=["stream: 1 lost"], invented_records=True
    )
    text = text_of(terminal.rehearsed(lost, Path("there")))
    assert "stream: 1 lost" in text
    assert "nothing lost" not in text
    assert "no FILE was given" in text


def test_a_dataset_of_records_tells_what_was_refused_without_obeying_it():
    made = RecordManifest(
        case="churn", feature_set="f", data_hash="0" * 64, files={"a": 4}, rows=3,
        refused={"wrong_shape": 1}, first_refused=[Refusal("a", 2, "wrong_shape", "\x1b[2J [b]")],
        usable=2, yes=1, unused={"no outcome": 1}, repeated_keys=1, table_sha256="0" * 64,
    )  # fmt: skip
    shown = text_of(terminal.record_dataset(made))
    for part in ("2 of 3 rows, 1 of them positive", "no outcome 1", "wrong_shape 1",
                 "a, line 2: \\x1b[2J [b]", "repeated keys  1"):  # fmt: skip
        assert part in shown


def test_a_dataset_counts_rows_whatever_lies_between_them():
    hours = DatasetManifest(
        case="hourly", feature_set="f", data_hash="0" * 64, horizon_s=3600, events={"candle": 500},
        dead_letters={}, late_ticks=0, rows=499, usable=90, unused={"WARMUP": 400}, left_out={},
        products={"BTC-USD": ProductFacts(
            rows=499, labelled=497, first_second=3599, last_second=3599 + 498 * 3600,
        )},
        unreadable={}, table_sha256="0" * 64,
    )  # fmt: skip
    shown = text_of(terminal.dataset(hours))
    for part in ("499 rows, 497 with a label", "90 of 499 rows", "WARMUP 400"):
        assert part in shown
    assert "late ticks" not in shown
    assert "late ticks  3" in text_of(
        terminal.dataset(msgspec.structs.replace(hours, late_ticks=3))
    )


def test_a_verification_says_yes_or_names_the_first_difference():
    same = Verification(rows=10, unsettled=0, products=["BTC-USD"], difference=None)
    assert "10 feature rows of BTC-USD: live and replay are identical" in text_of(
        terminal.verified(same)
    )
    first = Mismatch(product="BTC-USD", second=60, what="spread_bps", live="0.1", replayed="0.2")
    other = Verification(rows=10, unsettled=0, products=["BTC-USD"], difference=first)
    shown = text_of(terminal.verified(other))
    for part in ("second 60", "1970-01-01 00:01:00Z", "spread_bps", "0.1", "0.2"):
        assert part in shown


def test_progress_says_nothing_where_nobody_looks(capsys):
    with terminal.progress() as bar:
        bar.bytes_and_ticks(1, 2, 3)
        bar.rows(5)
        bar.records(5)
        bar.letters(5)
        bar.sent(5, 6)
        bar.events(6)
        bar.steps("fold", 1, 4)
        bar.say("done")
    assert capsys.readouterr().out == ""


EVIL = "\x1b[2J\x1b]0;pwned\x07 [red]evil[/] :smile: \u202e"


def test_a_screen_shows_what_others_wrote_and_obeys_nothing(monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "200")
    for stderr in (False, True):
        shown = io.StringIO()
        monkeypatch.setattr("sys.stderr" if stderr else "sys.stdout", shown)
        screen = terminal.Screen(stderr=stderr)
        table = Table(title=EVIL)
        table.add_column(EVIL)
        table.add_row(EVIL)
        table.add_row(Text(EVIL, style="red"))
        screen.print(Group(EVIL, table, Text(EVIL)))
        # What is left to obey are colours.
        text = re.sub(r"\x1b\[[0-9;]*m", "", shown.getvalue())
        assert text.count("[red]evil[/]") == 6
        assert not set("\x1b\x07\u202e") & set(text)


def test_nothing_moves_where_only_colours_are_asked_for(monkeypatch):
    """As in a cell of Jupyter, which sets both for the commands that it starts."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("CLICOLOR_FORCE", "1")
    shown = io.StringIO()
    monkeypatch.setattr("sys.stderr", shown)
    with terminal.progress() as bar:
        bar.steps("fold", 1, 4)
    assert shown.getvalue() == ""
    phases = terminal.Phases(terminal.Screen(stderr=True))
    with phases.of("reading") as status:
        status.update("still")
    text = shown.getvalue()
    assert text.count("\n") == 1
    assert "\x1b[32m✓" in text  # the colours stay
    assert not re.search(r"\x1b\[[0-9?]*[A-JKhl]", text)


def test_a_phase_is_told_as_it_is_called(monkeypatch):
    shown = io.StringIO()
    monkeypatch.setattr("sys.stderr", shown)
    phases = terminal.Phases(terminal.Screen(stderr=True))
    with phases.of("reading [bold]x, twice"):
        pass
    assert "reading [bold]x, twice (" in shown.getvalue()
    assert list(phases.seconds) == ["reading [bold]x"]
