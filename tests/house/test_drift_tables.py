"""The tables of docs/drift.md are those that `make drift-table` makes of docs/drift.json."""

import sys

import msgspec
import pytest


@pytest.fixture(scope="module")
def scripts(root):
    """The scripts docs/drift.py and docs/drift_markets.py, which import each other by name."""
    sys.path.insert(0, str(root / "docs"))
    try:
        import drift  # noqa: PLC0415 - from docs/
        import drift_markets  # noqa: PLC0415 - from docs/

        yield drift, drift_markets
    finally:
        sys.path.remove(str(root / "docs"))


@pytest.fixture(scope="module")
def results(scripts):
    drift, _ = scripts
    return msgspec.json.decode(drift.RESULTS.read_bytes(), type=drift.Results)


def test_the_tables_of_the_page_are_made_of_the_results(scripts, results):
    drift, _ = scripts
    text = drift.PAGE.read_text(encoding="utf-8")
    assert drift.with_tables(text, drift.tables(results)) == text


def test_what_is_reported_was_measured_on_other_markets_than_the_choice(scripts, results):
    drift, _ = scripts
    assert [one.seed for one in results.choice] == list(drift.CHOICE_SEEDS)
    assert [one.seed for one in results.report] == list(drift.REPORT_SEEDS)
    assert not set(drift.CHOICE_SEEDS) & set(drift.REPORT_SEEDS)
    variants = [[one.variant for one in result.tested] for result in results.choice]
    assert variants == [list(drift.CHOICE.variants)] * len(results.choice)


def test_an_unchanged_stream_alarms_less_than_once_a_week_with_nearly_all_confidence(
    scripts, results
):
    """The upper end of the 95 % interval of the rate is below one a week."""
    drift, _ = scripts
    words = drift.rate([one for result in results.report for one in result.tested])
    assert float(words.rpartition(" to ")[2].rstrip(")")) < 1


def test_a_page_without_a_place_for_a_table_is_refused(scripts):
    drift, _ = scripts
    with pytest.raises(ValueError, match="no place for drift-report"):
        drift.with_tables("", {"drift-report": "|"})


def test_an_alarm_begins_with_two_windows_and_ends_below_half_of_the_limit(scripts):
    _, markets = scripts
    import numpy as np  # noqa: PLC0415 - beside what needs it

    for strengths, alarms in (
        ([0.0, 1.2, 0.4, 1.2], 0),
        ([1.0, 1.0, 0.6, 1.0, 1.0], 1),
        ([1.0, 1.0, 0.4, 1.0, 1.0], 2),
        ([], 0),
    ):
        assert markets.alarms(np.array(strengths)) == alarms


@pytest.mark.slow
def test_a_small_table_is_made_again_from_its_seed_and_from_its_cache(scripts, tmp_path):
    drift, markets = scripts
    plan = markets.Plan(variants=(markets.Variant(3, 40),), calm_h=2, usual_every_h=2)
    (first,) = drift.run([(plan, range(1, 3))], 1, tmp_path / "one")
    (again,) = drift.run([(plan, range(1, 3))], 1, tmp_path / "another")
    (cached,) = drift.run([(plan, range(1, 3))], 1, tmp_path / "one")
    assert first == again == cached
    assert [one.seed for one in first] == [1, 2]
    assert first[0] != first[1]
    assert "alarms while nothing changed" in drift.report_table(first)
    assert "| **3 h**" not in drift.choice_table(first)


@pytest.mark.operations
def test_a_market_of_the_table_is_what_is_simulated_now(scripts, results):
    """Counts are exact; a delay may move by a window where processors round differently."""
    drift, markets = scripts
    kept = results.report[0]
    now = markets.result_of(kept.seed, drift.REPORT)
    for then, today in zip(kept.tested, now.tested, strict=True):
        assert (then.alarms, then.too_short, then.varying) == (
            today.alarms,
            today.too_short,
            today.varying,
        )
        assert today.delay_min == pytest.approx(then.delay_min, abs=5)
    assert [(one.test, one.alarmed) for one in kept.usual] == [
        (one.test, one.alarmed) for one in now.usual
    ]
