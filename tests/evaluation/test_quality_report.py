"""A report names what stops before what is only reported."""

from barograph.evaluation.quality_report import QualityPolicy, QualityReport, RuleResult


def rule(name, failed, *, stops):
    return RuleResult(name=name, meaning=name, failed=failed, of=9, allowed=1, stops=stops)


def test_broken_rules_are_those_with_rows_and_the_stopping_ones_come_first():
    report = QualityReport(
        source="file", product="BTC-USD", form="CSV", step_s=3600, rows=9, good=1, empty=0,
        missing=0, first_s=None, last_s=None, null_shares={}, policy=QualityPolicy(), passed=False,
        judged_time_ns=0,
        rules=(rule("a", 1, stops=False), rule("b", 0, stops=False), rule("c", 5, stops=True)),
    )  # fmt: skip
    assert [each.name for each in report.broken] == ["c", "a"]
