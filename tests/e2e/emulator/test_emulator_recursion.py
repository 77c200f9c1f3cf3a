"""Lambda's recursive loop detection in the emulator: its setting, and the chains of invocations that it ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from local.emulator.testkit import Aws

pytestmark = pytest.mark.e2e

IDLE = "def handler(event, context):\n    return None\n"


def lambda_of(aws: Aws, role: str) -> Any:
    """Make a Lambda client that calls with a role."""
    options = {"region_name": aws.emulator.settings.region, "endpoint_url": aws.emulator.endpoint}
    root = boto3.client("sts", aws_access_key_id="test", aws_secret_access_key="test", **options)  # type: ignore[call-overload]
    granted = root.assume_role(RoleArn=aws.role_arn(role), RoleSessionName="asks")["Credentials"]
    session = boto3.Session(granted["AccessKeyId"], granted["SecretAccessKey"], granted["SessionToken"])
    return session.client("lambda", **options)  # type: ignore[call-overload]


def test_the_setting_is_terminate_until_it_is_put_and_goes_with_the_function(aws: Aws) -> None:
    """Terminate is the default, Allow is kept over a change of the function, and a new function of the name is new."""
    aws.function("recursive", aws.role_arn("fn"), IDLE)

    def setting() -> str:
        return str(aws.functions.get_function_recursion_config(FunctionName="recursive")["RecursiveLoop"])

    assert setting() == "Terminate"
    answer = aws.functions.put_function_recursion_config(FunctionName="recursive", RecursiveLoop="Allow")
    assert answer["RecursiveLoop"] == "Allow"
    aws.functions.update_function_configuration(FunctionName="recursive", Description="changed")
    assert setting() == "Allow"
    aws.functions.delete_function(FunctionName="recursive")
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        setting()
    aws.function("recursive", aws.role_arn("fn"), IDLE)
    assert setting() == "Terminate"


def test_the_setting_has_iam_actions_of_its_own(aws: Aws) -> None:
    """Who may do everything else with functions may neither read nor put it; each action allows its own call."""
    aws.function("guarded", aws.role_arn("fn"), IDLE)
    aws.role("asker", "lambda:GetFunction", "lambda:UpdateFunctionCode", "lambda:UpdateFunctionConfiguration")
    asker = lambda_of(aws, "asker")
    with pytest.raises(ClientError, match="not authorized to perform: lambda:GetFunctionRecursionConfig"):
        asker.get_function_recursion_config(FunctionName="guarded")
    with pytest.raises(ClientError, match="not authorized to perform: lambda:PutFunctionRecursionConfig"):
        asker.put_function_recursion_config(FunctionName="guarded", RecursiveLoop="Allow")
    aws.allow("asker", "lambda:GetFunctionRecursionConfig", "lambda:PutFunctionRecursionConfig")
    asker.put_function_recursion_config(FunctionName="guarded", RecursiveLoop="Allow")
    assert asker.get_function_recursion_config(FunctionName="guarded")["RecursiveLoop"] == "Allow"
