"""Stretches of a lake's events, each computed by itself: rows of features, and what proves them.

A stretch is a run of one product's events. It is read from some two hours earlier, so that every
window is full where it begins, and starts as if nothing had been before. What such a start lacks is
what windows forget; that they forgot it is not argued but seen: a stretch tells what of its state
decided its rows when it began (`feature_set.settled`), and what does when it ends. Where the end of
one is the begin of the next, both have the rows of a reader that read everything.
"""

import hashlib
import time
from collections.abc import Iterator, Mapping
from itertools import pairwise

import msgspec
import numpy as np
import polars as pl

from barograph.archive.lake import AGAIN, read_events
from barograph.errors import BadInputError
from barograph.feature_set.catalogue import FEATURE_SET_HASH
from barograph.feature_set.featurizer import Featurizer
from barograph.feature_set.settled import digest_of
from barograph.feature_set.state import checkpoint_of
from barograph.training.data_hash import BLOCK_EVENTS, blocks_of, events_by_kind
from barograph.training.results import Computed, Results
from barograph.types import DAY_S

EARLIER_H = 2
"""Hours before its own first one from which a stretch is read: more than the longest window."""

MOST_EVENTS = 32 * BLOCK_EVENTS
"""A stretch has at most so many events, which bounds the memory of whoever computes it."""

_HOURS_A_DAY = DAY_S // 3600


class Stretch(msgspec.Struct, frozen=True, kw_only=True):
    """Events `first` to before `end` of a product, read from event `reach` on.

    `paths` are all files that have one of them, `sha256` their hashes where these are known.
    `state`: the checkpoint of the product's state before `first`, where it is known: then nothing
    earlier is read. `lake` identifies what the files hold.
    """

    product: str
    paths: tuple[str, ...]
    sha256: tuple[str | None, ...] = ()
    reach: int
    first: int
    end: int
    lake: str
    state: bytes | None = None
    feature_set: str = FEATURE_SET_HASH

    @property
    def key(self) -> str:
        """Identifies its result."""
        return hashlib.sha256(msgspec.json.encode(self)).hexdigest()[:32]


def plan(index: pl.DataFrame, events: Mapping[str, int], lake: str) -> Iterator[Stretch]:
    """Yield the stretches of a lake, by product and in their order: about a day each.

    index: of `archive.lake`, with whole paths or addresses. events: how many each product has.
    Raises BadInputError where the index has not all of them.
    """
    of_product = index.sort("product", "hour").partition_by("product", as_dict=True)
    for product, count in events.items():
        if count:
            yield from _of_product(product, count, of_product.get((product,), index.clear()), lake)


def _of_product(product: str, count: int, files: pl.DataFrame, lake: str) -> Iterator[Stretch]:
    hour, first, last = (files[name].to_numpy() for name in ("hour", "first", "last"))
    _, begins = np.unique(hour // _HOURS_A_DAY, return_index=True)
    days = first[begins] // BLOCK_EVENTS * BLOCK_EVENTS
    days = np.unique([0, *days[days < count], count])
    edges = [
        each for begin, end in pairwise(days) for each in range(int(begin), int(end), MOST_EVENTS)
    ]
    for begin, end in zip(edges, [*edges[1:], count], strict=True):
        own = (first <= begin) & (begin <= last)
        if not own.any():
            raise BadInputError(
                f"the lake's index of {product}",
                f"no file has event {begin:,}",
                AGAIN,
            )
        from_hour = int(hour[own].min())
        earlier = (hour >= from_hour - EARLIER_H) & (hour <= from_hour) & (first <= begin)
        reach = int(first[earlier].min())
        needed = files.filter(pl.Series((first < end) & (last >= reach)))
        yield Stretch(
            product=product,
            paths=tuple(needed["path"].to_list()),
            sha256=tuple(needed["sha256"].to_list()),
            reach=reach,
            first=begin,
            end=end,
            lake=lake,
        )


def compute(stretch: Stretch, results: Results) -> Computed:
    """Compute a stretch into `results`, or return what was computed there before.

    Raises BadInputError for a damaged lake and one made with other features, DiskFullError, and
    ObjectStoreError where lake or results lie in one.
    """
    done = results.computed(stretch.key)
    if done is not None:
        return done
    if stretch.feature_set != FEATURE_SET_HASH:
        raise BadInputError(
            "this worker's Barograph",
            f"its feature set is {FEATURE_SET_HASH}, not {stretch.feature_set}",
            "Install the same version on every machine",
        )
    started = time.monotonic()
    featurizer, begin = Featurizer(), stretch.reach
    featurizer.product_index(stretch.product)
    if stretch.state is not None:
        featurizer.restore({stretch.product: stretch.state})
        begin = stretch.first
    events = read_events(stretch.paths, begin, stretch.end, stretch.sha256)
    featurizer.update(events[: stretch.first - begin])
    before = digest_of(featurizer.state(0)) if stretch.first else ""
    events = events[stretch.first - begin :]
    rows, late = featurizer.update(events)
    state = featurizer.state(0)
    done = Computed(
        before=before,
        after=digest_of(state),
        events=events_by_kind(events),
        late_ticks=len(late),
        rows=len(rows),
        blocks=blocks_of(events),
        seconds=time.monotonic() - started,
    )
    results.put(stretch.key, rows, checkpoint_of(state), done)
    return done


def going_on(stretch: Stretch, state: bytes) -> Stretch:
    """The same stretch, from the state that its product has where it begins."""
    return msgspec.structs.replace(stretch, state=state, reach=stretch.first)
