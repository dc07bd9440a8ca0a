"""The churn case: its contract on the real table, and the customers that it makes up."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.cases.churn import CHURN, CONTRACT, STREAM, Customer, contenders, invent
from barograph.cases.contract import RecordRefusedError
from barograph.cases.record_file import lines
from barograph.learning.encoding import Encoding
from barograph.types import Fault


@pytest.fixture(scope="module")
def values(data):
    return [line.value for line in lines(data / "churn" / "Telco-Customer-Churn.csv", CONTRACT)]


@pytest.fixture(scope="module")
def customers(values):
    return [CONTRACT.decode(value) for value in values]


def test_every_real_customer_is_accepted(customers):
    assert len(customers) == 7043
    assert sum(CONTRACT.outcome_of(customer) for customer in customers) == 1869
    assert len({CONTRACT.key_of(customer) for customer in customers}) == 7043


def test_the_eleven_without_a_bill_yet_have_a_total_of_nothing(customers):
    place = CONTRACT.features.index("TotalCharges")
    unbilled = [customer for customer in customers if customer.TotalCharges is None]
    assert len(unbilled) == 11
    assert {customer.tenure for customer in unbilled} == {0}
    assert {CONTRACT.numbers(customer)[place] for customer in unbilled} == {0.0}
    assert sum(customer.tenure == 0 for customer in customers) == 11


def test_a_real_customer_as_models_see_her(customers):
    (her,) = (customer for customer in customers if CONTRACT.key_of(customer) == "7760-OYPDY")
    assert (her.tenure, her.Churn) == (2, "Yes")
    features = dict(zip(CONTRACT.features, CONTRACT.numbers(her), strict=True))
    # exact: decimals as they were read
    assert features == {
        "gender": 0.0,
        "SeniorCitizen": 0.0,
        "Partner": 0.0,
        "Dependents": 0.0,
        "tenure": 2.0,
        "PhoneService": 1.0,
        "MultipleLines": 0.0,
        "InternetService": 2.0,
        "OnlineSecurity": 0.0,
        "OnlineBackup": 0.0,
        "DeviceProtection": 0.0,
        "TechSupport": 0.0,
        "StreamingTV": 1.0,
        "StreamingMovies": 0.0,
        "Contract": 0.0,
        "PaperlessBilling": 1.0,
        "PaymentMethod": 0.0,
        "MonthlyCharges": 80.65,
        "TotalCharges": 144.15,
    }


def test_neither_the_outcome_nor_the_key_is_a_feature_of_any_candidate():
    assert len(CONTRACT.features) == 19
    for candidate in CHURN.candidates(CONTRACT.features):
        assert not {"Churn", "customerID"} & set(candidate.features)


def test_the_reference_knows_nothing_but_the_months():
    made = contenders(CONTRACT.features, Encoding.of(CONTRACT.categories))
    assert [candidate.name for candidate in made] == [
        "tenure", "logistic", "gradient_boosting", "lightgbm",
    ]  # fmt: skip
    assert CHURN.reference == "tenure"
    assert made[0].features == ("tenure",)


def test_topics_are_the_streams():
    assert CHURN.stream is STREAM
    assert (STREAM.source, STREAM.target, STREAM.dead_letters) == (
        "telco.raw.customers", "telco.churn.predictions", "telco.churn.deadletter",
    )  # fmt: skip


ONE = next(invent(1, seed=0))

REFUSED = {
    "no total after the first month": ({"tenure": 3, "TotalCharges": None}, Fault.WRONG_SHAPE),
    "a tenure in days": ({"tenure": 1000}, Fault.OUT_OF_RANGE),
    "a tenure before the first day": ({"tenure": -1}, Fault.OUT_OF_RANGE),
    "charges in cents": ({"MonthlyCharges": 2985}, Fault.OUT_OF_RANGE),
    "charges of nothing": ({"MonthlyCharges": 0}, Fault.OUT_OF_RANGE),
    "a total owed to the customer": ({"TotalCharges": -1.0}, Fault.OUT_OF_RANGE),
    "a contract that nobody offers": ({"Contract": "Weekly"}, Fault.UNKNOWN_CATEGORY),
    "a tenure in words": ({"tenure": "two"}, Fault.NOT_A_NUMBER),
    "a half month": ({"tenure": 2.5}, Fault.WRONG_SHAPE),
    "nobody": ({"customerID": ""}, Fault.WRONG_SHAPE),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_no_customer_can_be_is_refused(what):
    changed, fault = REFUSED[what]
    with pytest.raises(RecordRefusedError) as refused:
        CONTRACT.decode(json.dumps(json.loads(ONE) | changed).encode())
    assert refused.value.fault is fault


def test_the_refusal_of_a_missing_total_says_why():
    value = json.dumps(json.loads(ONE) | {"tenure": 3, "TotalCharges": None}).encode()
    with pytest.raises(RecordRefusedError, match="TotalCharges is null at tenure 3, not 0"):
        CONTRACT.decode(value)


@given(st.integers(0, 2**32 - 1))
def test_made_up_customers_keep_the_contract_and_say_that_they_are_made_up(seed):
    made = list(invent(20, seed))
    assert made == list(invent(20, seed))
    for number, value in enumerate(made, 1):
        customer = CONTRACT.decode(value)
        assert isinstance(customer, Customer)
        assert customer.customerID == f"INVENTED-{number:06d}"
        assert customer.Churn in {"Yes", "No"}
        assert (customer.TotalCharges is None) == (customer.tenure == 0)
        offline = {customer.OnlineSecurity, customer.TechSupport, customer.StreamingTV}
        assert ("No internet service" in offline) == (customer.InternetService == "No")
        assert (customer.MultipleLines == "No phone service") == (customer.PhoneService == "No")


@pytest.mark.slow
def test_made_up_customers_are_like_the_real_ones_on_the_whole(customers):
    made = [CONTRACT.decode(value) for value in invent(4000, seed=2)]
    for feature, count in zip(CONTRACT.features, CONTRACT.categories, strict=True):
        if count:
            ours, theirs = (
                np.array([getattr(customer, feature) for customer in some])
                for some in (made, customers)
            )
            for value in set(theirs):
                assert abs((ours == value).mean() - (theirs == value).mean()) < 0.05, feature
    shares = [
        np.mean([CONTRACT.outcome_of(customer) for customer in some]) for some in (made, customers)
    ]
    assert abs(shares[0] - shares[1]) < 0.04
    for feature in ("tenure", "MonthlyCharges"):
        means = [np.mean([getattr(c, feature) for c in some]) for some in (made, customers)]
        assert abs(means[0] / means[1] - 1) < 0.25, feature
