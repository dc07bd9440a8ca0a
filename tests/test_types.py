import inspect
import re

import msgspec
import pytest

from barograph import types
from barograph.types import Reason, TimeNs, Verdict

STRUCTS = [
    member
    for _, member in inspect.getmembers(types, inspect.isclass)
    if issubclass(member, msgspec.Struct) and member.__module__ == types.__name__
]
WRITTEN = [
    types.Tick,
    types.Heartbeat,
    types.Trade,
    types.Gap,
    types.FeatureRow,
    types.Prediction,
    types.DeadLetter,
]


@pytest.mark.parametrize("struct", STRUCTS)
def test_a_word_does_not_change_once_said(struct):
    assert struct.__struct_config__.frozen


@pytest.mark.parametrize("struct", WRITTEN)
def test_what_goes_into_a_log_says_its_kind_and_version(struct):
    assert re.fullmatch(r"[a-z]+/\d+", struct.__struct_config__.tag)


def test_no_two_kinds_of_record_share_a_tag():
    tags = [struct.__struct_config__.tag for struct in WRITTEN]
    assert len(set(tags)) == len(tags)


@pytest.mark.parametrize("struct", STRUCTS)
def test_a_time_is_an_integer_of_nanoseconds_and_says_so(struct):
    times = {f.name: f.type for f in msgspec.structs.fields(struct) if "time" in f.name}
    assert {name for name in times if not name.endswith("_ns")} == set()
    assert all(kind in (TimeNs, TimeNs | None, int, int | None) for kind in times.values())


def test_a_reason_is_one_digit_in_a_row():
    assert all(0 <= reason <= 9 for reason in Reason)


def test_every_reason_for_which_one_can_wait_is_a_verdict_too():
    waiting = {reason.name for reason in Reason} - {"KNOWN", "NOT_OFFERED"}
    assert waiting <= {verdict.value for verdict in Verdict}
