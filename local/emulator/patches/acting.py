"""What AWS services do with a role that was given to them: the role must allow it, and the record of calls shows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from local.emulator.calls import Call
from local.emulator.patches import dispatch
from local.emulator.patches.credentials import assumed_role
from local.emulator.patches.patching import Record, module

if TYPE_CHECKING:
    from collections.abc import Mapping

ALLOWED, DENIED = 200, 403


@dataclass(frozen=True, kw_only=True)
class Role:
    """A role in the hands of a service."""

    arn: str
    session: str
    service: str
    """The principal that acts, as in `lambda.amazonaws.com`."""

    @property
    def caller(self) -> str:
        """The ARN that error messages name."""
        return assumed_role(self.arn, self.session)

    @property
    def account(self) -> str:
        """The account that the role belongs to."""
        return self.arn.split(":")[4]


def may(role: Role, action: str, resource: str) -> bool:
    """Say whether the role allows it, and record the use; without IAM enforcement it does."""
    allowed = not module("app").AUTH or _allows(role, action, resource, {})
    status = ALLOWED if allowed else DENIED
    dispatch.record(
        Call(
            time=dispatch.now(),
            caller=role.caller,
            action=action,
            resource=resource,
            status=status,
            via=role.service,
        )
    )
    return allowed


def refusal(role: Role, action: str, resource: str) -> str:
    """Word a refusal as IAM does."""
    return (
        f"User: {role.caller} is not authorized to perform: {action} on resource: {resource} "
        f"because no identity-based policy allows the {action} action"
    )


def caller_may_pass(role_arn: str, to_service: str) -> str | None:
    """Check iam:PassRole for whoever makes the present call; returns IAM's words when it is refused."""
    who = dispatch.caller.get()
    if ":assumed-role/" not in who:
        return None
    _, _, rest = who.partition(":assumed-role/")
    name, _, session = rest.partition("/")
    caller = Role(arn=f"arn:aws:iam::{role_arn.split(':')[4]}:role/{name}", session=session, service="")
    action = "iam:PassRole"
    allowed = not module("app").AUTH or _allows(caller, action, role_arn, {"iam:passedtoservice": to_service})
    status = ALLOWED if allowed else DENIED
    dispatch.record(Call(time=dispatch.now(), caller=who, action=action, resource=role_arn, status=status))
    return None if allowed else refusal(caller, action, role_arn)


def trusts(role_arn: str, service: str) -> bool:
    """Say whether a role's trust policy lets a service assume it; without IAM enforcement it does."""
    if not module("app").AUTH:
        return True
    account, name = role_arn.split(":")[4], role_arn.rpartition("/")[2]
    role: Record = module("services.iam")._roles.get_scoped(account, None, name) or {}  # noqa: SLF001
    evaluator = module("core.iam_evaluator")
    document = evaluator.json.loads(role.get("AssumeRolePolicyDocument") or "{}")
    statements = document.get("Statement", [])
    for statement in statements if isinstance(statements, list) else [statements]:
        principals = statement.get("Principal", {})
        named = principals.get("Service", []) if isinstance(principals, dict) else []
        if statement.get("Effect") == "Allow" and service in ([named] if isinstance(named, str) else named):
            return True
    return False


def _allows(role: Role, action: str, resource: str, context: Mapping[str, str]) -> bool:
    evaluator = module("core.iam_evaluator")
    name = role.arn.rpartition("/")[2]
    limits = evaluator._permissions_boundary(module("services.iam")._roles, name, role.account)  # noqa: SLF001
    asked = evaluator.EvalContext(
        principal_arn=role.caller,
        principal_type="AssumedRole",
        principal_account=role.account,
        action=action,
        resource_arn=resource,
        region=module("core.responses").get_region(),
        service_context=dict(context),
        secure_transport=True,  # AWS's services talk TLS to each other
    )
    result = evaluator.evaluate(asked, evaluator._gather_role_policies(name, role.account), *limits)  # noqa: SLF001
    found = evaluator._resource_policy(action.partition(":")[0], resource)  # noqa: SLF001
    if found is not None:
        result = evaluator.combine_resource_policy(result, asked, *found, limits=limits)
    return bool(result.decision == "Allow")
