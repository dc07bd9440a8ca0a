"""The churn case: which customers of a telephone company will leave?

The fields are the columns of IBM's Telco Customer Churn table, one customer per record; the outcome
is whether the customer left within the last month.
"""

from collections.abc import Iterator
from typing import Annotated, Any, Literal, get_args

import msgspec
import numpy as np
from msgspec import Meta

from barograph.cases.contract import Contract, Stream
from barograph.cases.tabular import tabular_case
from barograph.learning import candidates
from barograph.learning.candidates import Candidate
from barograph.learning.encoding import Encoding

YesNo = Literal["No", "Yes"]
Internet = Literal["No", "Yes", "No internet service"]
Payment = Literal[
    "Electronic check", "Mailed check", "Bank transfer (automatic)", "Credit card (automatic)"
]

# Bounds separate unit errors (cents for dollars, days for months) from large customers; the table's
# maxima are 72 months, 118.75 and 8,684.80 dollars.
Months = Annotated[int, Meta(ge=0, le=600)]
DollarsAMonth = Annotated[float, Meta(gt=0, le=1_000)]
Dollars = Annotated[float, Meta(ge=0, le=600_000)]


class Customer(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One customer, with the table's column names. Money in dollars, `tenure` in whole months."""

    customerID: Annotated[str, Meta(min_length=1, max_length=64)]  # noqa: N815 - as in the table
    gender: Literal["Female", "Male"]
    SeniorCitizen: Literal[0, 1]
    Partner: YesNo
    Dependents: YesNo
    tenure: Months
    PhoneService: YesNo
    MultipleLines: Literal["No", "Yes", "No phone service"]
    InternetService: Literal["No", "DSL", "Fiber optic"]
    OnlineSecurity: Internet
    OnlineBackup: Internet
    DeviceProtection: Internet
    TechSupport: Internet
    StreamingTV: Internet
    StreamingMovies: Internet
    Contract: Literal["Month-to-month", "One year", "Two year"]
    PaperlessBilling: YesNo
    PaymentMethod: Payment
    MonthlyCharges: DollarsAMonth
    TotalCharges: Dollars | None
    Churn: YesNo | None = None

    def __post_init__(self) -> None:
        """Raise ValueError if TotalCharges is null after the first month."""
        if self.TotalCharges is None and self.tenure > 0:
            raise ValueError(f"TotalCharges is null at tenure {self.tenure}, not 0")


CONTRACT = Contract(
    Customer,
    key="customerID",
    outcome="Churn",
    yes="Yes",
    # Null occurs only at tenure 0, where nothing has been charged yet, so 0 is exact.
    absent={"TotalCharges": 0.0},
)

_BOOSTING = candidates.Boosting(leaves=6, least_rows_in_leaf=40, feature_share=0.3, threads=1)

STREAM = Stream(
    contract=CONTRACT,
    source="telco.raw.customers",
    target="telco.churn.predictions",
    dead_letters="telco.churn.deadletter",
)


def contenders(features: tuple[str, ...], encoding: Encoding) -> tuple[Candidate, ...]:
    """Tenure alone (the reference), logistic regression, and two kinds of boosted trees."""
    return (
        candidates.logistic(("tenure",), repeats=1, name="tenure"),
        candidates.logistic(features, repeats=1, view=encoding),
        candidates.gradient_boosting(features, repeats=1, view=encoding),
        candidates.lightgbm(features, _BOOSTING, repeats=1, view=encoding),
    )


CHURN = tabular_case("churn", STREAM, candidates=contenders, reference="tenure")
"""Whether a customer will leave."""


def invent(count: int, seed: int) -> Iterator[bytes]:
    """Generate artificial customers as JSON records; their keys start with INVENTED.

    Column shares and churn rate resemble the table's; leaving is more likely with short tenure,
    month-to-month contract, fiber optic and electronic check. The same count and seed give the same
    bytes.
    """
    rng = np.random.default_rng(seed)
    for number in range(1, count + 1):
        record = _somebody(rng, f"INVENTED-{number:06d}")
        # Logits of the size that a logistic regression finds in the table.
        logit = (
            -1.6
            - record["tenure"] / 30
            + {"Month-to-month": 1.3, "One year": 0.3, "Two year": -0.9}[record["Contract"]]
            + {"Fiber optic": 1.0, "DSL": 0.1, "No": -0.8}[record["InternetService"]]
            + 0.5 * (record["PaymentMethod"] == "Electronic check")
        )
        record["Churn"] = _yes(rng, 1 / (1 + np.exp(-logit)))
        yield msgspec.json.encode(msgspec.convert(record, Customer))


def _somebody(rng: np.random.Generator, key: str) -> dict[str, Any]:
    """A random customer without an outcome."""
    contract = rng.choice(["Month-to-month", "One year", "Two year"], p=[0.55, 0.21, 0.24])
    longest = {"Month-to-month": 40, "One year": 72, "Two year": 72}[contract]
    tenure = int(rng.integers(0, longest + 1))
    phone, internet = _yes(rng, 0.9), rng.choice(["No", "DSL", "Fiber optic"], p=[0.22, 0.34, 0.44])
    services = {
        name: "No internet service" if internet == "No" else _yes(rng, share)
        for name, share in _SERVICES.items()
    }
    bought = sum(value == "Yes" for value in services.values())
    base = {"No": 0, "DSL": 25, "Fiber optic": 50}[internet]
    monthly = round(20 + base + 6 * bought + float(rng.normal(0, 1)), 2)
    return {
        "customerID": key,
        "gender": str(rng.choice(["Female", "Male"])),
        "SeniorCitizen": int(rng.random() < 0.16),
        "Partner": _yes(rng, 0.48),
        "Dependents": _yes(rng, 0.3),
        "tenure": tenure,
        "PhoneService": phone,
        "MultipleLines": _yes(rng, 0.47) if phone == "Yes" else "No phone service",
        "InternetService": str(internet),
        **services,
        "Contract": str(contract),
        "PaperlessBilling": _yes(rng, 0.59),
        "PaymentMethod": str(rng.choice(get_args(Payment), p=[0.34, 0.23, 0.22, 0.21])),
        "MonthlyCharges": monthly,
        "TotalCharges": round(tenure * monthly, 2) if tenure else None,
    }


def _yes(rng: np.random.Generator, share: float) -> str:
    return "Yes" if rng.random() < share else "No"


_SERVICES = {
    "OnlineSecurity": 0.37,
    "OnlineBackup": 0.44,
    "DeviceProtection": 0.44,
    "TechSupport": 0.37,
    "StreamingTV": 0.49,
    "StreamingMovies": 0.5,
}
"""Share of internet customers with each service."""
