"""A plugin's server: as Pulumi's own, but an error on purpose reaches the user as its text alone."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from typing import TYPE_CHECKING, Protocol, TypeVar

import grpc  # type: ignore[import-untyped]
from pulumi.runtime._grpc_settings import _GRPC_CHANNEL_OPTIONS
from pulumi.runtime.proto import provider_pb2_grpc

from overtime.errors import OvertimeError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from pulumi.runtime.proto import ResourceProviderServicer

STOP_SECONDS = 1
Request = TypeVar("Request")
Response = TypeVar("Response")


class Context(Protocol):
    """What is needed of a call's context in grpc."""

    async def abort(self, code: object, details: str) -> None:
        """End the call with an error."""


def serve(make: Callable[[str], ResourceProviderServicer]) -> None:
    """Serve what `make` gives for the engine's address, until the engine ends this process."""
    engine = next((argument for argument in sys.argv[1:] if not argument.startswith("-")), None)
    if engine is None:
        sys.exit("This is a Pulumi plugin: the engine starts it and gives its own address. Run the engine instead.")
    asyncio.run(_serve(make(engine)))


async def _serve(servicer: ResourceProviderServicer) -> None:
    server = grpc.aio.server(interceptors=[PlainErrors()], options=_GRPC_CHANNEL_OPTIONS)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    told_to_stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, told_to_stop.set)
    print(port, flush=True)  # noqa: T201 - how a plugin tells the engine where it listens
    await told_to_stop.wait()
    _leave_in_time()
    await server.stop(grace=None)


def _leave_in_time() -> None:
    """End this process soon even if a thread still waits for an engine that is about to end itself.

    The engine gives all its plugins five seconds together, and calls those that it did not come to broken.
    """
    timer = threading.Timer(STOP_SECONDS, os._exit, args=(0,))
    timer.daemon = True
    timer.start()


class PlainErrors(grpc.aio.ServerInterceptor):  # type: ignore[misc]  # grpc has no types
    """Tells the engine our own errors without the stack trace that the SDK adds to every error."""

    async def intercept_service(
        self,
        continuation: Callable[[object], Awaitable[grpc.RpcMethodHandler]],
        handler_call_details: object,
    ) -> grpc.RpcMethodHandler:
        """Wrap the method that answers a call."""
        handler = await continuation(handler_call_details)
        if handler is None or handler.unary_unary is None:
            return handler
        return grpc.unary_unary_rpc_method_handler(
            plainly(handler.unary_unary),
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )


def plainly(
    method: Callable[[Request, Context], Awaitable[Response]],
) -> Callable[[Request, Context], Awaitable[Response]]:
    """Let `method` end a call with the text of our error where one is behind what it raised."""

    async def answer(request: Request, context: Context) -> Response:
        try:
            return await method(request, context)
        except Exception as raised:
            ours = our_error(raised)
            if ours is None:
                raise
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(ours))
            raise

    return answer


def our_error(raised: BaseException) -> OvertimeError | None:
    """Find the error on purpose behind `raised`, which the SDK may have wrapped."""
    seen: BaseException | None = raised
    while seen is not None:
        if isinstance(seen, OvertimeError):
            return seen
        seen = seen.__cause__ or seen.__context__
    return None
