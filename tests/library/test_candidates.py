"""The candidates of a notebook: those of a case, and graphs from files."""

from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest

import barograph as bg
from barograph.cases.churn import CHURN
from barograph.cases.spikes import SPIKES
from barograph.errors import BadInputError
from barograph.library.candidates import case_of_default, is_default
from foreign_graphs import graph
from registered_models import FEATURES


def test_the_defaults_are_those_of_train_and_are_known_again():
    default = bg.candidates.default()
    assert [one.name for one in default] == [
        one.name for one in SPIKES.candidates(SPIKES.live.columns)
    ]
    assert all(is_default(one, SPIKES) for one in default)
    assert not is_default(bg.candidates.persistence("ewma_vol_60s", name="ewma"), SPIKES)
    assert {case_of_default(one) for one in default} == {"spikes"}
    assert case_of_default(bg.candidates.persistence()) == ""
    assert bg.candidates.default("spikes") == default
    assert bg.candidates.default(SPIKES) is not default, "a list of the caller's own"


def test_a_case_of_records_has_none_without_its_contract():
    with pytest.raises(BadInputError, match="depend on the fields"):
        bg.candidates.default(CHURN)


def test_a_graph_is_taken_from_bytes_or_a_file_with_the_end_of_its_training(tmp_path):
    onnx = graph(width=2)
    (tmp_path / "theirs.onnx").write_bytes(onnx)
    until = datetime(2026, 3, 1, 13, tzinfo=timezone(timedelta(hours=1)))
    for given in (onnx, tmp_path / "theirs.onnx", str(tmp_path / "theirs.onnx")):
        candidate = bg.candidates.from_onnx(
            given, features=FEATURES, name="theirs", fitted_until=until
        )
        noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
        assert candidate.fitted_until_ns == int(noon.timestamp()) * 10**9
        assert (candidate.name, candidate.features) == ("theirs", FEATURES)


def test_a_time_without_a_zone_and_a_file_that_is_not_there_are_refused(tmp_path):
    naive = datetime(2026, 3, 1)  # noqa: DTZ001 - what is refused
    with pytest.raises(BadInputError, match="it has no time zone"):
        bg.candidates.from_onnx(
            graph(width=2), features=FEATURES, name="theirs", fitted_until=naive
        )
    for until in ("2026-03-01", naive.date(), np.datetime64("2026-03-01"), 5):
        with pytest.raises(BadInputError, match=r"it is no datetime\. Give one with its zone"):
            bg.candidates.from_onnx(
                graph(width=2), features=FEATURES, name="theirs", fitted_until=until
            )
    for given in (tmp_path, "", 5, None):
        with pytest.raises(BadInputError, match="give its bytes"):
            bg.candidates.from_onnx(given, features=FEATURES, name="theirs")
    with pytest.raises(BadInputError, match="cannot be read"):
        bg.candidates.from_onnx(tmp_path / "none.onnx", features=FEATURES, name="theirs")
