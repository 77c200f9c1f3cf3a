"""The plugin's server: the engine's calls over gRPC, answered by `Provider`."""

# ruff: noqa: N802 - the protocol names its methods

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor
from functools import wraps
from importlib.metadata import version
from typing import TYPE_CHECKING, NoReturn, TypeVar

import grpc  # type: ignore[import-untyped] # the library brings no types, nor does the next
from google.protobuf.empty_pb2 import Empty  # type: ignore[import-untyped]
from pulumi.runtime import proto
from pulumi.runtime.proto import provider_pb2_grpc, status_pb2

from local.provider.aws import settings
from local.provider.aws.diffs import Difference, How
from local.provider.aws.provider import Named, Naming, Provider, UnfinishedError
from local.provider.aws.session import Aws
from local.provider.aws.values import ProtocolError, from_wire, revealed, to_wire
from overtime.errors import OvertimeError

if TYPE_CHECKING:
    from collections.abc import Callable

    from local.provider.aws.checking import Failure

_THREADS = 32
_ARGUMENTS = 2
_LOOK_SECONDS = 1
"""How often is looked whether the engine is still there."""
_OPTIONS = (("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1))
_FAILED = grpc.StatusCode.UNKNOWN
_KINDS = {
    (How.ADD, False): proto.PropertyDiff.ADD,
    (How.ADD, True): proto.PropertyDiff.ADD_REPLACE,
    (How.DELETE, False): proto.PropertyDiff.DELETE,
    (How.DELETE, True): proto.PropertyDiff.DELETE_REPLACE,
    (How.UPDATE, False): proto.PropertyDiff.UPDATE,
    (How.UPDATE, True): proto.PropertyDiff.UPDATE_REPLACE,
}

Request = TypeVar("Request")
Response = TypeVar("Response")
Servicer = TypeVar("Servicer")


def _answering(
    method: Callable[[Servicer, Request], Response],
) -> Callable[[Servicer, Request, grpc.ServicerContext], Response]:
    """Tell the engine of an error in people's words; only what nobody foresaw comes with its stack."""

    @wraps(method)
    def answer(servicer: Servicer, request: Request, context: grpc.ServicerContext) -> Response:
        try:
            return method(servicer, request)
        except UnfinishedError as error:
            _abort_unfinished(context, error)
        except (OvertimeError, ProtocolError) as error:
            context.abort(_FAILED, str(error))
        except Exception as error:  # noqa: BLE001 - the engine is to hear of it, whatever it is
            context.abort(_FAILED, f"{error!r}: this is a fault of the local provider.\n{traceback.format_exc()}")
        raise AssertionError  # abort has raised

    return answer


def _abort_unfinished(context: grpc.ServicerContext, error: UnfinishedError) -> NoReturn:
    """Let the engine keep a resource that is there but not as it should be, so that it is fixed or deleted."""
    detail = proto.ErrorResourceInitFailed(
        id=error.identity, properties=to_wire(error.state), inputs=to_wire(error.state), reasons=[str(error)]
    )
    status = status_pb2.Status(code=_FAILED.value[0], message=str(error))
    status.details.add().Pack(detail)
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    context.abort(_FAILED, str(error))
    raise AssertionError  # abort has raised


class ProviderServicer(provider_pb2_grpc.ResourceProviderServicer):
    """The protocol's methods, each a translation."""

    def __init__(self) -> None:
        self._aws: Aws | None = None

    @property
    def _provider(self) -> Provider:
        if self._aws is None:
            raise ProtocolError("The engine asked for a resource before it configured the provider.")
        return Provider(self._aws)

    @_answering
    def Handshake(self, _request: proto.ProviderHandshakeRequest) -> proto.ProviderHandshakeResponse:
        """Say what this provider takes."""
        return proto.ProviderHandshakeResponse(accept_secrets=True, supports_autonaming_configuration=True)

    @_answering
    def GetPluginInfo(self, _request: Empty) -> proto.PluginInfo:
        """Say whose schema this provider speaks."""
        return proto.PluginInfo(version=version("pulumi-aws"))

    @_answering
    def GetSchema(self, _request: proto.GetSchemaRequest) -> proto.GetSchemaResponse:
        """Say that there is no schema: programs use the genuine provider's."""
        return proto.GetSchemaResponse(schema="{}")

    @_answering
    def CheckConfig(self, request: proto.CheckRequest) -> proto.CheckResponse:
        """Refuse settings that would have no effect."""
        wrong = settings.setting_failures(from_wire(request.news))
        return proto.CheckResponse(inputs=request.news, failures=_failures(wrong))

    @_answering
    def DiffConfig(self, request: proto.DiffRequest) -> proto.DiffResponse:
        """Replace everything when the region changes."""
        old, new = revealed(from_wire(request.olds)), revealed(from_wire(request.news))
        moved = bool(old.get(settings.REGION)) and old.get(settings.REGION) != new.get(settings.REGION)
        changes = proto.DiffResponse.DIFF_SOME if old != new else proto.DiffResponse.DIFF_NONE
        return proto.DiffResponse(changes=changes, replaces=[settings.REGION] if moved else [])

    @_answering
    def Configure(self, request: proto.ConfigureRequest) -> proto.ConfigureResponse:
        """Remember where and as whom to work; AWS is not asked before something needs it."""
        given = {name: str(value) for name, value in revealed(from_wire(request.args)).items() if value}
        self._aws = Aws(region=given.get(settings.REGION), credentials=settings.credentials(given))
        return proto.ConfigureResponse(acceptSecrets=True, supportsPreview=True, supports_autonaming_configuration=True)

    @_answering
    def Invoke(self, request: proto.InvokeRequest) -> proto.InvokeResponse:
        """Answer a function."""
        answer, wrong = self._provider.invoke(request.tok, from_wire(request.args))
        # `return` is a word of Python's own.
        return proto.InvokeResponse(**{"return": to_wire(answer)}, failures=_failures(wrong))

    @_answering
    def Check(self, request: proto.CheckRequest) -> proto.CheckResponse:
        """Name a resource and refuse what cannot be passed to AWS."""
        asked = request.autonaming
        naming = Naming(
            seed=request.randomSeed,
            proposed=asked.proposed_name,
            allowed=asked.mode != proto.CheckRequest.AutonamingOptions.DISABLE,
        )
        named = Named(request.type, request.name)
        inputs, wrong = self._provider.check(named, from_wire(request.olds), from_wire(request.news), naming)
        return proto.CheckResponse(inputs=to_wire(inputs), failures=_failures(wrong))

    @_answering
    def Diff(self, request: proto.DiffRequest) -> proto.DiffResponse:
        """Name what changes, and what of it needs another resource."""
        named = Named(request.type, request.name)
        found, first = self._provider.diff(named, from_wire(request.old_inputs), from_wire(request.news))
        found = [each for each in found if each.name not in request.ignoreChanges]
        return _diff_response(found, deletes_first=first)

    @_answering
    def Create(self, request: proto.CreateRequest) -> proto.CreateResponse:
        """Make a resource, or say what is known of it beforehand."""
        named, inputs = Named(request.type, request.name), from_wire(request.properties)
        if request.preview:
            return proto.CreateResponse(properties=to_wire(self._provider.preview_create(named, inputs)))
        identity, state = self._provider.create(named, inputs)
        return proto.CreateResponse(id=identity, properties=to_wire(state))

    @_answering
    def Read(self, request: proto.ReadRequest) -> proto.ReadResponse:
        """Say how a resource is in AWS; without an id it is gone."""
        named = Named(request.type, request.name)
        found = self._provider.read(named, request.id, from_wire(request.inputs), from_wire(request.properties))
        if found is None:
            return proto.ReadResponse()
        inputs, state = found
        return proto.ReadResponse(id=request.id, inputs=to_wire(inputs), properties=to_wire(state))

    @_answering
    def Update(self, request: proto.UpdateRequest) -> proto.UpdateResponse:
        """Change a resource, or say what is known of it beforehand."""
        named, before = Named(request.type, request.name), from_wire(request.olds)
        old, new = from_wire(request.old_inputs), from_wire(request.news)
        if request.preview:
            return proto.UpdateResponse(properties=to_wire(self._provider.preview_update(named, before, old, new)))
        return proto.UpdateResponse(properties=to_wire(self._provider.update(named, request.id, before, old, new)))

    @_answering
    def Delete(self, request: proto.DeleteRequest) -> Empty:
        """Delete a resource."""
        self._provider.delete(Named(request.type, request.name), request.id, from_wire(request.properties))
        return Empty()

    @_answering
    def Cancel(self, _request: Empty) -> Empty:
        """End all waiting."""
        if self._aws:
            self._aws.stopping.set()
        return Empty()


def _failures(wrong: list[Failure]) -> list[proto.CheckFailure]:
    return [proto.CheckFailure(property=each.property, reason=each.reason) for each in wrong]


def _diff_response(found: list[Difference], *, deletes_first: bool) -> proto.DiffResponse:
    replaces = sorted({each.name for each in found if each.replaces})
    details = {each.path: proto.PropertyDiff(kind=_KINDS[each.how, each.replaces], inputDiff=True) for each in found}
    return proto.DiffResponse(
        changes=proto.DiffResponse.DIFF_SOME if found else proto.DiffResponse.DIFF_NONE,
        diffs=sorted({each.name for each in found}),
        replaces=replaces,
        deleteBeforeReplace=bool(replaces) and deletes_first,
        detailedDiff=details,
        hasDetailedDiff=True,
    )


def serve() -> None:
    """Serve until the engine ends this process, or itself; it reads the port from the first line of stdout."""
    if len(sys.argv) < _ARGUMENTS:
        sys.exit("This is a Pulumi plugin: the engine starts it and gives its own address. Run the engine instead.")
    told_to_stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: told_to_stop.set())
    server = grpc.server(ThreadPoolExecutor(max_workers=_THREADS), options=_OPTIONS)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(ProviderServicer(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    engine = os.getppid()
    while os.getppid() == engine and not told_to_stop.wait(_LOOK_SECONDS):
        pass
    # The engine gives all its plugins five seconds together; a thread that waits for AWS would take longer.
    server.stop(grace=None)
    os._exit(0)
