"""A file of customers scored in batch, once a day; each task is a verb of the command line.

A record is sent once and scored once: a run that is repeated sends what the file has grown by.
"""

from datetime import timedelta

from airflow.sdk import DAG, CronTriggerTimetable
from assets import CUSTOMER_PREDICTIONS
from terms import DAGS, OF_CASE, PLACES, RECORDS
from verb import VerbOperator

with DAG(
    "kafka_batch",
    description="Records of a file, produced and scored in batch",
    doc_md=__doc__,
    schedule=CronTriggerTimetable("30 1 * * *", timezone="UTC"),
    dagrun_timeout=timedelta(hours=2),
    params=RECORDS,
    **DAGS,
):
    produce = VerbOperator(
        task_id="produce",
        verb=["produce", "--mode=batch"],
        arguments=["{{ params.file }}"],
        options=OF_CASE,
        figures=["rows", "sent", "skipped"],
    )
    consume = VerbOperator(
        task_id="consume",
        verb=["consume", "--mode=batch"],
        options=OF_CASE,
        figures=["records", "values", "dead_letters", "lag"],
        outlets=[CUSTOMER_PREDICTIONS],
    )
    summary = VerbOperator(
        task_id="summary", verb=["topics", "list"], options=PLACES, figures=["topics"]
    )
    produce >> consume >> summary
