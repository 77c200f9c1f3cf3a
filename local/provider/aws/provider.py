"""What the engine asks of a provider, with Python's values."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from local.errors import LocalError
from local.provider.aws import states
from local.provider.aws.checking import DEFAULTS, Failure, auto_name, failures, name_failures, named
from local.provider.aws.diffs import Difference, deletes_first, differences
from local.provider.aws.functions import argument_failures, function_of
from local.provider.aws.meaning import coerced, completed
from local.provider.aws.registry import type_of
from local.provider.aws.schema import Change, Kind
from local.provider.aws.session import told
from local.provider.aws.values import Secret, Values, revealed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from local.provider.aws.schema import ResourceType
    from local.provider.aws.session import Aws

_Answer = TypeVar("_Answer")
_SECRET_ANSWERS = frozenset({"authorizationToken", "password"})


class Named(NamedTuple):
    """Which resource is meant."""

    token: str
    name: str
    """Its name in the program."""

    def __str__(self) -> str:
        return f"{self.token} {self.name!r}"


class Naming(NamedTuple):
    """How the engine wants a resource to be named that the program gives no name."""

    seed: bytes
    proposed: str = ""
    allowed: bool = True


class UnfinishedError(LocalError):
    """The resource is there, but something that belongs to it failed."""

    def __init__(self, reason: str, identity: str, state: Values) -> None:
        super().__init__(reason)
        self.identity, self.state = identity, state


class Provider:
    """Resources and functions of one account and region."""

    def __init__(self, aws: Aws) -> None:
        self.aws = aws

    def check(self, of: Named, before: Values, inputs: Values, naming: Naming) -> tuple[Values, list[Failure]]:
        """Give the inputs with a name, and what is wrong with them."""
        resource = type_of(of.token)
        given = {name: value for name, value in inputs.items() if name != DEFAULTS and value is not None}
        wrong = failures(resource, given)
        if resource.naming and not wrong:
            without_name = given.get(resource.naming.property) is None
            if without_name and not naming.allowed:
                reason = "Automatic naming is switched off for this stack, and the program gives no name."
                return given, [Failure(resource.naming.property, reason)]
            proposed = naming.proposed or auto_name(resource.naming, of.name, naming.seed)
            given = named(resource.naming, given, before, proposed)
            wrong = name_failures(resource.naming, given)
        return given, wrong

    def diff(self, of: Named, old: Values, new: Values) -> tuple[list[Difference], bool]:
        """List the differences, and say whether a replacement must delete first."""
        resource = type_of(of.token)
        return differences(resource, old, new), deletes_first(resource, old, new)

    def preview_create(self, of: Named, inputs: Values) -> Values:
        """Say what is known of a resource that is to be made."""
        return states.of_new(type_of(of.token), inputs, self.aws.region)

    def preview_update(self, of: Named, before: Values, old: Values, new: Values) -> Values:
        """Say what is known of a resource that is to be changed."""
        resource = type_of(of.token)
        return states.of_changed(resource, before, new, _names(resource, old, new))

    def create(self, of: Named, inputs: Values) -> tuple[str, Values]:
        """Make a resource; give its id and its state.

        Raises:
            UnfinishedError: it is there, but not as it should be.

        """
        resource = type_of(of.token)
        given = completed(resource.properties, inputs)
        identity = self._asked(f"{of} could not be created", lambda: resource.create(self.aws, given))
        try:
            finish = resource.finish
            if finish:
                self._asked(f"{of} was created, but not finished", lambda: finish(self.aws, identity, given))
            return identity, self._state(of, resource, identity, inputs, given)
        except LocalError as error:
            raise UnfinishedError(str(error), identity, inputs) from error

    def update(self, of: Named, identity: str, before: Values, old: Values, new: Values) -> Values:
        """Change a resource; give its state."""
        resource = type_of(of.token)
        # The engine asks for an update without a difference when a creation was not finished: then all is set again.
        names = _names(resource, old, new) or frozenset(resource.properties)
        change = Change(
            id=identity,
            old=completed(resource.properties, old),
            new=completed(resource.properties, new),
            outputs=self._known(of, resource, identity, before),
            names=names,
        )
        update = resource.update
        if update is None:
            raise LocalError(f"{of} cannot be changed, only replaced. This is a fault of the local provider.")
        self._asked(f"{of} could not be updated", lambda: update(self.aws, change))
        known = {**revealed(before), **change.new}
        return self._state(of, resource, identity, new, known)

    def read(self, of: Named, identity: str, inputs: Values, before: Values) -> tuple[Values, Values] | None:
        """Give inputs and state as they are in AWS, or None when the resource is gone."""
        resource = type_of(of.token)
        known = revealed({**inputs, **before})
        found = self._asked(f"{of} could not be read", lambda: resource.read(self.aws, identity, known))
        if found is None:
            return None
        new_inputs, state = states.refreshed(resource, inputs, before, _typed(resource, found))
        return _without_other_code(resource, new_inputs, before, state), state

    def delete(self, of: Named, identity: str, before: Values) -> None:
        """Delete a resource, if it is still there."""
        resource = type_of(of.token)
        known = revealed(before)
        self._asked(f"{of} could not be deleted", lambda: resource.delete(self.aws, identity, known))

    def invoke(self, token: str, arguments: Values) -> tuple[Values, list[Failure]]:
        """Answer a function."""
        wrong = argument_failures(token, arguments)
        if wrong:
            return {}, wrong
        function = function_of(token)
        answer = self._asked(token, lambda: function.answer(self.aws, revealed(arguments)))
        marked = {name: Secret(value) if name in _SECRET_ANSWERS else value for name, value in answer.items()}
        return marked, []

    def _known(self, of: Named, resource: ResourceType, identity: str, before: Values) -> Values:
        """Give what AWS told before; when a creation was not finished, nobody has asked yet."""
        known: Values = revealed(before)
        if all(name in known for name in resource.outputs):
            return known
        found = self._asked(f"{of} could not be read", lambda: resource.read(self.aws, identity, known))
        return {**known, **(found or {})}

    def _state(self, of: Named, resource: ResourceType, identity: str, inputs: Values, known: Values) -> Values:
        found = self._asked(f"{of} could not be read", lambda: resource.read(self.aws, identity, known))
        if found is None:
            raise LocalError(f"{of} has been made, but AWS does not know {identity!r}. Was it deleted at once?")
        return states.of_made(resource, inputs, _typed(resource, found), self.aws.region)

    def _asked(self, doing: str, call: Callable[[], _Answer]) -> _Answer:
        try:
            return call()
        except (ClientError, BotoCoreError) as error:
            raise LocalError(told(error, doing)) from error
        except LocalError as error:
            raise LocalError(f"{doing}: {error}") from error


def _names(resource: ResourceType, old: Values, new: Values) -> frozenset[str]:
    return frozenset(each.name for each in differences(resource, old, new))


def _typed(resource: ResourceType, found: Mapping[str, object]) -> Values:
    return {**found} | {name: coerced(declared, found.get(name)) for name, declared in resource.properties.items()}


def _without_other_code(resource: ResourceType, inputs: Values, before: Values, state: Values) -> Values:
    """Forget the code that somebody else has replaced in AWS, so that the next update brings it back."""
    other = before.get("codeSha256") is not None and state.get("codeSha256") != before.get("codeSha256")
    if not other:
        return inputs
    return {
        name: value
        for name, value in inputs.items()
        if name == DEFAULTS or resource.properties[name].kind is not Kind.CODE
    }
