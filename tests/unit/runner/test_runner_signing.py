"""Signatures are those of AWS's own SDK, for any request."""

from __future__ import annotations

import datetime as dt
from unittest import mock

from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as SdkCredentials
from hypothesis import given, settings
from hypothesis import strategies as st

from overtime.runner.credentials import Credentials
from overtime.runner.signing import query_string, quote, signed_headers

NOW = dt.datetime(2024, 5, 11, 9, 48, tzinfo=dt.UTC)
TIMESTAMP = "20240511T094800Z"
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1, max_size=20)
HEADER = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=12)


@given(
    service=st.sampled_from(["s3", "lambda", "dynamodb"]),
    method=st.sampled_from(["GET", "PUT", "POST"]),
    path=st.lists(TEXT.filter(lambda part: part not in (".", "..")), max_size=3),
    query=st.dictionaries(TEXT, TEXT, max_size=3),
    headers=st.dictionaries(st.sampled_from(["content-type", "x-amz-target", "x-amz-other"]), HEADER, max_size=3),
    body=st.binary(max_size=50),
    token=st.none() | HEADER,
)
@settings(max_examples=200)
def test_a_request_is_signed_as_botocore_signs_it(  # noqa: PLR0913 -- a signature covers all of these
    *,
    service: str,
    method: str,
    path: list[str],
    query: dict[str, str],
    headers: dict[str, str],
    body: bytes,
    token: str | None,
) -> None:
    sent_path, sent_query = "/" + "/".join(map(quote, path)), query_string(query)
    ours = signed_headers(
        method=method,
        host="service.eu-west-1.amazonaws.com",
        path=sent_path,
        query=sent_query,
        headers=headers,
        body=body,
        service=service,
        region="eu-west-1",
        credentials=Credentials("AKIDEXAMPLE", "secret", token),
        timestamp=TIMESTAMP,
    )
    url = f"https://service.eu-west-1.amazonaws.com{sent_path}" + (f"?{sent_query}" if sent_query else "")
    request = AWSRequest(method, url, headers=dict(headers), data=body)
    request.context = {"payload_signing_enabled": True}
    signer = S3SigV4Auth if service == "s3" else SigV4Auth
    with mock.patch("botocore.auth.get_current_datetime", return_value=NOW.replace(tzinfo=None)):
        signer(SdkCredentials("AKIDEXAMPLE", "secret", token), service, "eu-west-1").add_auth(request)
    assert ours["authorization"] == request.headers["Authorization"]


@given(st.dictionaries(TEXT, TEXT, max_size=5))
def test_a_query_is_sent_in_the_order_in_which_it_is_signed(query: dict[str, str]) -> None:
    names = [pair.partition("=")[0] for pair in query_string(query).split("&") if pair]
    assert names == sorted(map(quote, query))
