from __future__ import annotations

import json
from pathlib import Path

import pytest
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from hypothesis import given
from hypothesis import strategies as st

from overtime.lambdas.dispatcher import json_slice
from overtime.lambdas.dispatcher.failure_record import FailureRecord, UnreadableRecordError, parse

EVENTS = Path(__file__).parents[2] / "events"
REQUEST_ID = "8b1f1a2c-5d0e-4f6a-9f0e-2f7c9f4f2a10"
ATTRIBUTES = {"RequestID": {"stringValue": REQUEST_ID, "dataType": "String"}}

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def raw(name: str) -> dict[str, object]:
    record: dict[str, object] = json.loads((EVENTS / f"{name}.json").read_text())["Records"][0]
    return record


def read(name: str) -> FailureRecord:
    return parse(SQSRecord(raw(name)), "report")


def made(body: str, attributes: dict[str, dict[str, str]] | None = None) -> FailureRecord:
    return parse(SQSRecord(raw("no_attributes") | {"body": body, "messageAttributes": attributes or {}}), "report")


def wrapped(payload: str) -> str:
    context = {"requestId": REQUEST_ID, "functionArn": "", "condition": "RetriesExhausted"}
    return f'{{"version": "1.0", "requestContext": {json.dumps(context)} , "requestPayload" :\n{payload}\t}}'


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("dead_letter_timeout", ("dead_letter", None, "200", None)),
        ("dead_letter_out_of_memory", ("dead_letter", None, "200", None)),
        ("dead_letter_handler_error", ("dead_letter", None, "200", None)),
        ("dead_letter_zero_concurrency", ("dead_letter", None, None, None)),
        ("dead_letter_throttled", ("dead_letter", None, "429", None)),
        ("dead_letter_of_destination_record", ("dead_letter", None, "200", None)),
        ("destination_timeout", ("destination", "Sandbox.Timedout", "RetriesExhausted", 3)),
        ("destination_zero_concurrency", ("destination", None, "ZeroReservedConcurrency", 0)),
    ],
)
def test_both_forms_are_read(name: str, expected: tuple[str, str | None, str | None, int | None]) -> None:
    """Each record that Lambda sends names its invocation and what it says of the error."""
    record = read(name)
    assert str(record.key) == f"report/{REQUEST_ID}"
    assert (record.form, record.error_type, record.error_code, record.invoke_count) == expected


FUNCTION_ARN = "arn:aws:lambda:eu-west-1:123456789012:function:report"


@pytest.mark.parametrize(
    ("invoked", "response", "version", "qualifier"),
    [
        (":$LATEST", {"executedVersion": "$LATEST"}, None, None),
        ("", {"executedVersion": "$LATEST"}, None, None),
        (":live", {"executedVersion": "7"}, "7", "live"),
        (":7", {"executedVersion": "7"}, "7", "7"),
        (":$LATEST", {"executedVersion": "7"}, "7", None),
        (":7", None, "7", "7"),
        (":live", None, None, "live"),
        (":live", {"executedVersion": "live"}, None, "live"),
        (":live", {"executedVersion": ["7"]}, None, "live"),
        (":a/b", {"executedVersion": "7?Qualifier=8"}, None, None),
        (f":{'a' * 129}", {"executedVersion": "7"}, "7", None),
    ],
)
def test_a_destination_record_names_the_version_that_ran_and_what_was_invoked(
    invoked: str, response: object, version: str | None, qualifier: str | None
) -> None:
    """`$LATEST` is no version, because it is other code by now; an event that was never tried has no response."""
    context = {"requestId": REQUEST_ID, "functionArn": FUNCTION_ARN + invoked, "condition": "RetriesExhausted"}
    body = {"requestContext": context, "requestPayload": {}} | ({"responseContext": response} if response else {})
    record = made(json.dumps(body))
    assert (record.version, record.qualifier) == (version, qualifier)


def test_a_dead_letter_names_no_version() -> None:
    record = read("dead_letter_timeout")
    assert (record.version, record.qualifier) == (None, None)


@pytest.mark.parametrize("name", ["dead_letter_timeout", "destination_timeout"])
def test_the_time_of_the_failure_is_when_lambda_sent_the_record(name: str) -> None:
    sent = int(str(raw(name)["attributes"]["SentTimestamp"]))  # type: ignore[index]
    failed_at = read(name).failed_at
    assert failed_at is not None
    assert failed_at.timestamp() * 1_000 == pytest.approx(sent)


def test_an_event_that_looks_like_a_destination_record_stays_the_event() -> None:
    """A function that handles such records gets its own event back, not what is inside it."""
    body = str(raw("dead_letter_of_destination_record")["body"])
    assert read("dead_letter_of_destination_record").event == body.encode()


@pytest.mark.parametrize("name", ["no_attributes", "destination_without_request_id"])
def test_where_no_request_id_is_given_the_message_names_the_run(name: str) -> None:
    """A redelivery has the same message id, so it is the same run."""
    record = read(name)
    assert record.key.request_id == raw(name)["messageId"]
    assert json.loads(record.event) == {"report": "sales", "year": 2024, "rows": 1250000}


def test_a_destination_record_with_the_least_that_makes_it_one_is_read() -> None:
    """Function and condition alone tell it from an event."""
    context = {"functionArn": "", "condition": "RetriesExhausted"}
    record = made(json.dumps({"requestContext": context, "requestPayload": {"a": 1}}))
    assert (record.form, record.event) == ("destination", b'{"a": 1}')


def test_garbage_is_refused_without_being_shown() -> None:
    """The error names the message and what to look at, and holds nothing of the body."""
    with pytest.raises(UnreadableRecordError, match="neither a JSON event nor a destination record") as refused:
        read("garbage_body")
    assert "hello" not in str(refused.value)


def test_a_record_of_another_function_is_refused() -> None:
    """A queue that two functions were wired to does not run the wrong code."""
    with pytest.raises(
        UnreadableRecordError, match="failure of the function 'report', but this is the queue of 'other'"
    ):
        parse(SQSRecord(raw("destination_timeout")), "other")


def test_a_request_id_that_lambda_never_gave_is_refused() -> None:
    """Nobody reaches another object of the bucket through a request id."""
    with pytest.raises(UnreadableRecordError, match="does not identify an invocation"):
        made("{}", {"RequestID": {"stringValue": "../../x", "dataType": "String"}})


@given(JSON, st.sampled_from([None, 1]), st.booleans())
def test_a_dead_letters_bytes_are_the_events(value: object, indent: int | None, ascii_only: bool) -> None:  # noqa: FBT001
    """Whatever the event, however it is written: what the runner gets is what Lambda got, byte for byte."""
    body = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    try:
        expected = body.encode()
    except UnicodeEncodeError:
        expected = json_slice.encode(body)
        assert json.loads(expected) == value
    assert made(body, ATTRIBUTES).event == expected


@given(JSON, st.sampled_from([None, 2]), st.booleans())
def test_a_destination_records_payload_is_cut_out_as_it_stands(
    value: object,
    indent: int | None,
    ascii_only: bool,  # noqa: FBT001
) -> None:
    """The payload's text is not read and written again: it is a slice of the record."""
    payload = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    record = made(wrapped(payload))
    assert (record.form, record.event) == ("destination", json_slice.encode(payload))
    assert json.loads(record.event) == value


@pytest.mark.parametrize(
    "payload",
    [
        "123456789012345678901234567890",
        "9" * 5000,
        "1.0000000000000000000001",
        "1E400",
        "-0",
        '{"a": 1, "a": 2}',
        '"\\ud800"',
        '"\\u00e9\\/"',
        "[ ]",
        '"requestPayload"',
    ],
)
@pytest.mark.parametrize("form", ["dead_letter", "destination"])
def test_what_python_would_change_stays(payload: str, form: str) -> None:
    """Large and exact numbers, duplicate keys, lone surrogates, escapes and spaces survive both forms."""
    record = made(payload, ATTRIBUTES) if form == "dead_letter" else made(wrapped(payload))
    assert (record.form, record.event) == (form, payload.encode())


def test_an_event_nested_deeper_than_python_reads_is_passed_on() -> None:
    """The dispatcher need not understand an event that another runtime can."""
    body = "[" * 100_000 + "]" * 100_000
    assert made(body, ATTRIBUTES).event == body.encode()


@pytest.mark.parametrize("text", ["", "[]", "{", '{"a"}', '{"a":1,}', '{"a":1 "b":2}', '{"a":1} x', "{1:2}", "{} x"])
def test_members_refuses_what_is_no_object(text: str) -> None:
    """The slicer is as strict as Python's own reader."""
    with pytest.raises(json.JSONDecodeError):
        list(json_slice.members(text))


@pytest.mark.parametrize("text", ["{}", " { } ", "{}\n"])
def test_an_object_may_have_no_members(text: str) -> None:
    assert list(json_slice.members(text)) == []


@given(st.dictionaries(st.text(), JSON, max_size=4), st.sampled_from([None, 1]))
def test_members_are_those_that_python_reads(value: dict[str, object], indent: int | None) -> None:
    """Every member is found in order, and its slice means its value."""
    found = list(json_slice.members(json.dumps(value, indent=indent)))
    assert [(member.name, json.loads(member.text)) for member in found] == list(value.items())
