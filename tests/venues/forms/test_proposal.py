import json

import pytest

from barograph.venues.forms.own import FormError, form_of
from barograph.venues.forms.proposal import proposal
from barograph.venues.forms.reader import FormReader
from recorded_forms import FORMS, advanced, invented


def proposed(objects):
    reader = FormReader()
    reader.settle(json.dumps(each).encode() for each in objects)
    return proposal(reader, "file.ndjson")


@pytest.mark.parametrize("form", ["flat", "flat ws", "flat epoch", "flat ids", "fields in data"])
def test_what_was_understood_is_a_form_that_reads_the_same(form):
    recorded = [json.dumps(FORMS[form](quote)).encode() for quote in invented(3)]
    known, own = FormReader(), FormReader(form=form_of(proposed(map(json.loads, recorded))))
    for reader in (known, own):
        reader.settle(recorded)
    for line in recorded:
        one, other = known.read(line), own.read(line)
        assert json.loads(one.frame) == json.loads(other.frame)
        assert one[1] == other[1]
        assert one[3:] == other[3:]


def test_what_is_missing_stands_there_to_be_filled_in():
    toml = proposed([{"unix_timestamp": 1758706553.6, "bid": 1.0, "ask": 2.0}] * 2)
    assert 'product = "BTC-USD"  # ←' in toml
    assert form_of(toml).unit == "s"
    assert "?" in proposed([{"product_id": "P", "price": 1}])
    with pytest.raises(FormError):
        form_of(proposed([{"product_id": "P", "price": 1}]).replace('ask = "?"', ""))


def test_a_form_with_something_left_to_fill_in_is_refused_by_the_names_of_it():
    toml = proposed([{"product_id": "P", "timestamp": "2026-01-01T00:00:00Z", "price": 1}])
    with pytest.raises(FormError, match=r'\[fields\] bid, ask is still "\?": write the name'):
        form_of(toml)


def test_a_terminal_folds_no_line_of_a_form():
    many = {f"another_field_of_this_recorder_{number}": 1 for number in range(30)}
    toml = proposed([{"product_id": "P", "timestamp": 5, "bid": 1, "ask": 2} | many])
    assert max(map(len, toml.splitlines())) <= 80
    assert form_of(toml).fields["bid"] == "bid"


def test_frames_need_no_form():
    assert proposed([advanced(invented(1)[0])]) == ""
    assert proposed([]) == ""


def test_a_strangers_names_stay_texts():
    toml = proposed([{'bid"\n[x]': 1, "timestamp": 5, "bid": 1, "ask": 2, "product_id": "P"}])
    assert form_of(toml).fields["bid"] == "bid"
