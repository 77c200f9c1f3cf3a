"""EventBridge reaches Lambda functions as on AWS: permitted, asynchronously, on schedule; the rest is kept."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from local.emulator.testkit import Aws

pytestmark = pytest.mark.e2e
MEGABYTE = 1_048_576


def may_send(arn: str) -> str:
    """Let EventBridge send to a queue."""
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def echo(url: str, then: str = "") -> str:
    """Write a function that sends its event to a queue."""
    return (
        "import boto3, json\n"
        "def handler(event, context):\n"
        f"    boto3.client('sqs').send_message(QueueUrl={url!r}, MessageBody=json.dumps(event))\n"
        f"    {then}\n"
    )


def arn_of(aws: Aws, function: str) -> str:
    """Name a function."""
    arn: str = aws.functions.get_function(FunctionName=function)["Configuration"]["FunctionArn"]
    return arn


def permit(aws: Aws, function: str, rule: str) -> None:
    """Let a rule invoke a function."""
    aws.functions.add_permission(
        FunctionName=function,
        StatementId="rule",
        Action="lambda:InvokeFunction",
        Principal="events.amazonaws.com",
        SourceArn=rule,
    )


def test_a_function_needs_its_permission(aws: Aws) -> None:
    """Without it, with another rule's, or without the function, the event is on the target's dead-letter queue."""
    url, _ = aws.queue("reached")
    dead_url, dead = aws.queue("undelivered")
    aws.sqs.set_queue_attributes(QueueUrl=dead_url, Attributes={"Policy": may_send(dead)})
    aws.function("reached", aws.role_arn("fn"), echo(url), Timeout=10)
    rule = aws.events.put_rule(Name="orders", EventPattern=json.dumps({"source": ["shop"]}))["RuleArn"]
    target = arn_of(aws, "reached")

    def put(number: int) -> None:
        entry = {"Source": "shop", "DetailType": "order", "Detail": json.dumps({"number": number})}
        assert aws.events.put_events(Entries=[entry])["FailedEntryCount"] == 0

    def refused() -> dict[str, Any]:
        [message] = aws.messages(dead_url)
        aws.sqs.delete_message(QueueUrl=dead_url, ReceiptHandle=message["ReceiptHandle"])
        told = {name: value["StringValue"] for name, value in message["MessageAttributes"].items()}
        return {**told, "number": json.loads(message["Body"])["detail"]["number"]}

    aws.events.put_targets(Rule="orders", Targets=[{"Id": "f", "Arn": target, "DeadLetterConfig": {"Arn": dead}}])
    put(1)
    why = refused()
    assert (why["ERROR_CODE"], why["RULE_ARN"], why["TARGET_ARN"], why["number"]) == ("NO_PERMISSIONS", rule, target, 1)
    permit(aws, "reached", f"{rule}-of-another")
    put(2)
    assert refused()["ERROR_CODE"] == "NO_PERMISSIONS"
    aws.functions.remove_permission(FunctionName="reached", StatementId="rule")
    permit(aws, "reached", rule)
    put(3)
    [message] = aws.messages(url)
    event = json.loads(message["Body"])
    assert (event["detail-type"], event["detail"]) == ("order", {"number": 3})
    aws.functions.delete_function(FunctionName="reached")
    put(4)
    assert refused()["ERROR_CODE"] == "NO_RESOURCE"


def test_a_delivery_is_an_asynchronous_invocation(aws: Aws) -> None:
    """A function that fails is tried again, and its own dead-letter queue gets the event."""
    url, _ = aws.queue("tries")
    dead_url, dead = aws.queue("gave-up")
    code = echo(url, "raise ValueError('no')")
    aws.function("failing", aws.role_arn("fn"), code, Timeout=10, DeadLetterConfig={"TargetArn": dead})
    rule = aws.events.put_rule(Name="failing", EventPattern=json.dumps({"source": ["failing"]}))["RuleArn"]
    permit(aws, "failing", rule)
    aws.events.put_targets(Rule="failing", Targets=[{"Id": "f", "Arn": arn_of(aws, "failing")}])
    aws.events.put_events(Entries=[{"Source": "failing", "DetailType": "d", "Detail": "{}"}])
    [dropped] = aws.messages(dead_url)
    assert json.loads(dropped["Body"])["source"] == "failing"
    assert dropped["MessageAttributes"]["ErrorMessage"]["StringValue"] == "no"
    assert len(aws.messages(url, 3)) == 3


def test_a_schedules_failed_event_reaches_a_queue_that_demands_tls(aws: Aws) -> None:
    """Nobody calls when a schedule fires: what Lambda sends on then counts as sent over TLS, as on AWS."""
    dead_url, dead = aws.queue("tls-only")
    deny = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "sqs:*",
        "Resource": dead,
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [deny]})
    aws.sqs.set_queue_attributes(QueueUrl=dead_url, Attributes={"Policy": policy})
    code = "def handler(event, context):\n    raise ValueError('no')\n"
    aws.function("fails", aws.role_arn("fn"), code, Timeout=10, DeadLetterConfig={"TargetArn": dead})
    rule = aws.events.put_rule(Name="fails", ScheduleExpression="rate(1 minute)")["RuleArn"]
    permit(aws, "fails", rule)
    aws.events.put_targets(Rule="fails", Targets=[{"Id": "f", "Arn": arn_of(aws, "fails")}])
    kept = aws.messages(dead_url)
    aws.events.remove_targets(Rule="fails", Ids=["f"])
    aws.events.delete_rule(Name="fails")
    assert {message["MessageAttributes"]["ErrorMessage"]["StringValue"] for message in kept} == {"no"}


def test_a_schedule_runs(aws: Aws) -> None:
    """`rate(1 minute)` fires again and again; a minute lasts as long as the settings say."""
    url, _ = aws.queue("scheduled")
    aws.function("scheduled", aws.role_arn("fn"), echo(url), Timeout=10)
    rule = aws.events.put_rule(Name="often", ScheduleExpression="rate(1 minute)")["RuleArn"]
    permit(aws, "scheduled", rule)
    aws.events.put_targets(Rule="often", Targets=[{"Id": "f", "Arn": arn_of(aws, "scheduled")}])
    found = [json.loads(message["Body"]) for message in aws.messages(url, 3)]
    aws.events.remove_targets(Rule="often", Ids=["f"])
    aws.events.delete_rule(Name="often")
    assert len(found) >= 3
    assert len({event["id"] for event in found}) == len(found)
    assert {(event["source"], event["detail-type"]) for event in found} == {("aws.events", "Scheduled Event")}
    assert found[0]["resources"] == [rule]


def destinations(aws: Aws, name: str) -> dict[str, str]:
    """Make a queue, a topic, a bus and a function of one name."""
    url, queue = aws.queue(name)
    aws.function(name, aws.role_arn("fn"), "def handler(event, context): pass", Timeout=10)
    return {
        "url": url,
        "queue": queue,
        "topic": aws.sns.create_topic(Name=name)["TopicArn"],
        "bus": aws.events.create_event_bus(Name=name)["EventBusArn"],
        "function": arn_of(aws, name),
    }


SENDER = (
    "import boto3, json\n"
    "def handler(to, context):\n"
    "    body = json.dumps('x' * to.get('bytes', 1))\n"
    "    entry = {'Source': 's', 'DetailType': 'd', 'Detail': json.dumps({'x': body}), 'EventBusName': to['bus']}\n"
    "    calls = {\n"
    "        'sqs': lambda: boto3.client('sqs').send_message(QueueUrl=to['url'], MessageBody=body),\n"
    "        'sns': lambda: boto3.client('sns').publish(TopicArn=to['topic'], Message=body),\n"
    "        'events': lambda: boto3.client('events').put_events(Entries=[entry])['FailedEntryCount'],\n"
    "        'lambda': lambda: boto3.client('lambda').invoke(\n"
    "            FunctionName=to['function'], InvocationType='Event', Payload=body),\n"
    "    }\n"
    "    answers = {}\n"
    "    for name, call in calls.items():\n"
    "        try:\n"
    "            answers[name] = 'failed entry' if call() == 1 else 'ok'\n"
    "        except Exception as error:\n"
    "            answers[name] = str(error)\n"
    "    return answers\n"
)


@pytest.fixture(scope="module")
def mine(aws: Aws) -> dict[str, str]:
    """Make destinations, and a function whose role may send to these and no others."""
    made = destinations(aws, "mine")
    allowed = {
        "sqs:SendMessage": made["queue"],
        "sns:Publish": made["topic"],
        "events:PutEvents": made["bus"],
        "lambda:InvokeFunction": made["function"],
    }
    aws.role("sender")
    policy = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": name, "Resource": arn} for name, arn in allowed.items()],
    }
    aws.iam.put_role_policy(RoleName="sender", PolicyName="p", PolicyDocument=json.dumps(policy))
    aws.function("sender", aws.role_arn("sender"), SENDER, Timeout=30)
    return made


def sent(aws: Aws, to: dict[str, str], **more: int) -> dict[str, Any]:
    """Let the function send to destinations."""
    answer = aws.functions.invoke(FunctionName="sender", Payload=json.dumps({**to, **more}))
    answers: dict[str, Any] = json.load(answer["Payload"])
    return answers


def test_destinations_are_reached_with_the_callers_role(aws: Aws, mine: dict[str, str]) -> None:
    """What the role names is reached; another queue, topic, bus or function is refused."""
    assert sent(aws, mine) == dict.fromkeys(("sqs", "sns", "events", "lambda"), "ok")
    refused = sent(aws, destinations(aws, "theirs"))
    assert {name: "not authorized to perform" in text or "AccessDenied" in text for name, text in refused.items()} == (
        dict.fromkeys(refused, True)
    )


def test_destinations_take_so_much(aws: Aws, mine: dict[str, str]) -> None:
    """SNS takes 256 KiB; SQS, EventBridge and asynchronous invocations take 1 MiB."""
    assert {name: text == "ok" for name, text in sent(aws, mine, bytes=262_143).items()} == {
        "sqs": True,
        "sns": False,
        "events": True,
        "lambda": True,
    }
    answers = sent(aws, mine, bytes=MEGABYTE)
    assert "One or more parameters are invalid" in answers["sqs"] or "1048576" in answers["sqs"]
    assert "Message too long" in answers["sns"]
    assert "ValidationException" in answers["events"]
    assert "RequestTooLargeException" in answers["lambda"]
    half = {"Source": "s", "DetailType": "d", "Detail": json.dumps({"x": "x" * (MEGABYTE // 2)})}
    with pytest.raises(ClientError, match="over the limit"):
        aws.events.put_events(Entries=[half, half])
