"""The page about claims has a row for each bar, and its table is what the script would write."""

import sys

import pytest

BARS = ("R² > 0.75", "RMSE < 0.05", "MAE < 0.03", "PR-AUC ≥ 0.60", "PR-AUC ≥ 0.70", "8.2 ms")


@pytest.fixture(scope="module")
def claims(root):
    """The script docs/claims.py."""
    sys.path.insert(0, str(root / "docs"))
    try:
        import claims  # noqa: PLC0415 - from docs/

        yield claims
    finally:
        sys.path.remove(str(root / "docs"))


def rows_of(claims):
    table = claims.PAGE.read_text(encoding="utf-8").partition(claims.BEGIN)[2]
    lines = table.partition(claims.END)[0].strip().splitlines()[2:]
    return [claims.Claim(*(cell.strip() for cell in line.strip("|").split("|"))) for line in lines]


def test_each_bar_is_on_the_page_and_is_met_without_skill(claims):
    rows = rows_of(claims)
    for bar in BARS:
        ways = [row for row in rows if row.bar == bar]
        assert any(row.how.startswith("*") and row.met == "yes" for row in ways), bar


def test_the_table_is_in_the_form_that_the_script_writes(claims):
    rows = [row._replace(met=row.met == "yes") for row in rows_of(claims)]
    text = claims.PAGE.read_text(encoding="utf-8")
    assert claims.with_table(text, rows) == text
    with pytest.raises(ValueError, match="no place"):
        claims.with_table("nothing", rows)


@pytest.mark.slow
def test_shuffled_noise_looks_like_skill(claims):
    value, rate = claims.shuffled_noise()
    assert rate < 0.15
    assert value > 0.7
