"""What a report says of the data of a training and of its folds."""

import msgspec

from barograph.cases.sampled import SampleFacts


class DataFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The data of a training: the dataset, and its usable rows and features.

    `unused` counts unusable rows by reason, `features_left_out` maps names to reasons; `keys` are
    the products, or other keys of the rows. `sample` is there where the history was sampled: then
    `usable_rows` are those that were kept, and `unused` counts rows of the history by those that
    stand for them.
    """

    data_hash: str
    feature_set: str
    usable_rows: int
    unused: dict[str, int]
    features: tuple[str, ...]
    features_left_out: dict[str, str]
    keys: tuple[str, ...]
    sample: SampleFacts | msgspec.UnsetType = msgspec.UNSET


class SideFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One side of a fold: number of rows, their span in time and their share of positives.

    `stands_for` is there where the history was sampled: how many rows these stand for, of which
    `base_rate` is the share.
    """

    rows: int
    start_ns: int
    end_ns: int
    base_rate: float
    stands_for: int | msgspec.UnsetType = msgspec.UNSET


class FoldFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One fold: its sides, the tau of each key, the choice and its scores.

    `selection` is each candidate's log loss on held-out rows, or its QLIKE where the case has a
    level (infinite without a forecast), `thresholds` the probability from which each one acts.
    """

    train: SideFacts
    test: SideFacts
    tau: dict[str, float]
    chosen: str
    selection: dict[str, float]
    thresholds: dict[str, float]
