"""Machines that break a law each, and the words that say so; one that keeps them all."""

import dataclasses
import itertools
import json
import math

import msgspec
import pytest

import queues
from barograph import codec
from barograph.cases.feature_laws import check_features
from barograph.errors import BadInputError
from barograph.types import Outcome, Record
from queues import LIVE, Counters


def records_of(count, seed=1):
    """Minutes of both queues as they come, one of each in turn."""
    messages = sorted(
        queues.minutes(count, seed), key=lambda one: (json.loads(one.value)["minute"], one.key)
    )
    return [
        Record(topic=one.topic, partition=0, offset=place, key=one.key, value=one.value)
        for place, one in enumerate(messages)
    ]


RECORDS = records_of(120)


def broken(machine, longest_window_s=600, columns=LIVE.columns, **others):
    """The laws that a machine breaks, each with its words."""
    live = dataclasses.replace(LIVE, machine=machine, columns=columns)
    check = check_features(live, RECORDS, longest_window_s=longest_window_s, **others)
    assert check.ok == all(law.holds for law in check.laws)
    return {law.law: law.broken for law in check.laws if not law.holds}


class Changed(Counters):
    """Rows of `Counters`, changed before they leave."""

    def change(self, row):
        raise NotImplementedError

    def receive(self, records):
        out = super().receive(records)
        rows = [(key, self.change(codec.decode_row(value))) for key, value in out.values]
        return Outcome([(key, codec.encode(row)) for key, row in rows], out.dead_letters)


def with_value(row, value):
    return msgspec.structs.replace(row, values=[value, *row.values[1:]])


class Counts(Changed):
    """Tells how many rows it made: its past has no end, and no checkpoint has it."""

    def __init__(self):
        super().__init__()
        self.made = 0

    def change(self, row):
        self.made += 1
        return with_value(row, float(self.made))


class LooksAhead(Counters):
    """Each row has the last value of its batch."""

    def receive(self, records):
        out = super().receive(records)
        rows = [codec.decode_row(value) for _, value in out.values]
        last = {row.product: row.values[0] for row in rows}
        values = [(row.product, codec.encode(with_value(row, last[row.product]))) for row in rows]
        return Outcome(values, out.dead_letters)


class Forgets(Counters):
    """Its checkpoint lacks the oldest value of the window."""

    def snapshot(self):
        for state in self.states.values():
            del state.waiting[:1]
        return super().snapshot()


class Shares(Counters):
    """Who waits in all queues together."""

    def _row(self, minute, state):
        everybody = sum(one.waiting[-1] for one in self.states.values() if one.waiting)
        return with_value(super()._row(minute, state), everybody)


class Remembers(Changed):
    """The highest value of its queue ever seen, which no window bounds; its checkpoint has it."""

    def change(self, row):
        state = self.states[row.product]
        self.best = getattr(self, "best", {})
        self.best[row.product] = max(self.best.get(row.product, 0.0), row.values[0])
        del state
        return with_value(row, self.best[row.product])

    def snapshot(self):
        kept = super().snapshot()
        return {key: value + b"\n%r" % self.best[key] for key, value in kept.items()}

    def restore(self, checkpoints):
        self.best = {key: float(value.split(b"\n")[1]) for key, value in checkpoints.items()}
        super().restore({key: value.split(b"\n")[0] for key, value in checkpoints.items()})


class Unreasoned(Changed):
    """Zero where nothing is known."""

    def change(self, row):
        values = [0.0 if value is None else value for value in row.values]
        return msgspec.structs.replace(row, values=values)


class Backwards(Changed):
    """A clock of its own."""

    clock = itertools.count(10**9, -60)

    def change(self, row):
        return msgspec.structs.replace(row, second=next(self.clock))


def test_a_machine_that_keeps_the_laws_is_told_so_with_what_was_known():
    check = check_features(LIVE, RECORDS, longest_window_s=600)
    assert check.ok
    assert all(law.shown for law in check.laws)
    assert (check.records, check.rows, check.keys) == (240, 240, 2)
    assert check.known == {"waiting": 240, "waiting_mean_10min": 222, "arriving": 240}


@pytest.mark.parametrize(
    ("machine", "law", "words"),
    [
        (Counts, "restored from its checkpoints", "restored after"),
        (Counts, "no value knows more", "where only the last"),
        (Counts, "keys do not know each other", "records of north alone"),
        (LooksAhead, "any cut into batches", "one record at a time, row 0 of north"),
        (LooksAhead, "a row does not know what comes after it", "without what follows record"),
        (Forgets, "restored from its checkpoints", "restored after"),
        (Shares, "keys do not know each other", "alone"),
        (Remembers, "no value knows more", "waiting of"),
        (Unreasoned, "a value is known, or its reason says", "is 0.0, and its reason WARMUP"),
        (Backwards, "in the order of its seconds", "comes after that of"),
    ],
)
def test_a_machine_that_breaks_a_law_is_told_which_and_where(machine, law, words):
    found = [text for name, text in broken(machine).items() if law in name]
    assert found, broken(machine)
    assert words in found[0]


def test_only_the_law_that_is_broken_is_told():
    assert list(broken(Remembers)) == ["no value knows more than 600 s of the past"]
    assert list(broken(Counters, longest_window_s=300)) == [
        "no value knows more than 300 s of the past"
    ]


def test_columns_and_rows_must_be_of_each_other():
    odd = broken(Counters, columns=("waiting", "waiting", "Arriving!"))
    assert "'Arriving!' is not of small letters" in odd["columns have plain names, each once"]
    fewer = broken(Counters, columns=("waiting", "arriving"))
    assert "3 values and 3 reasons for 2 columns" in " ".join(fewer.values())


def test_an_oracle_is_asked_of_each_row_and_of_nothing_later():
    def oracle(values):
        waiting = [json.loads(value)["waiting"] for value in values][-10:]
        mean = math.fsum(waiting) / 10 if len(waiting) == 10 else None
        return [waiting[-1], mean, json.loads(values[-1])["arriving"]]

    assert broken(Counters, oracle=oracle) == {}
    off = broken(Counters, oracle=lambda values: [*oracle(values)[:2], 7.0])
    assert list(off) == ["the oracle says the same"]
    assert "arriving of" in off["the oracle says the same"]


def test_a_law_that_the_records_cannot_break_is_not_said_to_hold():
    check = check_features(LIVE, RECORDS[:30], longest_window_s=600)
    assert [law.law for law in check.laws if not law.shown] == [
        "no value knows more than 600 s of the past"
    ]


def test_without_rows_or_a_machine_nothing_can_be_said():
    with pytest.raises(BadInputError, match="gave no row, 1 were refused"):
        check_features(LIVE, [Record("t", 0, 0, "north", b"{")], longest_window_s=600)
    with pytest.raises(BadInputError, match="Name the case whose machine"):
        check_features(dataclasses.replace(LIVE, machine=None), RECORDS, longest_window_s=600)


def test_what_is_no_row_is_refused():
    class Odd(Counters):
        def receive(self, records):
            return Outcome([(record.key, b"{}") for record in records], [])

    with pytest.raises(BadInputError, match="a row cannot be read"):
        check_features(dataclasses.replace(LIVE, machine=Odd), RECORDS, longest_window_s=600)


@pytest.mark.parametrize(
    ("method", "returned", "why"),
    [
        ("receive", None, r"receive: it returned None\. Return barograph.types.Outcome"),
        ("receive", ([], []), r"receive: it returned \(\[\], \[\]\)"),
        ("receive", Outcome(None, []), "receive: it returned Outcome"),
        ("receive", Outcome([("a", "{}")], []), r"returned \('a', '\{\}'\)\. Let its values be"),
        ("receive", Outcome(["row"], []), "returned 'row'"),
        ("snapshot", None, r"snapshot: it returned None\. Return a dict"),
    ],
)
def test_a_machine_that_returns_something_else_is_named_with_its_method(method, returned, why):
    class Odd(Counters):
        pass

    setattr(Odd, method, lambda *_given: returned)
    with pytest.raises(BadInputError, match=rf"Odd\.{why}" if why.startswith(method) else why):
        broken(Odd)


def test_a_factory_that_makes_no_machine_and_an_oracle_that_says_nothing_are_refused():
    with pytest.raises(BadInputError, match=r"machine\(\) gives None, which receives nothing"):
        broken(lambda: None)
    with pytest.raises(BadInputError, match=r"the oracle .* returned None"):
        broken(Counters, oracle=lambda _values: None)
