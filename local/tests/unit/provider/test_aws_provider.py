from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from botocore.stub import Stubber

from local.errors import LocalError
from local.provider.aws import provider as module
from local.provider.aws.provider import Named, Provider, UnfinishedError
from local.provider.aws.registry import type_of
from local.provider.aws.schema import Change, ResourceType, integer, text
from local.provider.aws.session import Aws, refused_with, told, unless_gone
from local.provider.aws.settings import setting_failures
from local.provider.aws.values import Secret, Values

if TYPE_CHECKING:
    from collections.abc import Callable

    from botocore.client import BaseClient

THING = Named("aws:test/thing:Thing", "mine")


def refusal(code: str, message: str = "No.") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "CreateThing")


class Things:
    """A service with one type, whose calls can be made to fail."""

    def __init__(self) -> None:
        self.things: dict[str, Values] = {}
        self.updates: list[Change] = []
        self.finish_error: ClientError | None = None

    @property
    def type(self) -> ResourceType:
        """Declare the type."""
        return ResourceType(
            token=THING.token,
            properties={"name": text(replaces=True), "size": integer(default=1)},
            outputs={"arn": ()},
            create=self.create,
            finish=self.finish,
            read=lambda _aws, name, _known: self.things.get(name),
            update=lambda _aws, change: self.updates.append(change),
            delete=lambda _aws, name, _known: self.things.__delitem__(name),
        )

    def create(self, _aws: Aws, given: Values) -> str:
        """Make a thing, unless there is one of that name."""
        if given["name"] in self.things:
            raise refusal("ThingExists", "There is one.")
        self.things[given["name"]] = {**given, "arn": f"arn:{given['name']}"}
        return str(given["name"])

    def finish(self, _aws: Aws, _name: str, _given: Values) -> None:
        """Succeed, unless told otherwise."""
        if self.finish_error:
            raise self.finish_error


@pytest.fixture
def aws() -> Aws:
    return Aws(region="eu-west-1")


@pytest.fixture
def things(monkeypatch: pytest.MonkeyPatch) -> Things:
    made = Things()
    monkeypatch.setattr(module, "type_of", lambda _token: made.type)
    return made


def test_a_refusal_names_resource_action_code_and_reason(aws: Aws, things: Things) -> None:
    things.things["n"] = {}
    words = "aws:test/thing:Thing 'mine' could not be created: AWS refused CreateThing with ThingExists: There is one."
    with pytest.raises(LocalError, match=words):
        Provider(aws).create(THING, {"name": "n"})


def test_what_is_made_but_not_finished_is_kept(aws: Aws, things: Things) -> None:
    """With its id the engine can fix or delete it; without, nobody would know of it."""
    things.finish_error = refusal("Denied")
    with pytest.raises(UnfinishedError, match="was created, but not finished: AWS refused CreateThing") as caught:
        Provider(aws).create(THING, {"name": "n"})
    assert (caught.value.identity, caught.value.state) == ("n", {"name": "n"})


def test_mending_what_was_not_finished_sets_everything(aws: Aws, things: Things) -> None:
    things.things["n"] = {"name": "n", "size": 1, "arn": "arn:n"}
    Provider(aws).update(THING, "n", {"name": "n"}, {"name": "n"}, {"name": "n"})
    assert [({*each.names}, each.outputs["arn"]) for each in things.updates] == [({"name", "size"}, "arn:n")]


def test_an_update_says_what_changed_and_gives_defaults(aws: Aws, things: Things) -> None:
    things.things["n"] = {"name": "n", "size": 1, "arn": "arn:n"}
    before, old = {"name": "n", "size": 5, "arn": "arn:n"}, {"name": "n", "size": 5}
    state = Provider(aws).update(THING, "n", before, old, {"name": "n"})
    assert [({*each.names}, each.new) for each in things.updates] == [({"size"}, {"name": "n", "size": 1})]
    assert state["size"] == 1


def test_what_is_gone_is_read_as_gone(aws: Aws, things: Things) -> None:
    assert things.things == {}
    assert Provider(aws).read(THING, "n", {"name": "n"}, {}) is None


def test_code_that_was_replaced_in_aws_is_no_input_any_more(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the next update would see nothing to bring back."""
    original = type_of("aws:lambda/function:Function")
    answer: dict[str, Any] = {"name": "f", "codeSha256": "other"}
    monkeypatch.setattr(module, "type_of", lambda _token: replace(original, read=lambda *_: answer))
    inputs, before = {"name": "f", "code": "archive"}, {"name": "f", "code": "archive", "codeSha256": "ours"}
    found = Provider(aws).read(Named("aws:lambda/function:Function", "f"), "f", inputs, before)
    assert found is not None
    assert "code" not in found[0]
    answer["codeSha256"] = "ours"
    unchanged = Provider(aws).read(Named("aws:lambda/function:Function", "f"), "f", inputs, before)
    assert unchanged is not None
    assert unchanged[0]["code"] == "archive"


def test_arguments_that_a_function_does_not_take_are_refused(aws: Aws) -> None:
    _, wrong = Provider(aws).invoke("aws:index/getPartition:getPartition", {"region": "x"})
    assert [each.property for each in wrong] == ["region"]


def test_an_unknown_function_is_refused_by_name(aws: Aws) -> None:
    with pytest.raises(
        LocalError, match="has no function aws:ec2/getAmi:getAmi; it has aws:ec2/getRouteTable:getRouteTable, "
    ):
        Provider(aws).invoke("aws:ec2/getAmi:getAmi", {})


def test_a_function_knows_the_region_without_asking(aws: Aws) -> None:
    answer, _ = Provider(aws).invoke("aws:index/getRegion:getRegion", {})
    assert (answer["region"], answer["name"]) == ("eu-west-1", "eu-west-1")


def test_without_a_region_it_is_said_how_to_set_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/none")
    with pytest.raises(LocalError, match="pulumi config set aws:region eu-west-1"):
        assert Aws().region


def test_settings_without_effect_are_refused_by_name() -> None:
    wrong = setting_failures({"region": "r", "accessKey": Secret("k"), "endpoints": "[]", "defaultTags": "{}"})
    assert [each.property for each in wrong] == ["endpoints", "defaultTags"]
    assert "only the variable AWS_ENDPOINT_URL says" in wrong[0].reason


def failing(times: int, error: ClientError) -> Callable[[], int]:
    calls = iter(range(times + 1))

    def call() -> int:
        number = next(calls)
        if number < times:
            raise error
        return number

    return call


def test_a_refusal_that_passes_is_waited_for(aws: Aws) -> None:
    assert aws.when(failing(2, refusal("NotYet")), refused_with("NotYet"), seconds=30) == 2


def test_another_refusal_is_raised_at_once(aws: Aws) -> None:
    with pytest.raises(ClientError, match="Denied"):
        aws.when(failing(1, refusal("Denied")), refused_with("NotYet"), seconds=30)


def test_waiting_has_an_end(aws: Aws) -> None:
    with pytest.raises(ClientError, match="NotYet"):
        aws.when(failing(10**9, refusal("NotYet")), refused_with("NotYet"), seconds=0.3)
    with pytest.raises(LocalError, match=r"AWS was asked for 0\.3 s, and still it was ready did not happen"):
        aws.wait(lambda: False, until="it was ready", seconds=0.3)


def test_waiting_ends_when_the_engine_gives_up(aws: Aws) -> None:
    aws.stopping.set()
    with pytest.raises(LocalError, match="The engine gave up before it was ready"):
        aws.wait(lambda: False, until="it was ready", seconds=30)


def test_gone_is_what_aws_calls_gone() -> None:
    assert unless_gone(failing(1, refusal("NoSuchThing")), "NoSuchThing") is None
    with pytest.raises(ClientError, match="Denied"):
        unless_gone(failing(1, refusal("Denied")), "NoSuchThing")


def test_no_answer_at_all_leads_to_the_endpoint() -> None:
    error = EndpointConnectionError(endpoint_url="http://127.0.0.1:1")
    assert told(error, "It could not be read").endswith("Are AWS_ENDPOINT_URL and the credentials right?")


def test_zones_are_filtered_by_aws_and_by_state_and_id(aws: Aws) -> None:
    """Filters go to AWS as they are given; state and ids are compared here, as the genuine provider does."""
    told = [("b", "available"), ("c", "available"), ("a", "impaired")]
    answer = {"AvailabilityZones": [{"ZoneName": f"r{n}", "ZoneId": f"id-{n}", "State": state} for n, state in told]}
    filters = [{"name": "opt-in-status", "values": ["opt-in-not-required"]}]
    with Stubber(aws.ec2) as stub:
        asked = {"Filters": [{"Name": "opt-in-status", "Values": ["opt-in-not-required"]}]}
        stub.add_response("describe_availability_zones", answer, asked)
        found, wrong = Provider(aws).invoke(
            "aws:index/getAvailabilityZones:getAvailabilityZones",
            {"state": "available", "filters": filters, "excludeZoneIds": ["id-c"]},
        )
    assert wrong == []
    assert (found["names"], found["zoneIds"], found["region"]) == (["rb"], ["id-b"], "eu-west-1")


def test_the_file_system_of_an_access_point(aws: Aws) -> None:
    """Its ARN, which AWS does not say, has the region, account and partition of the access point's."""
    place = "arn:aws-cn:elasticfilesystem:cn-north-1:123456789012"
    point = {"AccessPointId": "fsap-1", "AccessPointArn": f"{place}:access-point/fsap-1"}
    answer = {"AccessPoints": [point | {"FileSystemId": "fs-2", "OwnerId": "123456789012"}]}
    with Stubber(cast("BaseClient", aws.efs)) as stub:
        stub.add_response("describe_access_points", answer, {"AccessPointId": "fsap-1"})
        found, wrong = Provider(aws).invoke("aws:efs/getAccessPoint:getAccessPoint", {"accessPointId": "fsap-1"})
    assert wrong == []
    assert (found["fileSystemId"], found["fileSystemArn"]) == ("fs-2", f"{place}:file-system/fs-2")
