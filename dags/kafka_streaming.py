"""A file of customers scored as a stream, behind each batch; each task is a verb of Barograph.

It runs when `kafka_batch` has made predictions, and sends what the file has grown by since.
"""

from datetime import timedelta

from airflow.sdk import DAG, Param
from assets import CUSTOMER_PREDICTIONS
from terms import DAGS, OF_CASE, PLACES, RECORDS
from verb import VerbOperator

with DAG(
    "kafka_streaming",
    description="Records of a file, produced at a rate and scored as they come",
    doc_md=__doc__,
    schedule=[CUSTOMER_PREDICTIONS],
    dagrun_timeout=timedelta(hours=2),
    params=RECORDS
    | {
        "rate": Param(50, type="number", exclusiveMinimum=0, description="Records per second"),
        "seconds": Param(30, type="number", minimum=0, description="How long records are scored"),
    },
    **DAGS,
):
    health = VerbOperator(
        task_id="health",
        verb=["doctor", "--for=kafka"],
        options=PLACES,
        figures=["state", "findings"],
        no="retry",
    )
    produce = VerbOperator(
        task_id="produce",
        verb=["produce", "--mode=stream"],
        arguments=["{{ params.file }}"],
        options=OF_CASE | {"--rate": "{{ params.rate }}"},
        figures=["rows", "sent", "skipped", "rate"],
    )
    consume = VerbOperator(
        task_id="consume",
        verb=["consume", "--mode=stream"],
        options=OF_CASE | {"--seconds": "{{ params.seconds }}"},
        figures=["records", "values", "dead_letters", "lag", "records_per_s"],
    )
    summary = VerbOperator(
        task_id="summary", verb=["topics", "list"], options=PLACES, figures=["topics"]
    )
    health >> produce >> consume >> summary
