"""The plugin's server: the engine's calls over gRPC, answered by `Provider`."""

from __future__ import annotations

import os
import sys
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from functools import wraps
from importlib.metadata import version
from typing import TYPE_CHECKING, NoReturn, TypeVar

import grpc  # type: ignore[import-untyped] # the library brings no types, nor does the next
from google.protobuf.empty_pb2 import Empty  # type: ignore[import-untyped]
from pulumi.runtime import proto
from pulumi.runtime.proto import errors_pb2, provider_pb2_grpc, status_pb2

from local.provider.aws import settings
from local.provider.aws.diffs import Difference, How
from local.provider.aws.provider import Named, Naming, Provider, UnfinishedError
from local.provider.aws.session import Aws
from local.provider.aws.values import ProtocolError, Values, from_wire, revealed, to_wire
from overtime.errors import OvertimeError

if TYPE_CHECKING:
    from collections.abc import Callable

    from local.provider.aws.checking import Failure

_THREADS = 32
_OPTIONS = (("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1))
_FAILED = grpc.StatusCode.UNKNOWN
