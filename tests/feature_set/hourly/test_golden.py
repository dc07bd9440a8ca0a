"""Golden vectors: features of fixed hours, as this version computed them when it was laid down.

`python tests/feature_set/hourly/test_golden.py` writes them anew.
That is a changed feature value: bump FEATURE_SET and tell it in CHANGELOG.md.
"""

import json
import math
from pathlib import Path

import pytest

from barograph.codec import NAT
from barograph.feature_set.hourly.catalogue import FEATURE_SET, NAMES
from barograph.types import Reason
from invented_candles import CALM, candles, every_row

FILE = Path(__file__).parent / "golden" / f"hourly_{FEATURE_SET}.json"

PARTS = [
    CALM | {"hours": 760, "realized": True},
    CALM | {"hours": 40, "vol": 0.1, "before": "hole"},
    CALM | {"hours": 60, "vol": 1e-4, "still": 0.3, "quiet": 0.1},
    CALM | {"hours": 30, "before": "long hole"},
]
PLACES = (0, 30, 200, 700, 750, 761, 790, 840, 870, 885)


def rows():
    made, _ = every_row(candles((20260101, PARTS, 0.05)))
    return [
        {
            "second": int(row["second"]),
            "log_mid_e9": None if row["log_mid_e9"] == NAT else int(row["log_mid_e9"]),
            "values": {
                name: Reason(int(reason)).name if math.isnan(value) else value
                for name, value, reason in zip(
                    NAMES, row["values"].tolist(), row["reasons"], strict=True
                )
            },
        }
        for row in made[list(PLACES)]
    ]


def test_features_are_those_of_the_golden_file():
    """Bit for bit on the machine that made it; elsewhere libm may differ in the last places."""
    golden = json.loads(FILE.read_text())
    ours = rows()
    assert len(golden) == len(ours) == len(PLACES)
    for theirs, row in zip(golden, ours, strict=True):
        assert row["second"] == theirs["second"]
        assert (row["log_mid_e9"] is None) == (theirs["log_mid_e9"] is None)
        assert abs((row["log_mid_e9"] or 0) - (theirs["log_mid_e9"] or 0)) <= 1
        for name, value in theirs["values"].items():
            if isinstance(value, str):
                assert row["values"][name] == value, name
            else:
                # A quantity of an hour whose last digit libm rounds otherwise moves by 1e-15.
                assert row["values"][name] == pytest.approx(value, rel=1e-9, abs=1e-7), name


if __name__ == "__main__":
    FILE.write_text(json.dumps(rows(), indent=1) + "\n")
