"""What a model gets of a frame: rows of features by name, or records that keep a contract."""

import warnings
from collections.abc import Sequence

import numpy as np
import polars as pl

from barograph.arrays import Float32
from barograph.cases.case import Case
from barograph.cases.contract import Contract, RecordRefusedError
from barograph.errors import BadInputError
from barograph.foreign import first_few
from barograph.library.foreign_frames import polars_of
from barograph.registry.model import TAU, ModelFacts

_TEXTS = (pl.String, pl.Categorical, pl.Enum)


def inputs_of(label: str, facts: ModelFacts, case: Case, X: object) -> Float32:
    """(n, f) float32: the inputs of the model `label` for each row of X; NaN where one is unknown.

    Of a series X has the features and `product`; a product without a tau is unknown, and there is a
    warning where that is every one. Of a case of records X has the fields of its contract, as a
    file of them has; what breaks it is unknown, with a warning that counts it. Raises BadInputError
    for what is no frame, a column that is missing or of another type, and where no record keeps the
    contract.
    """
    frame = polars_of(X)
    if case.stream is not None:
        return _of_records(label, facts, case.stream.contract, frame)
    return _of_rows(label, facts, frame)


def _of_rows(label: str, facts: ModelFacts, frame: pl.DataFrame) -> Float32:
    needed = [name for name in facts.features if name != TAU]
    _refuse_missing(
        label,
        frame,
        (*needed, "product"),
        "Give what barograph.features returned, or all of model.features and product",
    )
    columns = {name: _numbers(label, frame[name]) for name in needed}
    columns[TAU] = _taus(label, facts, frame["product"])
    table = pl.DataFrame({name: columns[name] for name in facts.features})
    # As the live scorer, which has no model for a product without a tau.
    table = table.with_columns(pl.when(columns[TAU].is_not_null()).then(pl.all()))
    return _narrow(table.fill_null(np.nan).to_numpy())


def _taus(label: str, facts: ModelFacts, product: pl.Series) -> pl.Series:
    """The tau of each row's product, null where the model has none."""
    if product.dtype not in _TEXTS and product.dtype != pl.Null:
        raise BadInputError(
            f"model {label}", f"the column product is {product.dtype}, no text", "Name products"
        )
    products = product.to_list()
    taus = pl.Series([facts.tau.get(one) for one in products], dtype=pl.Float64)
    if len(taus) and taus.null_count() == len(taus):
        known, given = first_few(list(facts.tau)), first_few(sorted({str(one) for one in products}))
        warnings.warn(
            f"model {label} was trained on {known}, and all rows are of {given}: it says nothing "
            "of them",
            stacklevel=5,  # who asked the model
        )
    return taus


def _numbers(label: str, column: pl.Series) -> pl.Series:
    if not column.dtype.is_numeric() and column.dtype != pl.Null:
        raise BadInputError(
            f"model {label}",
            f"the column {column.name} is {column.dtype}, no number",
            "Give it as numbers (.cast(pl.Float64)), null where it is unknown",
        )
    return column.cast(pl.Float64)


def _narrow(x: np.ndarray) -> Float32:
    with np.errstate(over="ignore"):  # beyond float32 it is infinite, and so unknown
        return np.ascontiguousarray(x, np.float32)


def _refuse_missing(label: str, frame: pl.DataFrame, names: Sequence[str], cure: str) -> None:
    if missing := [name for name in names if name not in frame.columns]:
        why = f"the frame has no column {', '.join(missing)[:300]}"
        raise BadInputError(f"model {label}", why, cure)


def _of_records(label: str, facts: ModelFacts, contract: Contract, frame: pl.DataFrame) -> Float32:
    fields = (contract.key, *contract.features)
    cure = "Give records with every field of the contract, as a file of them has (CSV, say)"
    _refuse_missing(label, frame, fields, cure)
    present = [*fields, *({contract.outcome} & {*frame.columns})]
    places = [contract.features.index(name) for name in facts.features]
    x = np.full((len(frame), len(contract.features)), np.nan)
    refused: list[str] = []
    for row, cells in enumerate(frame.select(present).iter_rows(named=True)):
        try:
            record = contract.from_text({name: _cell(value) for name, value in cells.items()})
            x[row] = contract.numbers(contract.decode(record))
        except RecordRefusedError as error:
            refused.append(f"row {row}: {error.detail}")
    if refused and len(refused) == len(frame):
        raise BadInputError(
            f"model {label}",
            f"none of {len(frame):,} rows is a record that keeps its contract ({refused[0]})",
            "Give records as they come, categories as their words and not as codes",
        )
    if refused:
        warnings.warn(
            f"{len(refused):,} of {len(frame):,} rows break the contract: {refused[0]}",
            stacklevel=4,  # who asked the model
        )
    return _narrow(x[:, places])


def _cell(value: object) -> str:
    """A value as a text table has it: "" where it is null or NaN."""
    unknown = value is None or value != value  # noqa: PLR0124 - NaN is not itself
    return "" if unknown else str(value)
