"""Golden vectors: features of a fixed market, as this version computed them when it was laid down.

`python tests/feature_set/test_golden.py` writes them anew.
That is a changed feature value: bump FEATURE_SET and tell it in CHANGELOG.md.
"""

import json
import math
from pathlib import Path

import pytest

from barograph.feature_set.catalogue import FEATURE_SET, NAMES
from barograph.feature_set.featurizer import Featurizer
from barograph.types import Reason
from invented_markets import market

FILE = Path(__file__).parent / "golden" / f"features_{FEATURE_SET}.json"

SEGMENT = {
    "seconds": 320, "ticks_per_s": 1.5, "heartbeats": True, "vol": 5e-5,
    "sizes": True, "volume": True, "before": "",
}  # fmt: skip
SEGMENTS = [
    SEGMENT,
    {**SEGMENT, "ticks_per_s": 0.2},
    {**SEGMENT, "vol": 1e-3},
    {**SEGMENT, "before": "gap", "seconds": 100},
    {**SEGMENT, "sizes": False, "volume": False, "seconds": 70},
]
EVERY = 61


def rows():
    featurizer = Featurizer()
    featurizer.product_index("0")
    made, _ = featurizer.update(market((20260101, SEGMENTS)))
    return [
        {
            "second": int(row["second"]),
            "log_mid_e9": int(row["log_mid_e9"]),
            "values": {
                name: Reason(int(reason)).name if math.isnan(value) else value
                for name, value, reason in zip(
                    NAMES, row["values"].tolist(), row["reasons"], strict=True
                )
            },
        }
        for row in made[::EVERY]
    ]


def test_features_are_those_of_the_golden_file():
    """Bit for bit on the machine that made it; elsewhere libm may differ in the last places."""
    golden = json.loads(FILE.read_text())
    ours = rows()
    assert len(golden) == len(ours) > 15
    for theirs, row in zip(golden, ours, strict=True):
        assert row["second"] == theirs["second"]
        assert abs(row["log_mid_e9"] - theirs["log_mid_e9"]) <= 1
        for name, value in theirs["values"].items():
            if isinstance(value, str):
                assert row["values"][name] == value, name
            else:
                assert row["values"][name] == pytest.approx(value, rel=1e-12, abs=1e-18), name


if __name__ == "__main__":
    FILE.write_text(json.dumps(rows(), indent=1) + "\n")
