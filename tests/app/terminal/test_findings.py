"""What a person sees: each count, each damaged file, and nothing that others could draw."""

import io

import pytest
from rich.console import Console

from barograph.app.runs.service import ServiceFiles
from barograph.app.terminal import findings
from barograph.archive.compact import Compaction
from barograph.archive.inventory import Damage, Inspection, Inventory, ListedFile
from barograph.archive.manifest import ArchiveManifest, ProductCounts
from barograph.pipeline.check import Check, GapTotal, ProductCheck
from barograph.pipeline.health import Health
from barograph.types import FeedStatus

NS = 10**9


def shown(answer):
    console = Console(file=io.StringIO(), width=200)
    console.print(answer)
    return console.file.getvalue()


def test_an_inventory_has_a_line_for_each_file_and_the_sum():
    products = {"B": ProductCounts(ticks=1234, trades=5, gaps={"silence": 2})}
    manifest = ArchiveManifest(
        frames=1300,
        first_receive_time_ns=0,
        last_receive_time_ns=3599 * NS,
        products=products,
        dead_letters={"late": 3},
    )
    inventory = Inventory(
        files=[
            ListedFile(
                file="000001.ndjson.gz",
                state="finished",
                log="",
                bytes=5_000_000,
                manifest=manifest,
            ),
            ListedFile(file="000002.ndjson.gz", state="open", log="", bytes=7, manifest=None),
        ],
        bytes=5_000_007,
        frames=1300,
        answers=0,
        ticks=1234,
        trades=5,
        heartbeats=0,
        gaps={"silence": 2},
        dead_letters={},
    )
    text = shown(findings.inventory(inventory))
    assert "1970-01-01 00:00–00:59" in text
    assert "1,234" in text
    assert "000002 open" in " ".join(text.split())
    assert "2 files, 5.0 MB: 1,300 frames" in text
    assert "2 gaps (silence 2), 0 dead letters" in text


@pytest.mark.parametrize("damaged", [[], [Damage(file="000001.ndjson.gz", why="it is gone")]])
def test_an_inspection_names_what_is_damaged(damaged):
    inspection = Inspection(
        finished=3, without_manifest=["000004.ndjson.gz"], removed=["x", "y"], pushed=["y"],
        lines=99, damaged=damaged,
    )  # fmt: skip
    text = shown(findings.inspection(inspection))
    assert ("sound" in text) == (not damaged)
    assert ("damaged: 000001.ndjson.gz: it is gone" in text) == bool(damaged)
    assert "without manifest: 000004.ndjson.gz" in text
    assert "compacted or pushed, and removed: 2, 1 of them pushed" in text


def test_a_compaction_says_what_was_left_and_what_may_go():
    done = Compaction(
        out="H/parquet",
        files=2,
        before=1,
        open=["000004.ndjson.gz"],
        events={"tick": 5, "gap": 1},
        dead_letters={"late": 1},
        written=3,
    )
    text = shown(findings.compaction(done))
    assert "2 files compacted to H/parquet, 1 were already" in text
    assert "6 events (tick 5, gap 1) into 3 Parquet files" in text
    assert "skipped, still open: 000004.ndjson.gz" in text
    assert "The originals are kept" in text


def checked(**changes):
    known = {
        "topic": "ticks.raw",
        "ok": False,
        "counted": 7,
        "wanted": 100,
        "records": 9,
        "kinds": {"tick": 7, "gap": 2},
        "watched_s": None,
        "first_event_time_ns": 0,
        "last_event_time_ns": 90 * NS,
        "first_receive_time_ns": None,
        "last_receive_time_ns": None,
        "per_s": 2.5,
        "products": {},
        "dead_letters": {},
        "lag": {},
        "status": [],
        "sample": None,
    }
    return Check(**known | changes)


def test_a_check_that_is_short_says_how_many_there_are_and_were_wanted():
    text = shown(findings.check(checked()))
    assert "short: ticks.raw has 7 records, 100 required" in text
    assert "9 records (tick 7, gap 2), 2.5 per second" in text
    assert "1970-01-01 00:00:00Z – 1970-01-01 00:01:30Z, 90 s" in text
    assert "receive time  not known" in text
    assert "in 60 s" in shown(findings.check(checked(watched_s=60.0)))


def test_a_check_shows_each_product_its_gaps_and_the_rest():
    gap = GapTotal(count=2, seconds=4.0, missing=7, filled=1)
    product = ProductCheck(ticks=5, last_price="1.50", age_s=3.0, gaps={"trade_id": gap})
    status = FeedStatus(
        venue="coinbase",
        connection="coinbase/1",
        dialect="exchange",
        products=("B",),
        time_ns=0,
        since_ns=0,
        frames=12,
        reconnects=0,
        queued=0,
        queue_full=0,
        open_holes=1,
        one_book={"BTC-USDC": "BTC-USD"},
    )
    report = checked(
        ok=True,
        products={"BTC-USD": product},
        dead_letters={"late": 4},
        lag={"featurizer": 3},
        status=[status],
        sample='{"a":"\x1b[2J"}',
    )
    text = shown(findings.check(report))
    assert "ok: ticks.raw has 7 ticks" in text
    assert "trade_id 2 (4 s, 7 missing, 1 filled)" in text
    assert "late 4" in text
    assert "BTC-USDC is one book with BTC-USD" in text
    assert "featurizer 3" in text
    assert "coinbase/1: 12 frames, 1 open holes" in text
    assert "\x1b" not in text
    assert "\\x1b[2J" in text


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
def test_a_check_shows_products_and_ticks_whole_at_any_width(width):
    products = {
        name: ProductCheck(
            ticks=12_345_678, trades=9_876_543, heartbeats=1_234_567, last_price=price, age_s=1.5,
            gaps={cause: GapTotal(count=12, seconds=99.0, missing=7, filled=3)
                  for cause in ("disconnect", "trade_id", "silence", "heartbeat")},
        )
        for name, price in [
            ("BTC-PERP-INTX", "100000.00"), ("PEPE-USD", "0.00000644"), ("ETH-USD", "4321.09"),
        ]
    }  # fmt: skip
    console = Console(file=io.StringIO(), width=width)
    console.print(findings.check(checked(ok=True, products=products)))
    text = console.file.getvalue()
    assert "…" not in text
    for name, product in products.items():
        row = next(line for line in text.splitlines() if line.startswith(name))
        assert "12,345,678" in row
        assert product.last_price in row
        assert len(row.rstrip()) <= width
    assert ("heartbeats" in text) == (width >= 80)
    assert " ".join(text.split()).count("trade_id 12 (99 s, 7 missing, 3 filled)") == 3


def test_a_check_of_a_dead_feed_says_so_first():
    health = Health(
        max_age_s=30.0,
        champion=None,
        prediction_age_s=61.0,
        verdicts={"BTC-USD": "GAP"},
        behind_s={"featurizer": 61.0},
        problems=["nothing was received for 61 s, at most 30 s"],
        remarks=["no champion: the baseline predicts until a model is promoted"],
    )
    report = checked(counted=7, wanted=1, health=health, lag={"featurizer": 5, "scorer": 0})
    text = shown(findings.check(report))
    assert text.startswith("not ok: nothing was received for 61 s, at most 30 s\n")
    assert "lag           featurizer 5 (for 61 s), scorer 0" in text
    assert "champion      none" in text
    assert "predictions   61 s old: BTC-USD GAP" in text
    assert "remark        no champion: the baseline predicts" in text
    short = findings.verdict(checked(health=health))
    assert short == "ticks.raw has 7 records, 100 required; " + health.problems[0]


def test_each_file_of_a_service_and_each_command_is_shown():
    done = ServiceFiles(files=["/a/unit", "/a/cron"], commands=["one", "two"])
    assert [line.strip() for line in shown(findings.service(done)).splitlines()] == [
        "/a/unit", "/a/cron", "With systemd, as root:", "one", "two",
    ]  # fmt: skip
