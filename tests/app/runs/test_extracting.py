"""How extracts are run: keys, reports, and files that are judged before a log is made."""

import msgspec
import pytest

from barograph.app.runs.extracting import (
    ServicePlan,
    from_service,
    judged_file,
    key_of,
    policy_of,
    refused_files,
    report_paths,
    write_report,
)
from barograph.app.settings import Settings
from barograph.errors import BadInputError
from barograph.evaluation.quality_report import QualityReport
from barograph.log import open_log
from candle_tables import START_S, csv_of, rows

NOW_NS = (START_S + 200 * 3600) * 10**9
KEY = "CRYPTOCOMPARE_API_KEY"


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "candles.csv"
    path.write_text(csv_of(rows(200)))
    return path


def test_a_key_is_needed_by_one_service_at_its_own_address():
    assert key_of({}, "coinbase", "") == ""
    assert key_of({KEY: "k"}, "cryptocompare", "") == "k"
    assert key_of({}, "cryptocompare", "http://127.0.0.1:1") == ""
    with pytest.raises(BadInputError, match="use --source coinbase"):
        key_of({}, "cryptocompare", "")


@pytest.mark.parametrize(
    ("key", "url"), [("s3cret", "http://example.org"), ("s3\ncret", ""), ("s3 cret", "")]
)
def test_a_key_that_could_not_be_sent_safely_is_refused_and_not_shown(key, url):
    with pytest.raises(BadInputError) as refused:
        key_of({KEY: key}, "cryptocompare", url)
    assert "cret" not in str(refused.value)


def test_a_key_is_sent_to_this_machine_and_over_tls():
    for url in ("http://127.0.0.1:8765", "https://example.org"):
        assert key_of({KEY: "k"}, "cryptocompare", url) == "k"


def test_a_plan_does_not_show_its_key():
    plan = ServicePlan(
        source="cryptocompare", product="BTC-USD", hours=1, until_s=START_S, key="s3cret"
    )
    assert "s3cret" not in repr(plan)


def test_an_address_of_no_service_is_refused(tmp_path):
    plan = ServicePlan(
        source="coinbase", product="BTC-USD", hours=1, until_s=START_S, url="ftp://h"
    )
    log = open_log(tmp_path)
    with pytest.raises(BadInputError, match="no http or https address"):
        from_service(log, Settings(home=tmp_path), plan)
    log.close()


def test_the_policy_is_the_settings(monkeypatch):
    monkeypatch.setenv("BAROGRAPH_QUALITY_MAX_JUMP", "0.25")
    assert policy_of(Settings()).max_jump == 0.25  # exact: as it was written
    assert policy_of(Settings()).max_bad_share == 0.001  # exact: the default


@pytest.mark.slow
def test_a_report_is_written_as_a_page_and_as_json(tmp_path, file):
    judged = judged_file(file, "BTC-USD", policy_of(Settings()), NOW_NS)
    written = write_report(tmp_path / "h", judged.judged, judged.table)
    page, json = report_paths(tmp_path / "h", judged.judged.report)
    assert (written.page, written.json) == (str(page), str(json))
    assert page.name == "BTC-USD-candles.csv.html"
    assert page.read_text().startswith("<!doctype html>")
    assert msgspec.json.decode(json.read_bytes(), type=QualityReport) == judged.judged.report


def test_files_are_refused_together(file):
    judged = judged_file(file, "BTC-USD", policy_of(Settings()), NOW_NS)
    (done,) = refused_files([judged], "BTC-USD")
    assert (done.new, done.passed, done.report) == (0, True, judged.judged.report)
