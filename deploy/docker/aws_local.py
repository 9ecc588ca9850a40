"""Makes what the service publishes to, at the start of the emulator: a topic, a queue, and of it the attacks.

Tells what they are called. What is there already stays. The emulator says where it is, AWS_ENDPOINT_URL.
"""

import json
import os

from boto3.session import Session

NAME = "ml-ids-attacks"

session = Session(region_name=os.environ["AWS_DEFAULT_REGION"])
sns, sqs = session.client("sns"), session.client("sqs")
topic = sns.create_topic(Name=NAME)["TopicArn"]
queue = sqs.create_queue(QueueName=NAME)["QueueUrl"]
arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
attacks = {"FilterPolicy": json.dumps({"prediction": ["attack"]})}
sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes=attacks)
print(f"AWS_SNS_PREDICTIONS_TOPIC={topic}\nattacks arrive at {queue}")
