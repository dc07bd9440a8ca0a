"""Frames of other libraries, and the packages that some of them need."""

import polars as pl
import pytest

from barograph.errors import BadInputError
from barograph.library.foreign_frames import optional, polars_of

FRAME = pl.DataFrame({"a": [1, 2], "b": ["x", None]})


class Capsule:
    """Nothing but the Arrow C stream interface."""

    def __arrow_c_stream__(self, requested_schema=None):
        return FRAME.__arrow_c_stream__(requested_schema)


@pytest.mark.parametrize("made", [lambda: FRAME, FRAME.lazy, Capsule])
def test_a_frame_of_any_library_becomes_one_of_polars(made):
    # exact: the same values, moved
    assert polars_of(made()).equals(FRAME)


@pytest.mark.parametrize("made", [FRAME.to_arrow, FRAME.to_pandas])
def test_so_does_one_of_arrow_or_pandas(made):
    pytest.importorskip("pyarrow")
    pytest.importorskip("pandas")
    # exact: the same values, moved
    assert polars_of(made()).equals(FRAME)


def test_what_is_no_frame_is_refused():
    with pytest.raises(BadInputError, match=r"builtins.dict: it is no path and no frame"):
        polars_of({"a": [1]})


def test_a_package_that_is_not_there_is_named_with_its_cure():
    optional("polars")
    with pytest.raises(BadInputError, match="pip install nobody_has_this"):
        optional("nobody_has_this")
