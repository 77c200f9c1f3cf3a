"""`awsx:ecr:Repository`: a repository of images, and which of them it keeps."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import cast

import pulumi
import pulumi_aws as aws

from local.provider.awsx import given

KNOWN = ("name", "forceDelete", "imageScanningConfiguration", "imageTagMutability", "lifecyclePolicy", "tags")
RULE = ("description", "tagStatus", "tagPrefixList", "maximumNumberOfImages", "maximumAgeLimit")
DEFAULT_RULES: Sequence[Mapping[str, given.Plain]] = (
    {"description": "remove untagged images", "tagStatus": "untagged", "maximumNumberOfImages": 1},
)


class Repository(pulumi.ComponentResource):
    """A repository and its lifecycle policy."""

    TYPE = "awsx:ecr:Repository"

    def __init__(self, name: str, inputs: pulumi.Inputs, opts: pulumi.ResourceOptions | None) -> None:
        policy, scanning = read(name, inputs)
        super().__init__(self.TYPE, name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        lower = name.lower()
        repository = aws.ecr.Repository(
            lower,
            name=inputs.get("name"),
            force_delete=inputs.get("forceDelete"),
            image_scanning_configuration=scanning,
            image_tag_mutability=inputs.get("imageTagMutability"),
            tags=inputs.get("tags"),
            opts=child,
        )
        made: dict[str, pulumi.Input[object]] = {"repository": repository, "url": repository.repository_url}
        if policy is not None:
            made["lifecyclePolicy"] = aws.ecr.LifecyclePolicy(
                lower, repository=repository.name, policy=policy, opts=child
            )
        self.state: Mapping[str, pulumi.Input[object]] = made
        self.register_outputs(dict(made))


def read(
    name: str, inputs: pulumi.Inputs
) -> tuple[str | None, aws.ecr.RepositoryImageScanningConfigurationArgs | None]:
    """Read the inputs that must be known: the policy's document, and whether images are looked through.

    Raises:
        UnsupportedInputError: they ask for what is not made here.

    """
    problems = given.unknown_names(inputs, KNOWN)
    scanning = cast("Mapping[str, bool]", given.plain(inputs, "imageScanningConfiguration") or {})
    if unknown := scanning.keys() - {"scanOnPush"}:
        problems["imageScanningConfiguration"] = f"has {sorted(unknown)}; known is scanOnPush"
    policy = cast("Mapping[str, given.Plain]", given.plain(inputs, "lifecyclePolicy") or {})
    if unknown := policy.keys() - {"rules", "skip"}:
        problems["lifecyclePolicy"] = f"has {sorted(unknown)}; known are rules and skip"
    given.refuse("Repository", name, problems)
    return (
        None if policy.get("skip") else lifecycle_policy(name, cast("Sequence[Rule]", policy.get("rules") or ())),
        aws.ecr.RepositoryImageScanningConfigurationArgs(scan_on_push=scanning["scanOnPush"]) if scanning else None,
    )


Rule = Mapping[str, given.Plain]


def lifecycle_policy(name: str, rules: Sequence[Rule]) -> str:
    """Write rules as ECR takes them; the one for any image comes last, as ECR demands.

    Raises:
        UnsupportedInputError: a rule cannot be written so.

    """
    problems: dict[str, str] = {}
    for index, rule in enumerate(rules):
        if problem := _problem(rule):
            problems[f"lifecyclePolicy.rules[{index}]"] = problem
    if sum(rule.get("tagStatus") == "any" for rule in rules) > 1:
        problems["lifecyclePolicy.rules"] = 'has more than one rule with the tagStatus "any"; ECR allows one'
    given.refuse("Repository", name, problems)
    ordered = sorted(rules or DEFAULT_RULES, key=lambda rule: rule.get("tagStatus") == "any")
    return json.dumps({"rules": [_rule(priority, rule) for priority, rule in enumerate(ordered, start=1)]})


def _problem(rule: Rule) -> str | None:
    if unknown := rule.keys() - set(RULE):
        return f"has {sorted(unknown)}; known are {', '.join(RULE)}"
    if ("maximumNumberOfImages" in rule) == ("maximumAgeLimit" in rule):
        return "needs one of maximumNumberOfImages and maximumAgeLimit"
    if (rule.get("tagStatus") == "tagged") != bool(rule.get("tagPrefixList")):
        return 'needs a tagPrefixList with the tagStatus "tagged", and only with it'
    return None


def _rule(priority: int, rule: Rule) -> dict[str, object]:
    selection: dict[str, object] = {"tagStatus": rule["tagStatus"]}
    if "tagPrefixList" in rule:
        selection["tagPrefixList"] = rule["tagPrefixList"]
    if "maximumNumberOfImages" in rule:
        selection |= {"countType": "imageCountMoreThan", "countNumber": _whole(rule["maximumNumberOfImages"])}
    else:
        count = _whole(rule["maximumAgeLimit"])
        selection |= {"countType": "sinceImagePushed", "countNumber": count, "countUnit": "days"}
    described = {"description": rule["description"]} if "description" in rule else {}
    return {"rulePriority": priority, **described, "selection": selection, "action": {"type": "expire"}}


def _whole(number: given.Plain) -> int:
    """Numbers reach a plugin as floating point; ECR wants none."""
    return int(cast("float", number))
