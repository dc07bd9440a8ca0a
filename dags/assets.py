"""What the DAGs make for each other: a DAG that names one as its schedule runs when it is made."""

from airflow.sdk import Asset

HOURLY_DATASET = Asset("hourly_dataset", uri="barograph://datasets/hourly")
HOURLY_CHAMPION = Asset("hourly_champion", uri="barograph://models/hourly/champion")
CUSTOMER_PREDICTIONS = Asset(
    "customer_predictions", uri="barograph://topics/telco.churn.predictions"
)
