"""Lambda in the emulator answers as AWS does, where the program depends on it."""

from __future__ import annotations

import io
import json
import os
import subprocess
import urllib.request
import zipfile
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from local.emulator.testkit import Aws

pytestmark = pytest.mark.e2e

NAP = f"4321.{os.getpid()}"
"""Seconds that tell this run's processes from any other's on this machine."""
FUNCTION = f"""
import json, os, subprocess, time

def handler(event, context):
    match event.get("do"):
        case "sleep":
            subprocess.Popen(["sleep", "{NAP}"])
            time.sleep(60)
        case "raise":
            raise KeyError(event["what"])
        case "exit":
            os._exit(3)
        case "environment":
            return dict(os.environ)
"""


def test_dead_letter_message(aws: Aws) -> None:
    """The event arrives byte by byte, with the id that Invoke answered; nothing of the timed-out try is left."""
    url, arn = aws.queue("dead")
    aws.function("slow", aws.role_arn("fn"), FUNCTION, DeadLetterConfig={"TargetArn": arn})
    aws.functions.put_function_event_invoke_config(FunctionName="slow", MaximumRetryAttempts=1)
    sent = '{ "do":"sleep", "n": 1.0, "big": 123456789012345678901234567890, "é" : "\\u00e9" }'.encode()
    answer = aws.functions.invoke(FunctionName="slow", InvocationType="Event", Payload=sent)
    [message] = aws.messages(url)
    attributes = {name: each["StringValue"] for name, each in message["MessageAttributes"].items()}
    assert message["Body"].encode() == sent
    assert attributes["RequestID"] == answer["ResponseMetadata"]["RequestId"]
    assert attributes["ErrorCode"] == "200"
    assert attributes["ErrorMessage"].endswith(f"Z {attributes['RequestID']} Task timed out after 1.00 seconds")
    events = aws.logs.filter_log_events(logGroupName="/aws/lambda/slow")["events"]
    starts = [event["message"] for event in events if event["message"].startswith("START")]
    assert starts == [f"START RequestId: {attributes['RequestID']} Version: $LATEST"] * 2
    left = subprocess.run(["pgrep", "-f", f"^sleep {NAP}$"], capture_output=True, check=False, text=True).stdout
    assert not left


def test_destination_record(aws: Aws) -> None:
    """A destination gets the documented record, with the true number of attempts and the exception's own type."""
    url, arn = aws.queue("failed")
    aws.function("bad", aws.role_arn("fn"), FUNCTION)
    aws.functions.put_function_event_invoke_config(
        FunctionName="bad", MaximumRetryAttempts=1, DestinationConfig={"OnFailure": {"Destination": arn}}
    )
    event = {"do": "raise", "what": "price"}
    answer = aws.functions.invoke(FunctionName="bad", InvocationType="Event", Payload=json.dumps(event))
    [message] = aws.messages(url)
    record = json.loads(message["Body"])
    assert record["requestContext"] == {
        "requestId": answer["ResponseMetadata"]["RequestId"],
        "functionArn": f"arn:aws:lambda:eu-west-1:{aws.emulator.settings.account_id}:function:bad:$LATEST",
        "condition": "RetriesExhausted",
        "approximateInvokeCount": 2,
    }
    assert record["requestPayload"] == event
    assert (record["responsePayload"]["errorType"], record["responsePayload"]["errorMessage"]) == (
        "KeyError",
        "'price'",
    )


def test_zero_concurrency(aws: Aws) -> None:
    """With reserved concurrency 0 the event goes to the queue at once, without any attempt."""
    url, arn = aws.queue("untried")
    aws.function("never", aws.role_arn("fn"), FUNCTION, DeadLetterConfig={"TargetArn": arn})
    aws.functions.put_function_concurrency(FunctionName="never", ReservedConcurrentExecutions=0)
    aws.functions.invoke(FunctionName="never", InvocationType="Event", Payload=b"[1]")
    [message] = aws.messages(url)
    assert message["Body"] == "[1]"
    assert message["MessageAttributes"]["ErrorCode"]["StringValue"] == "429"
    groups = aws.logs.describe_log_groups(logGroupNamePrefix="/aws/lambda/never")["logGroups"]
    assert groups == []


def test_a_runtime_that_exits(aws: Aws) -> None:
    """The exit status is in the error, as Lambda words it."""
    aws.function("exits", aws.role_arn("fn"), FUNCTION)
    answer = aws.functions.invoke(FunctionName="exits", Payload=b'{"do": "exit"}')
    assert "Error: Runtime exited with error: exit status 3" in json.load(answer["Payload"])["errorMessage"]


def test_a_function_sees_only_its_own_environment(aws: Aws) -> None:
    """Nothing of the emulator's or this machine's environment is there, and the credentials are the role's."""
    aws.function("env", aws.role_arn("fn"), FUNCTION, Environment={"Variables": {"MINE": "1"}})
    seen = json.load(aws.functions.invoke(FunctionName="env", Payload=b'{"do": "environment"}')["Payload"])
    assert seen["MINE"] == "1"
    assert seen["AWS_ACCESS_KEY_ID"].startswith("ASIA")
    assert (
        not {"DOCKER_HOST", "GATEWAY_PORT", "AUTH", "MINISTACK_ACCOUNT_ID", "PYTHONPATH", "VIRTUAL_ENV"} & seen.keys()
    )


def test_lambda_refuses_what_is_no_event(aws: Aws) -> None:
    """Bytes that are not JSON, and an event over 1 MB, are refused at once."""
    aws.function("picky", aws.role_arn("fn"), FUNCTION)
    with pytest.raises(ClientError, match="InvalidRequestContentException"):
        aws.functions.invoke(FunctionName="picky", InvocationType="Event", Payload=b"{")
    with pytest.raises(ClientError, match="RequestTooLargeException"):
        aws.functions.invoke(FunctionName="picky", InvocationType="Event", Payload=b'"' + b"x" * 1_048_576 + b'"')


def test_a_failed_event_needs_the_roles_permission(aws: Aws) -> None:
    """A dead-letter queue that the role may not send to is refused with the words of AWS."""
    _, arn = aws.queue("forbidden")
    role = aws.role("mute", "logs:*")
    with pytest.raises(ClientError, match="does not have permissions to call SendMessage on SQS"):
        aws.function("mute", role, FUNCTION, DeadLetterConfig={"TargetArn": arn})


def test_event_source_with_partial_failures(aws: Aws) -> None:
    """What the function reports as failed comes again and is parked in the end; the rest is gone. IAM is asked."""
    parked_url, parked_arn = aws.queue("parked")
    redrive = json.dumps({"deadLetterTargetArn": parked_arn, "maxReceiveCount": 2})
    url, arn = aws.queue("source", VisibilityTimeout="1", RedrivePolicy=redrive)
    code = (
        "def handler(event, context):\n"
        "    bad = [r['messageId'] for r in event['Records'] if r['body'] == 'bad']\n"
        "    return {'batchItemFailures': [{'itemIdentifier': each} for each in bad]}\n"
    )
    aws.function("reader", aws.role_arn("fn"), code)
    aws.functions.create_event_source_mapping(
        EventSourceArn=arn, FunctionName="reader", FunctionResponseTypes=["ReportBatchItemFailures"]
    )
    aws.sqs.send_message(QueueUrl=url, MessageBody="good", DelaySeconds=10)
    aws.sqs.send_message(QueueUrl=url, MessageBody="bad")
    [message] = aws.messages(parked_url)
    assert message["Body"] == "bad"
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    left = aws.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    assert set(left.values()) == {"0"}
    used = {call.action for call in aws.emulator.calls() if call.caller.endswith("/fn/reader")}
    assert {"sqs:ReceiveMessage", "sqs:DeleteMessage", "logs:PutLogEvents"} <= used


def test_code_can_be_fetched_from_its_url(aws: Aws) -> None:
    """GetFunction's URL answers the zip that was deployed."""
    aws.function("fetched", aws.role_arn("fn"), FUNCTION)
    location = aws.functions.get_function(FunctionName="fetched")["Code"]["Location"]
    with urllib.request.urlopen(location) as answer:
        archive = zipfile.ZipFile(io.BytesIO(answer.read()))
    assert archive.read("app.py").decode() == FUNCTION


def test_a_version_keeps_its_code(aws: Aws) -> None:
    """GetFunction's URL for a version, or for an alias of it, answers that version's zip."""
    aws.function("kept", aws.role_arn("fn"), FUNCTION)
    aws.functions.publish_version(FunctionName="kept")
    aws.functions.create_alias(FunctionName="kept", Name="live", FunctionVersion="1")
    changed = io.BytesIO()
    with zipfile.ZipFile(changed, "w") as archive:
        archive.writestr("app.py", "changed = True\n")
    aws.functions.update_function_code(FunctionName="kept", ZipFile=changed.getvalue())
    found = {}
    for qualifier in ("$LATEST", "1", "live"):
        location = aws.functions.get_function(FunctionName="kept", Qualifier=qualifier)["Code"]["Location"]
        with urllib.request.urlopen(location) as answer:
            found[qualifier] = zipfile.ZipFile(io.BytesIO(answer.read())).read("app.py").decode()
    assert found == {"$LATEST": "changed = True\n", "1": FUNCTION, "live": FUNCTION}


def test_layers_and_tls_only_buckets_with_the_functions_role(aws: Aws) -> None:
    """A role that may is served a layer by its ARN, and an object of a bucket that demands TLS; another is told."""
    role = aws.role("reader-of-both", "logs:*")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("python/lib.py", "x = 1")
    published = aws.functions.publish_layer_version(LayerName="lib", Content={"ZipFile": packed.getvalue()})
    layer = published["LayerVersionArn"]
    bucket = "arn:aws:s3:::tls-only"
    aws.s3.create_bucket(Bucket="tls-only", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    deny = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [bucket, f"{bucket}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    aws.s3.put_bucket_policy(Bucket="tls-only", Policy=json.dumps({"Version": "2012-10-17", "Statement": [deny]}))
    aws.s3.put_object(Bucket="tls-only", Key="k", Body=b"v")
    code = (
        "import boto3, urllib.request\n"
        "def handler(event, context):\n"
        "    def layer():\n"
        "        found = boto3.client('lambda').get_layer_version_by_arn(Arn=event['layer'])\n"
        "        return len(urllib.request.urlopen(found['Content']['Location']).read())\n"
        "    def bucket():\n"
        "        return boto3.client('s3').get_object(Bucket='tls-only', Key='k')['Body'].read().decode()\n"
        "    answers = []\n"
        "    for ask in (layer, bucket):\n"
        "        try: answers.append(ask())\n"
        "        except Exception as error: answers.append(str(error))\n"
        "    return answers\n"
    )
    aws.function("reads-both", role, code, Timeout=20)

    def ask() -> list[str | int]:
        payload = json.dumps({"layer": layer})
        answer: list[str | int] = json.load(aws.functions.invoke(FunctionName="reads-both", Payload=payload)["Payload"])
        return answer

    denied = ask()
    assert "not authorized to perform: lambda:GetLayerVersion" in str(denied[0])
    assert "not authorized to perform: s3:GetObject" in str(denied[1])
    aws.allow("reader-of-both", "lambda:GetLayerVersion", "s3:GetObject", "logs:*")
    assert ask() == [len(packed.getvalue()), "v"]
