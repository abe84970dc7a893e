"""Reaches the bus and the queue of `make serve`: `python -m local.messages put|sweep`."""

import argparse
import json
from pathlib import Path

import boto3

from local import stack

SWEEP = '{"task": "sweep"}'


def put(of: stack.Stack, event: dict[str, object]) -> None:
    """Put an event, as a rule would see it, on the bus once more.

    Raises:
        RuntimeError: The bus did not take it.
    """
    client = boto3.client("events", **of.connection)
    answer = client.put_events(
        Entries=[
            {
                "Source": str(event["source"]),
                "DetailType": str(event["detail-type"]),
                "Detail": json.dumps(event["detail"]),
                "EventBusName": of.bus_name,
            }
        ]
    )
    if answer["FailedEntryCount"]:
        raise RuntimeError(answer["Entries"][0].get("ErrorMessage", "the bus did not take it"))


def sweep(of: stack.Stack) -> None:
    """Have the sweep run now: send the message that the schedule sends each minute."""
    client = boto3.client("sqs", **of.connection)
    client.send_message(QueueUrl=of.queue_url, MessageBody=SWEEP)


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(prog="local.messages", description="Reach bus and queue.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("put", help="put an event on the bus").add_argument("sample", type=Path)
    verbs.add_parser("sweep", help="have the sweep run now")
    options = parser.parse_args()
    running = stack.served()
    if options.verb == "put":
        put(running, json.loads(options.sample.read_text()))
    else:
        sweep(running)


if __name__ == "__main__":
    main()
