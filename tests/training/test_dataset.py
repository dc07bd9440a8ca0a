"""The dataset: what ran live, from the archive, with the label that followed."""

import math
from itertools import count

import msgspec
import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import feature_oracle
from barograph import codec
from barograph.archive.recording_files import recording_files
from barograph.archive.writer import ArchiveWriter
from barograph.cases.spikes import SPIKES
from barograph.errors import BadInputError, ForeignFeaturesError, TooLittleDataError
from barograph.feature_set.catalogue import FEATURE_SET_HASH, NAMES
from barograph.feature_set.featurizer import Featurizer
from barograph.feed.feed import Feed
from barograph.feed.ingest import ingest
from barograph.feed.replay import replay
from barograph.log import open_log
from barograph.pipeline.worker import when_idle, work
from barograph.simulated.law import PRESETS
from barograph.simulated.market import SimulatedMarket
from barograph.training import dataset, dataset_parts
from barograph.types import FeatureRow, Frame
from barograph.venues.entries import Closing, Dialect, Heard, Opening, Rules
from market_stages import FEATURIZE

START_NS = 1_750_000_000 * 10**9
PRODUCTS = ("BTC-USD", "ETH-USD")


def stretches(minutes=(12, 9), seed=3):
    """Frames on one connection after the other, with two minutes lost in between."""
    market = SimulatedMarket(PRESETS["market"], PRODUCTS, seed, START_NS)
    for number, length in enumerate(minutes):
        yield market.advance(60 * length, f"simulated/{number}")
        market.advance(120)


def opening(frames):
    return Opening(connection=frames[0].connection, dialect=Dialect.EXCHANGE)


def archived(home, parts):
    writer = ArchiveWriter(home / "archive")
    for frames in parts:
        writer.write(opening(frames))
        for frame in frames:
            writer.write(Heard(frame, Dialect.EXCHANGE))
        writer.write(Closing(frames[0].connection))
        writer.flush()
    writer.close()
    return home


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = archived(tmp_path_factory.mktemp("home"), stretches())
    dataset.build(home, SPIKES)
    return home


def rows_of(frame):
    """The dataset's rows as the words that the log carries."""
    for row in frame.iter_rows(named=True):
        yield FeatureRow(
            product=row["product"],
            second=row["second"],
            feature_set=FEATURE_SET_HASH,
            log_mid_e9=row["log_mid_e9"],
            return_e9=row["return_e9"],
            receive_time_ns=row["receive_time_ns"],
            values=[row[name] for name in NAMES],
            reasons=row["reasons"],
        )


@pytest.mark.slow
def test_the_rows_are_those_of_the_live_topic_to_the_byte(tmp_path):
    log = open_log(tmp_path)
    feed = Feed(log, tmp_path / "archive")
    for frames in stretches():
        feed.take(opening(frames))
        for frame in frames:
            feed.take(Heard(frame, Dialect.EXCHANGE))
        feed.take(Closing(frames[0].connection))
        feed.commit()
    feed.close()
    work(log, FEATURIZE, Featurizer, clock_ns=lambda: 0, until=when_idle)
    live = {product: [] for product in PRODUCTS}
    for extent in log.extents("ticks.features"):
        for record in log.read("ticks.features", extent.partition, 0, 10**6):
            live[record.key].append(record.value)
    log.close()

    dataset.build(tmp_path, SPIKES)

    made = {product: [] for product in PRODUCTS}
    for row in rows_of(dataset.read(tmp_path, SPIKES).frame):
        made[row.product].append(codec.encode(row))
    assert made == live
    assert all(len(values) > 1200 for values in made.values())


@pytest.mark.slow
def test_the_label_is_the_volatility_of_the_next_minute_or_unknown(home):
    frame = dataset.read(home, SPIKES).frame
    known = 0
    for (_,), rows in frame.group_by("product"):
        return_e9_of = dict(zip(rows["second"], rows["return_e9"], strict=True))
        for second, label in rows.select("second", "outcome").iter_rows():
            expected = feature_oracle.future_realized_vol(return_e9_of, second, 60)
            if label is None:
                assert expected is None or math.isnan(expected)
            else:
                known += 1
                assert label == pytest.approx(expected, rel=1e-12)
    assert known > 2000


@pytest.mark.slow
def test_unknown_is_null_and_never_nan_or_calm(home):
    frame = dataset.read(home, SPIKES).frame
    assert not frame.select(pl.col(*NAMES, "outcome").is_nan().any()).to_numpy().any()
    digits = np.array([list(text) for text in frame["reasons"]])
    nulls = np.column_stack([frame[name].is_null().to_numpy() for name in NAMES])
    assert ((digits != "0") == nulls).all()
    # The first rows after the hole wait as long as the window is, and say why.
    after = frame.filter(pl.col("second") > 1_750_000_000 + 13 * 60, pl.col("product") == "BTC-USD")
    waiting = after["realized_vol_300s"].is_null().to_numpy()
    assert waiting[:300].all()
    assert not waiting[301:].any()
    assert after["reasons"][0][NAMES.index("realized_vol_300s")] == "2"


@pytest.mark.slow
@settings(
    max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(events=st.integers(20, 500), rows=st.integers(1, 500))
def test_the_size_of_parts_changes_nothing(home, tmp_path_factory, events, rows):
    whole = dataset.read(home, SPIKES)
    elsewhere = archived(tmp_path_factory.mktemp("parts"), stretches())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dataset, "_EVENTS_AT_A_TIME", events)
        patch.setattr(dataset_parts, "_ROWS_OF_A_PART", rows)
        dataset.build(elsewhere, SPIKES)
    made = dataset.read(elsewhere, SPIKES)
    assert_frame_equal(made.frame, whole.frame, check_exact=True)
    assert made.data_hash == whole.data_hash
    manifests = [place / "datasets" / "spikes.json" for place in (home, elsewhere)]
    assert manifests[0].read_bytes() == manifests[1].read_bytes()


@pytest.mark.slow
def test_the_manifest_tells_what_the_dataset_was_made_of(home):
    seen = []
    made = dataset.build(home, SPIKES, progress=seen.append)
    assert seen[-1] == sum(made.events.values())
    assert made.events["gap"] == 2
    assert made.feature_set == FEATURE_SET_HASH
    assert set(made.products) == {*PRODUCTS}
    assert made.rows == sum(facts.rows for facts in made.products.values())
    assert made.usable + sum(made.unused.values()) == made.rows
    assert {"label unknown", "WARMUP", "GAP"} <= set(made.unused)
    first = made.products["BTC-USD"].first_second
    assert first == pytest.approx(1_750_000_000, abs=20)


@pytest.mark.slow
def test_other_frames_have_another_hash(home, tmp_path):
    first, *others = stretches()
    archived(tmp_path, [first[:-50], *others])
    dataset.build(tmp_path, SPIKES)
    assert dataset.read(tmp_path, SPIKES).data_hash != dataset.read(home, SPIKES).data_hash


@pytest.mark.slow
def test_another_future_changes_no_row_and_no_label_that_was_known(home, tmp_path):
    whole = dataset.read(home, SPIKES).frame
    (first, *_), (_, later) = stretches(), stretches(seed=8)
    archived(tmp_path, [first, later])
    dataset.build(tmp_path, SPIKES)
    forked = dataset.read(tmp_path, SPIKES).frame
    last = first[-1].receive_time_ns // 10**9
    rows, labelled = pl.col("second") < last - 2, pl.col("second") < last - 62
    columns = pl.exclude("outcome")
    assert_frame_equal(
        forked.filter(rows).select(columns), whole.filter(rows).select(columns), check_exact=True
    )
    assert_frame_equal(forked.filter(labelled), whole.filter(labelled), check_exact=True)
    assert not forked.equals(whole)  # exact: they differ
    assert forked.filter(labelled)["outcome"].is_not_null().any()


def test_nothing_is_left_beside_the_dataset(home):
    names = sorted(path.name for path in (home / "datasets").iterdir())
    assert names == [".spikes.making", "spikes.json", "spikes.parquet"]  # the first: a lock


def test_an_empty_archive_says_how_to_fill_it(tmp_path):
    with pytest.raises(BadInputError, match="barograph replay"):
        dataset.build(tmp_path, SPIKES)
    ArchiveWriter(tmp_path / "archive").close()
    with pytest.raises(BadInputError, match="there are no frames in it"):
        dataset.build(tmp_path, SPIKES)


def test_an_archive_that_closes_no_second_is_too_little(tmp_path):
    numbers = count()
    garbage = [
        Frame(data=b'{"type":"ticker","n":%d}' % next(numbers), connection="c") for _ in range(9)
    ]
    archived(tmp_path, [garbage])
    with pytest.raises(TooLittleDataError, match="no closed second in 0 events"):
        dataset.build(tmp_path, SPIKES)
    assert [left.name for left in (tmp_path / "datasets").iterdir()] == [".spikes.making"]


def test_a_dataset_that_was_never_built_says_so(tmp_path):
    with pytest.raises(BadInputError, match="there is none"):
        dataset.read(tmp_path, SPIKES)


def test_a_damaged_dataset_is_refused(home, tmp_path):
    folder = tmp_path / "datasets"
    folder.mkdir()
    for name in ("spikes.json", "spikes.parquet"):
        (folder / name).write_bytes((home / "datasets" / name).read_bytes())
    parquet = folder / "spikes.parquet"
    whole = parquet.read_bytes()
    parquet.write_bytes(whole[:2000] + bytes([whole[2000] ^ 1]) + whole[2001:])
    with pytest.raises(BadInputError, match=r"spikes\.parquet: it is not the file that was built"):
        dataset.read(tmp_path, SPIKES)
    parquet.write_bytes(whole[:-100])
    with pytest.raises(BadInputError, match="Build it "):
        dataset.read(tmp_path, SPIKES)
    (folder / "spikes.json").write_bytes(b"{}")
    with pytest.raises(BadInputError, match=r"spikes\.json: .* Build it "):
        dataset.read(tmp_path, SPIKES)


def test_a_dataset_of_another_feature_set_is_foreign(home, tmp_path):
    folder = tmp_path / "datasets"
    folder.mkdir()
    (folder / "spikes.parquet").write_bytes((home / "datasets" / "spikes.parquet").read_bytes())
    facts_json = (home / "datasets" / "spikes.json").read_text()
    (folder / "spikes.json").write_text(facts_json.replace(FEATURE_SET_HASH, "0" * 16))
    with pytest.raises(ForeignFeaturesError):
        dataset.read(tmp_path, SPIKES)


@pytest.mark.slow
@pytest.mark.parametrize(
    "names",
    [
        ["recordings/coinbase_btc_20251112_14_exchangefeed.ndjson.gz"],
        [
            "recordings/as_recorded/advanced_trade_envelope.ndjson.gz",
            "recordings/coinbase_btc_20251201_1644_zone_unknown.ndjson.gz",
        ],
    ],
    ids=["one", "two"],
)
def test_recordings_give_at_once_what_they_give_through_feed_and_archive(data, tmp_path, names):
    """The fast lane's rows, and its data hash, are those of the frames that a feed archived."""
    files = [data / name for name in names]
    straight, archived_home = tmp_path / "straight", tmp_path / "archived"
    made = dataset.build(straight, SPIKES, recordings=files)
    log = open_log(archived_home)
    feed = Feed(log, archived_home / "archive")
    replay(feed, recording_files(files))
    feed.close()
    log.close()
    assert made.forms.keys() == {file.name for file in files}
    assert dataset.build(archived_home, SPIKES) == msgspec.structs.replace(made, forms={})
    ours, theirs = (dataset.read(place, SPIKES) for place in (straight, archived_home))
    assert_frame_equal(ours.frame, theirs.frame, check_exact=True)
    assert made.rows > 300
    assert not (straight / "archive").exists()


@pytest.mark.slow
def test_the_rules_of_the_feed_stand_in_the_archive(tmp_path):
    """What live refused, and when it called a line silent, is not judged anew."""
    first, second = stretches()
    rules = Rules(products=frozenset({"BTC-USD"}), silence_timeout_s=0.5)
    log = open_log(tmp_path)
    feed = Feed(log, tmp_path / "archive", rules)
    ingest(feed, [Heard(frame, Dialect.EXCHANGE) for frame in (*first, *second)])
    feed.close()
    live = feed.summary
    log.close()
    made = dataset.build(tmp_path, SPIKES)
    assert list(made.products) == ["BTC-USD"]
    assert made.dead_letters == live.dead_letters
    assert made.events["gap"] == sum(live.gaps.values()) > 100


@pytest.mark.slow
def test_a_recording_that_was_rotated_makes_the_rows_of_the_whole(tmp_path):
    (frames,) = stretches(minutes=(9,))
    lines = [frame.data for frame in frames]
    cut = len(lines) // 2
    files = {"whole": lines, "one": lines[:cut], "two": lines[cut:]}
    for name, some in files.items():
        (tmp_path / name).write_bytes(b"\n".join(some) + b"\n")
    made = [
        dataset.build(
            tmp_path / f"home{len(names)}", SPIKES, recordings=[tmp_path / n for n in names]
        )
        for names in (["whole"], ["one", "two"])
    ]
    assert made[0].data_hash == made[1].data_hash
    assert (made[0].rows, made[0].usable) == (made[1].rows, made[1].usable)
    assert made[1].events["gap"] == made[0].events["gap"]
