import msgspec

from barograph.app.reports.drift_page import page
from barograph.training.drift_report import drift_report, halves
from drifted_datasets import changed, dataset_of, unchanged
from drifting_rows import remembering
from page_reader import Reader
from queues import QUEUES


def read(dataset):
    return Reader(page(drift_report(QUEUES, dataset, *halves(dataset))))


def test_an_alarm_is_named_with_its_column_and_spans():
    text = read(changed()).text
    assert "2 alarms. north: " in text
    for part in ("queues: two spans compared", "north", "south", "Kolmogorov–Smirnov", "6 of 6"):
        assert part in text


def test_no_alarm_is_said_too():
    assert "No drift alarm." in read(unchanged()).text


def test_what_cannot_be_tested_says_why():
    short = dataset_of(remembering(150, 1), remembering(150, 2))
    text = read(short).text
    assert "Not judged." in text
    assert "No window could be tested." in text
    assert "remember" not in text
    assert "north: reference too short to judge: needs about 15 h; the 2.5 h it has test 0" in text
    assert "Not tested, since the reference holds 3.0 windows, and 4 are needed" in text


def test_no_alarm_is_no_all_clear_for_a_key_that_is_not_judged():
    report = drift_report(QUEUES, (dataset := unchanged()), *halves(dataset))
    first, *rest = report.keys
    short = msgspec.structs.replace(first, too_short="reference too short to judge")
    text = Reader(page(msgspec.structs.replace(report, keys=[short, *rest]))).text
    assert f"No drift alarm where it can be judged. Too little is tested of {first.key} to" in text
    assert "No drift alarm." not in text


def test_text_from_data_is_escaped():
    values = remembering(400, 1)
    html = page(drift_report(QUEUES, (d := dataset_of(values, values, keys=("<b>",))), *halves(d)))
    assert "<b>" not in html.replace("<b>6 of 6", "").split("<h2>")[1].split("</h2>")[0]
    assert "<h2>&lt;b&gt;</h2>" in html
