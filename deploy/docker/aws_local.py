"""Make what the service publishes to, on an emulator of SNS and SQS: a topic, a queue, and of it the attacks.

Prints the settings that name them. What is there already stays.
"""

import json
import time

from boto3.session import Session
from botocore.exceptions import ClientError, EndpointConnectionError

NAME = "ml-ids-attacks"
SECONDS = 60


def main() -> None:
    session = Session(aws_access_key_id="emulator", aws_secret_access_key="emulator")
    sns, sqs = session.client("sns"), session.client("sqs")
    topic = answered(lambda: sns.create_topic(Name=NAME))["TopicArn"]
    queue = sqs.create_queue(QueueName=NAME)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    attacks = {"FilterPolicy": json.dumps({"prediction": ["attack"]})}
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes=attacks)
    print(f"AWS_SNS_PREDICTIONS_TOPIC={topic}\nattacks arrive at {queue}")


def answered(call):
    """Return what `call` answers, once the emulator has started."""
    deadline = time.monotonic() + SECONDS
    while True:
        try:
            return call()
        except (ClientError, EndpointConnectionError):
            if time.monotonic() > deadline:
                raise
            time.sleep(1)


main()
