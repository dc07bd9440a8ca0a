"""The shadow: the candidate's own predictions of what came since it was made, and nothing else."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph import codec
from barograph.cases.market import MARKET
from barograph.errors import ForeignFeaturesError
from barograph.pipeline.scorer import Scorer
from barograph.pipeline.shadow import Shadow
from barograph.types import Reason, Record
from scored_rows import Doubling, model, row

MADE_NS = 1_000


def record(offset, *, product="BTC-USD", taken_ns=MADE_NS, value=None, **row_facts):
    value = value or codec.encode(row(offset, product=product, **row_facts))
    headers = {"appended_time_ns": str(taken_ns)}
    return Record("ticks.features", 0, offset, product, value, headers)


def candidate(label="spikes/2", **facts):
    return model(label, Doubling(1.5), created_time_ns=MADE_NS, **facts)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["BTC-USD", "ETH-USD", "NEW-USD"]),
            st.integers(MADE_NS - 2, MADE_NS + 2),
            st.floats(1e-6, 1e-2),
            st.booleans(),
        ),
        max_size=30,
    )
)
def test_it_says_what_the_candidate_says_of_new_rows_of_its_products_in_their_order(rows):
    of_both = candidate(tau={"BTC-USD": 1e-4, "ETH-USD": 2e-4})
    records = [
        record(n, product=product, taken_ns=taken_ns, vol=vol,
               missing={"realized_vol_300s": Reason.GAP} if gap else None)
        for n, (product, taken_ns, vol, gap) in enumerate(rows)
    ]  # fmt: skip
    alone = Scorer(MARKET, of_both)
    expected = [
        (record.key, codec.encode(alone.predict(codec.decode_row(record.value))))
        for record, (product, taken_ns, _, _) in zip(records, rows, strict=True)
        if product != "NEW-USD" and taken_ns >= MADE_NS
    ]
    outcome = Shadow(MARKET, of_both).receive(records)
    assert outcome.values == expected
    assert outcome.dead_letters == []


def test_without_a_candidate_it_looks_at_nothing():
    assert Shadow(MARKET).receive([record(0, value=b"{"), record(1)]) == ([], [])


def test_what_cannot_be_used_is_left_to_the_scorer():
    foreign = codec.encode(row(1, feature_set="0" * 16))
    outcome = Shadow(MARKET, candidate()).receive([record(0, value=b"{"), record(1, value=foreign)])
    assert outcome == ([], [])


def test_it_speaks_for_another_candidate_from_the_next_record_on_and_then_for_none():
    shadow = Shadow(MARKET, candidate())
    values = [*shadow.receive([record(0)]).values]
    shadow.swap(candidate("spikes/3"))
    values += shadow.receive([record(1)]).values
    shadow.swap(None)
    assert shadow.receive([record(2)]).values == []
    assert [codec.decode_prediction(value).model for _, value in values] == ["spikes/2", "spikes/3"]


def test_a_model_of_other_features_is_refused_and_the_present_one_stays():
    shadow = Shadow(MARKET, candidate())
    with pytest.raises(ForeignFeaturesError):
        shadow.swap(candidate("spikes/3", feature_set="0" * 16))
    [(_, value)] = shadow.receive([record(0)]).values
    assert msgspec.json.decode(value)["model"] == "spikes/2"


def test_it_has_no_memory():
    shadow, records = (
        Shadow(MARKET, candidate()),
        [record(0), record(1, product="NEW-USD"), record(2)],
    )
    whole = shadow.receive(records).values
    assert shadow.snapshot() == {}
    later = Shadow(MARKET, candidate())
    later.restore({})
    assert later.receive(records[2:]).values == whole[1:]
