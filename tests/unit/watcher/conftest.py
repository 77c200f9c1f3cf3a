from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.doubles.world import World

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client


@pytest.fixture
def world(dynamodb: DynamoDBClient, s3: S3Client) -> World:
    return World(dynamodb, s3)
