import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.archive.recorded_form import describe, look
from barograph.archive.recording import Recorded, Recording
from barograph.errors import BadInputError
from barograph.types import DeadLetter
from barograph.venues.forms.own import form_of
from recorded_forms import CONTAINERS, FLAT, FORMS, PACKINGS, TABLES, flat, invented, lines, table

QUOTES = invented(12)


def written(tmp_path, content):
    path = tmp_path / "recording"
    path.write_bytes(content)
    return path


def frames(path, **more):
    entries = list(Recording(path, **more))
    assert [entry for entry in entries if isinstance(entry, DeadLetter)] == []
    return [(entry.frame.data, entry.frame.receive_time_ns) for entry in entries]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("form", "container"),
    [(f, c) for f in FORMS for c in CONTAINERS if f in FLAT or c not in TABLES],
)
def test_a_form_is_the_same_in_every_container(tmp_path, form, container):
    objects = [FORMS[form](quote) for quote in QUOTES]
    expected = frames(written(tmp_path, lines(objects)))
    read = frames(written(tmp_path, CONTAINERS[container](objects)))
    assert [(json.loads(data), ns) for data, ns in read] == [
        (_as_texts(json.loads(data)) if container in TABLES and form == "exchange" and container
         != "parquet" else json.loads(data), ns)
        for data, ns in expected
    ]  # fmt: skip


def _as_texts(frame):
    return {name: str(value) for name, value in frame.items()}


@pytest.mark.parametrize("packing", PACKINGS)
def test_a_packed_file_is_the_same_recording(tmp_path, packing):
    content = lines(FORMS["flat"](quote) for quote in QUOTES)
    assert frames(written(tmp_path, PACKINGS[packing](content))) == frames(
        written(tmp_path, content)
    )


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (lines([flat(QUOTES[0])]), "1 form: flat, venue's clock `timestamp`, sizes, no ids"),
        (table([flat(q) for q in QUOTES]), "1 form in a table (CSV): flat, venue's clock"),
        (b"hello\nworld\n", "neither JSON objects nor rows under a header"),
        (b"time,price,size\n1,2,3\n4,5,6\n", "no product, no bid and ask among its fields"),
        (b"ARROW1\0\0" + bytes(99), "an Arrow file, which is not read. Unpack or fetch it again"),
        (b"\xff\xfe\x00", None),
    ],
)
def test_a_file_is_described_in_one_line_with_its_cure(tmp_path, content, says):
    if says is None:
        describe(written(tmp_path, content))
        return
    line = describe(written(tmp_path, content))
    assert says in line
    assert "\n" not in line


def test_a_look_shows_fields_and_a_form_to_correct(tmp_path):
    rows = [{"unix_timestamp": 1758706553.5, "bid": 1.5, "ask": 2.0, "mid": 1.75}] * 3
    seen = look(written(tmp_path, table(rows)))
    assert seen.fields == ["unix_timestamp", "bid", "ask", "mid"]
    assert seen.problem
    form = form_of(seen.toml)
    path = written(tmp_path, table(rows))
    (frame, _), *_others = frames(path, form=form)
    assert json.loads(frame)["events"][0]["tickers"][0]["best_bid"] == "1.5"
    assert look(path, form=form).line.startswith("1 form in a table (CSV): your own form")


def test_the_letter_of_a_row_has_its_text_and_the_number_of_its_line(tmp_path):
    path = written(tmp_path, table([flat(q) for q in QUOTES]) + b"only,three,cells\n")
    (letter,) = [entry for entry in Recording(path) if isinstance(entry, DeadLetter)]
    assert letter.original == b'["only","three","cells"]'
    assert letter.position == str(len(QUOTES) + 2)


def test_two_rows_of_a_quote_are_one_frame_of_a_form(tmp_path):
    form = form_of(
        '[fields]\ntime = "exchange_timestamp"\nreceived = "timestamp"\nprice = "price"\n'
        'bid_size = "size"\nask_size = "size"\n[constants]\nproduct = "BTC-USD"\n'
        '[clock]\nof = "venue"\n[sides]\nfield = "side"\n'
    )
    rows = b"timestamp,price,size,side,exchange_timestamp\n" + b"".join(
        b"175670763%d.25,107947.0,16.8,bid,175670763%d446\n175670763%d.25,107948.0,1.4,ask,175670763%d446\n"
        % (n, n, n, n)
        for n in range(3)
    )
    read = frames(written(tmp_path, rows), form=form)
    assert [ns for _, ns in read] == [1756707630_250000000 + n * 10**9 for n in range(3)]
    (ticker,) = json.loads(read[0][0])["events"][0]["tickers"]
    assert (ticker["best_bid"], ticker["best_ask_quantity"]) == ("107947.0", "1.4")


def test_the_real_forms_are_read_or_named(data):
    """The first lines of recordings as different people wrote them, untouched."""
    lines_of_them = {path.name: look(path) for path in (data / "forms").glob("*.*")}
    lines_of_them.pop("README.md")
    read = {name for name, seen in lines_of_them.items() if not seen.problem}
    assert read == {
        "bare_envelope.ndjson",
        "binance_book_exch_and_local_ms.parquet",
        "cryptofeed_coinbase.txt",
        "exchange_ticker_time_naive_utc.parquet",
        "exchange_ticker_time_string.parquet",
        "flat_timestamp_exchange_time.ndjson",
        "flat_timestamp_naive_local_plus_raw.ndjson",
        "flat_timestamp_sequence_num_ingest_ts.ndjson",
        "flat_ts_iso_float_prices.ndjson",
        "flat_ws_timestamp_received_at.ndjson",
        "ts_pair_raw_string.ndjson",
    }
    assert "a table of features" in lines_of_them["features_processing_time_UNUSABLE.parquet"].line
    assert all(seen.cure for seen in lines_of_them.values() if seen.problem)


@given(st.binary(max_size=60))
def test_a_file_of_any_bytes_has_an_outcome(tmp_path_factory, content):
    path = written(tmp_path_factory.mktemp("r"), content)
    for each in (content, b"[{" + content, b"PAR1" + content, b"a,b,c\n" + content):
        path.write_bytes(each)
        with suppress(BadInputError):  # it holds no record
            assert "\n" not in describe(path)
            for entry in Recording(path):
                assert isinstance(entry, Recorded | DeadLetter)
