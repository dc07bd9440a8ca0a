"""The plain loop: consume → produce in transactions, as somebody who knows confluent-kafka would.

    kafka_plain.py BROKERS SOURCE TARGET

One process with one consumer of committed records and one transactional producer copies each record
to the same partition of another topic, a batch and its positions in one transaction, and says after
each how many it has copied in all. Batches are as large as ours, compression and linger are ours,
`acks` is all, as for every transaction.
"""

import sys

import confluent_kafka as kafka

_BATCH = 4096


def main(brokers: str, source: str, target: str) -> None:
    """Copy until killed."""
    consumer = kafka.Consumer(
        {
            "bootstrap.servers": brokers,
            "group.id": f"{target}.plain",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
        }
    )
    consumer.subscribe([source])
    producer = kafka.Producer(
        {
            "bootstrap.servers": brokers,
            "transactional.id": f"{target}.plain",
            "compression.type": "lz4",
            "linger.ms": 5,
        }
    )
    producer.init_transactions()
    copied = 0
    while True:
        messages = consumer.consume(_BATCH, 0.05)
        if not messages:
            continue
        producer.begin_transaction()
        for message in messages:
            producer.produce(target, message.value(), message.key(), message.partition())
        producer.send_offsets_to_transaction(
            consumer.position(consumer.assignment()), consumer.consumer_group_metadata()
        )
        producer.commit_transaction()
        copied += len(messages)
        print(copied, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
