"""Findings on a screen of 80 columns, with what strangers wrote spelled out."""

from barograph.app.runs.doctor.examination import Examination, State, ok, problem, warning
from barograph.app.terminal.doctor_page import page
from barograph.app.terminal.terminal import text_of


def test_each_finding_has_its_mark_and_what_mends_it():
    findings = [
        ok("disk", "fine " * 30),
        warning("clock", "off", "`set it`"),
        problem("log", "bad \x1b[2J", "Mend it"),
    ]
    shown = text_of(page(Examination(state=State.PROBLEM, subject="", findings=findings)))
    assert max(map(len, shown.splitlines())) <= 80
    assert [shown.count(mark) for mark in "✓!✗→"] == [1, 1, 1, 2]
    assert "\x1b[2J" not in shown
