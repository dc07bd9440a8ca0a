from barograph.feed.refused import Lately, Refusals
from barograph.types import DeadLetter, Fault


def letter(fault=Fault.FUTURE, detail="61.200 s ahead of its receipt"):
    return DeadLetter(fault=fault, detail=detail, source="c", position="1", key="", original=b"")


def test_what_is_refused_is_counted_with_its_first_reason_for_a_minute():
    state = Refusals()
    state.take(2, [], 0.0)
    state.take(0, [letter()], 1.5)
    state.take(0, [letter(Fault.NOT_JSON, "no")], 2.5)
    assert state.lately(30.0) == Lately(
        passed=2, refused=2, first="future: 61.200 s ahead of its receipt"
    )
    assert state.lately(61.9) == Lately(passed=0, refused=1, first="not_json: no")
    assert state.lately(999.0) == Lately(passed=0, refused=0)


def test_a_feed_that_refuses_everything_says_so_once_and_when_it_is_over():
    state = Refusals()
    for n in range(1200):
        state.take(0, [letter()], n / 100)
    assert state.warning(12.0) == (
        "all of 1,200 messages in the last 60 s were refused: future: 61.200 s ahead of its "
        "receipt; is this machine's clock slow?"
    )
    assert state.warning(13.0) is None
    for n in range(3):
        state.take(500, [], 14.0 + n)
    assert state.warning(20.0) == "most of what the venue sends passes again"
    assert state.warning(21.0) is None


def test_another_reason_is_reported_too():
    state = Refusals()
    state.take(0, [letter()], 0.0)
    state.warning(0.0)
    state.take(1, [letter(Fault.IMPLAUSIBLE, "trade 1 cannot follow trade 9")] * 3, 70.0)
    assert state.warning(71.0) == (
        "3 of 4 messages in the last 60 s were refused: implausible: trade 1 cannot follow trade 9"
    )


def test_a_few_refusals_are_counted_and_not_warned_of():
    state = Refusals()
    state.take(10, [letter(Fault.DUPLICATE, "again")] * 3, 0.0)
    assert state.warning(0.0) is None
    assert state.first == {"duplicate": "again"}


def test_what_is_remembered_is_bounded():
    state = Refusals()
    for second in range(1000):
        state.take(0, [letter(detail="x" * 100_000)], float(second))
    assert len(state._seconds) <= 60
    assert len(state.first["future"]) == 200
