"""How often checkpoints are due: by records, by what they weigh, and by time at the latest."""

import pytest

from barograph.pipeline.checkpoint_cadence import (
    BYTES_A_RECORD,
    MOST_RECORDS,
    MOST_WAIT_NS,
    CheckpointCadence,
)

EVERY = 1000


@pytest.mark.parametrize("products", [0, 1])
def test_those_of_few_products_are_due_after_every_so_many_records(products):
    cadence = CheckpointCadence({f"P{n}": bytes(20_000) for n in range(products)})
    assert not cadence.is_due(EVERY, EVERY - 1, 0)
    assert cadence.is_due(EVERY, EVERY, 0)


def test_those_of_many_products_wait_for_as_many_records_as_they_are_worth():
    cadence = CheckpointCadence({f"P{n}": bytes(50_000) for n in range(5)})
    worth = 5 * 50_000 // BYTES_A_RECORD
    assert not cadence.is_due(EVERY, worth - 1, 0)
    assert cadence.is_due(EVERY, worth, 0)


def test_a_restart_never_receives_more_than_the_most_records_again():
    cadence = CheckpointCadence({f"P{n}": bytes(50_000) for n in range(1_000)})
    assert not cadence.is_due(EVERY, MOST_RECORDS - 1, 0)
    assert cadence.is_due(EVERY, MOST_RECORDS, 0)


def test_a_quiet_partition_keeps_its_records_waiting_for_a_minute_at_most():
    cadence = CheckpointCadence({f"P{n}": bytes(50_000) for n in range(1_000)})
    assert not cadence.is_due(EVERY, 1, 5)
    assert not cadence.is_due(EVERY, EVERY, 5 + MOST_WAIT_NS - 1)
    assert not cadence.is_due(EVERY, EVERY - 1, 5 + MOST_WAIT_NS)
    assert cadence.is_due(EVERY, EVERY, 5 + MOST_WAIT_NS)


def test_the_last_ones_say_what_the_next_ones_weigh():
    cadence = CheckpointCadence({f"P{n}": bytes(50_000) for n in range(1_000)})
    cadence.taken({"P0": bytes(50_000)})
    assert cadence.is_due(EVERY, 50_000 // BYTES_A_RECORD, 0)
    cadence.taken({f"P{n}": bytes(50_000) for n in range(1_000)})
    assert not cadence.is_due(EVERY, 50_000 // BYTES_A_RECORD, MOST_WAIT_NS)
