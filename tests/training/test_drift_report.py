import json

import numpy as np
import pytest

from barograph.errors import BadInputError, TooLittleDataError
from barograph.training.drift_report import Span, drift_report, encoded, halves
from customers import CUSTOMERS, customers
from drifted_datasets import changed, dataset_of, unchanged
from drifting_rows import START, remembering
from queues import LIVE, QUEUES

NS = 10**9


def report_of(dataset):
    return drift_report(QUEUES, dataset, *halves(dataset))


def test_halves_of_one_law_do_not_alarm_and_those_of_two_do():
    calm, wild = report_of(unchanged()), report_of(changed())
    assert calm.alarms == 0
    assert [len(key.alarms) for key in wild.keys] == [1, 1]
    alarm = wild.keys[0].alarms[0]
    assert alarm.peak > 1
    assert alarm.start_ns > halves(changed())[1].start_ns
    assert wild.keys[0].columns[0].strength == pytest.approx(max(wild.keys[0].strength), rel=1e-4)
    assert wild.ks_alarms == wild.psi_alarms == wild.columns == 6


def test_missing_values_and_holes_are_counted_by_side():
    later = remembering(2000, 4, memory=0.3)
    later[100:300, 1] = np.nan
    dataset = dataset_of(remembering(2000, 3, memory=0.3), later, holes=range(3000, 3100))
    key = report_of(dataset).keys[0]
    assert (key.before.rows, key.after.rows) == (2000, 1900)
    assert (key.before.holes, key.after.holes) == (0, 1)
    assert (key.before.reasons, key.after.reasons) == ({}, {"GAP": 200})
    assert key.after.coverage == pytest.approx(0.95, abs=0.001)
    (column,) = (one for one in key.columns if one.column == "waiting_mean_10min")
    assert (column.missing_before, column.missing_after) == (
        0.0,
        pytest.approx(200 / 1900, abs=1e-5),
    )


def test_any_two_spans_are_compared():
    dataset = changed()
    middle = START * NS + 2000 * LIVE.step_s * NS
    first = Span(START * NS, START * NS + 1000 * LIVE.step_s * NS)
    report = drift_report(QUEUES, dataset, first, Span(first.end_ns, middle))
    assert (report.keys[0].before.rows, report.keys[0].after.rows) == (1000, 1000)
    assert report.alarms == 0


def test_a_key_without_rows_in_a_span_is_left_out_and_no_key_is_refused():
    dataset = changed(keys=("north",))
    nowhere = Span(0, NS)
    with pytest.raises(TooLittleDataError, match="Name other spans"):
        drift_report(QUEUES, dataset, halves(dataset)[0], nowhere)


def test_a_case_without_time_is_refused():
    with pytest.raises(BadInputError, match="it is not a series"):
        drift_report(CUSTOMERS, customers(), Span(0, 1), Span(1, 2))


def test_the_same_dataset_gives_the_same_json():
    assert encoded(report_of(changed())) == encoded(report_of(changed()))
    assert set(json.loads(encoded(report_of(unchanged())))) > {"keys", "tests"}
