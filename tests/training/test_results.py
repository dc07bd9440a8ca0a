"""Results of stretches: whole or not there, wherever they lie."""

import pickle
from importlib.util import find_spec

import numpy as np
import pytest

from barograph.errors import BadInputError
from barograph.feature_set.catalogue import ROW
from barograph.training.results import Computed, Folder, Results, Stored, results_in

COMPUTED = Computed(
    before="", after="a", events={"tick": 2}, late_ticks=0, rows=2, blocks=[b"b"], seconds=0.5
)
ROWS = np.zeros(2, ROW)
ROWS["second"] = 5, 6


@pytest.fixture(params=["folder", "file", "memory"])
def place(request, tmp_path):
    if request.param == "folder":
        return str(tmp_path)
    if find_spec("fsspec") is None:
        pytest.skip("the extra lake is not installed")
    return f"{request.param}://{tmp_path}/"


def test_what_is_put_is_there_by_its_key_until_all_is_cleared(place):
    results, other = results_in(place, "some"), results_in(place, "other")
    assert results.finished() == set()
    assert results.computed("k") is None
    other.put("k", ROWS[:1], b"other", COMPUTED)
    results.put("k", ROWS, b"state", COMPUTED)
    assert results.finished() == {"k"}
    assert results.computed("k") == COMPUTED
    assert (results.rows("k") == ROWS).all()
    assert results.state("k") == b"state"
    results.clear()
    assert results.finished() == set()
    assert other.state("k") == b"other"


def test_what_was_not_finished_is_not_there(place):
    results = results_in(place, "some")
    results._place.put("k.npy", b"")
    assert results.finished() == set()
    results._place.put("k.json", b'{"before"')
    assert results.computed("k") is None
    results.put("k", ROWS, b"state", COMPUTED)
    assert results.finished() == {"k"}


@pytest.mark.parametrize("gone", ["k.npy", "k.state"])
def test_one_of_which_a_part_was_removed_is_computed_anew(tmp_path, gone):
    results = results_in(str(tmp_path), "some")
    results.put("k", ROWS, b"state", COMPUTED)
    (tmp_path / "some" / gone).unlink()
    with pytest.raises(BadInputError, match="computed anew"):
        results.rows("k"), results.state("k")
    assert results.finished() == set()
    assert results.computed("k") is None


def test_a_place_that_is_no_folder_is_an_error(tmp_path):
    (tmp_path / "some").write_text("")
    with pytest.raises(BadInputError, match="it cannot be written"):
        results_in(str(tmp_path), "some").finished()
    with pytest.raises(BadInputError, match="it cannot be written"):
        results_in(str(tmp_path), "some").put("k", ROWS, b"state", COMPUTED)


def test_nothing_is_left_of_what_is_cleared(tmp_path, place):
    results = results_in(place, "some")
    results.put("k", ROWS, b"state", COMPUTED)
    results.clear()
    assert not (tmp_path / "some").exists()


def test_it_goes_to_other_processes(place):
    results = results_in(place, "some")
    results.put("k", ROWS, b"state", COMPUTED)
    again = pickle.loads(pickle.dumps(results))  # noqa: S301 - our own
    assert again.computed("k") == COMPUTED


def test_a_place_is_a_folder_or_an_address(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert results_in("here", "some")._place.path == tmp_path / "here" / "some"
    assert isinstance(results_in("s3://b/x", "some")._place, Stored)
    assert isinstance(Results(Folder(tmp_path))._place, Folder)
