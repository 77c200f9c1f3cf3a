"""A program of every type that the light aws provider makes, with two forms of whatever can differ."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pulumi
import pulumi_aws as aws

from local.provider.aws.archives import packed

ACCESS_POINT = "arn:aws:elasticfilesystem:eu-west-1:000000000000:access-point/fsap-0123456789abcdef0"
SECRET = "do-not-tell"
ON = True
Form = TypeVar("Form")


@dataclass
class Wishes:
    """Which form the program has."""

    updated: bool = False
    """Everything that AWS can change in place is other."""
    replaced: bool = False
    """What AWS cannot change is other."""
    refused: bool = False
    """A property is given that the provider does not know."""

    def update(self, before: Form, after: Form) -> Form:
        """Choose what changes in place."""
        return after if self.updated else before

    def replace(self, before: Form, after: Form) -> Form:
        """Choose what replaces."""
        return after if self.replaced else before


def trust(*services: str) -> str:
    """Let services take a role."""
    principal = {"Service": [f"{service}.amazonaws.com" for service in services]}
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def policy(effect: str, action: str, resource: str, **more: object) -> str:
    """Write a policy of one statement."""
    statement = {"Effect": effect, "Action": action, "Resource": resource, **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def over_tls(arn: pulumi.Output[str], service: str, sid: str) -> pulumi.Output[str]:
    """Refuse everybody who does not come over TLS."""
    condition = {"Bool": {"aws:SecureTransport": "false"}}
    return arn.apply(lambda known: policy("Deny", f"{service}:*", known, Sid=sid, Principal="*", Condition=condition))


def _file_system(digit: str) -> aws.ecs.TaskDefinitionVolumeArgs:
    return aws.ecs.TaskDefinitionVolumeArgs(
        name="files",
        efs_volume_configuration=aws.ecs.TaskDefinitionVolumeEfsVolumeConfigurationArgs(
            file_system_id=f"fs-{digit}",
            transit_encryption="ENABLED",
            authorization_config=aws.ecs.TaskDefinitionVolumeEfsVolumeConfigurationAuthorizationConfigArgs(
                access_point_id=f"fsap-{digit}", iam="ENABLED"
            ),
        ),
    )


class Program:
    """The program; an object can be called as one."""

    def __init__(self) -> None:
        self.wishes = Wishes()
        self.temporary = tempfile.TemporaryDirectory()

    def __call__(self) -> None:
        """Declare everything."""
        tags = self.wishes.update({"owner": "a", "kept": "1"}, {"owner": "b", "kept": "1", "new": "2"})
        role = self._roles(tags)
        parking, queue = self._queues(tags)
        function, logs = self._function(role, queue, tags)
        self._events(function, parking, tags)
        self._storage(tags)
        self._stored(role)
        repository = self._images(tags)
        self._tasks(role, repository, logs, tags)
        self._network(tags)
        self._functions()

    def _functions(self) -> None:
        account, region = aws.get_caller_identity_output().account_id, aws.get_region_output().region
        partition = aws.get_partition_output().partition
        pulumi.export("where", pulumi.Output.concat(partition, "/", region, "/", account))
        pulumi.export("login", aws.ecr.get_authorization_token_output().password)

    def _roles(self, tags: dict[str, str]) -> aws.iam.Role:
        wish = self.wishes
        role = aws.iam.Role(
            "role",
            assume_role_policy=wish.update(trust("lambda", "ecs-tasks"), trust("lambda", "ecs-tasks", "events")),
            description=wish.update("Before", "After"),
            max_session_duration=wish.update(None, 7200),
            tags=tags,
        )
        aws.iam.Role("renamed", path=wish.replace("/", "/other/"), assume_role_policy=trust("lambda"), name="renamed")
        attached = wish.replace("AWSLambdaBasicExecutionRole", "AWSLambdaVPCAccessExecutionRole")
        aws.iam.RolePolicyAttachment(
            "attached", role=role.name, policy_arn=f"arn:aws:iam::aws:policy/service-role/{attached}"
        )
        permitted = aws.iam.RolePolicy(
            "permitted", role=role.name, policy=policy("Allow", wish.update("sqs:*", "s*:*"), "*")
        )
        self.permitted = permitted
        managed = aws.iam.Policy(
            "managed", policy=policy("Allow", wish.update("sqs:SendMessage", "sqs:*"), "*"), tags=tags
        )
        aws.iam.RolePolicyAttachment("managed", role=role.name, policy_arn=managed.arn)
        return role

    def _queues(self, tags: dict[str, str]) -> tuple[aws.sqs.Queue, aws.sqs.Queue]:
        wish = self.wishes
        parking = aws.sqs.Queue("parking", message_retention_seconds=1_209_600, max_message_size=1_048_576)
        queue = aws.sqs.Queue(
            "queue",
            sqs_managed_sse_enabled=True,
            visibility_timeout_seconds=wish.update(360, None),
            delay_seconds=wish.update(None, 5),
            redrive_policy=parking.arn.apply(
                lambda arn: json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": wish.update(5, 6)})
            ),
            tags=tags,
            fifo_queue=ON if wish.refused else None,
        )
        aws.sqs.RedriveAllowPolicy(
            "allowed",
            queue_url=parking.url,
            redrive_allow_policy=queue.arn.apply(
                lambda arn: json.dumps(
                    wish.update(
                        {"redrivePermission": "byQueue", "sourceQueueArns": [arn]}, {"redrivePermission": "allowAll"}
                    )
                )
            ),
        )
        aws.sqs.QueuePolicy("queue-tls", queue_url=queue.url, policy=over_tls(queue.arn, "sqs", wish.update("A", "B")))
        return parking, queue

    def _function(
        self, role: aws.iam.Role, queue: aws.sqs.Queue, tags: dict[str, str]
    ) -> tuple[aws.lambda_.Function, aws.cloudwatch.LogGroup]:
        wish = self.wishes
        logs = aws.cloudwatch.LogGroup(
            "logs", name="/aws/lambda/every-type", retention_in_days=wish.update(30, None), tags=tags
        )
        layer = aws.lambda_.LayerVersion(
            "layer",
            layer_name="every-type",
            code=pulumi.AssetArchive({"python/a_library.py": pulumi.StringAsset("X = 1\n")}),
            compatible_runtimes=["python3.13"],
            description=wish.replace("Before", "After"),
        )
        code = wish.update("def handler(event, context): return 1\n", "def handler(event, context): return 2\n")
        function = aws.lambda_.Function(
            "function",
            name="every-type",
            role=role.arn,
            code=self._zip({"app.py": code.encode()}),
            handler="app.handler",
            runtime="python3.13",
            architectures=["x86_64"],
            timeout=5,
            memory_size=wish.update(None, 256),
            layers=[layer.arn],
            environment=aws.lambda_.FunctionEnvironmentArgs(
                variables={"TOKEN": pulumi.Output.secret(SECRET), "MODE": wish.update("before", "after")}
            ),
            dead_letter_config=aws.lambda_.FunctionDeadLetterConfigArgs(target_arn=queue.arn),
            vpc_config=wish.update(
                None, aws.lambda_.FunctionVpcConfigArgs(subnet_ids=["subnet-0a"], security_group_ids=["sg-0a"])
            ),
            file_system_config=wish.update(
                None, aws.lambda_.FunctionFileSystemConfigArgs(arn=ACCESS_POINT, local_mount_path="/mnt/data")
            ),
            kms_key_arn=wish.update(None, "arn:aws:kms:eu-west-1:000000000000:key/1"),
            ephemeral_storage=wish.update(None, aws.lambda_.FunctionEphemeralStorageArgs(size=1024)),
            logging_config=wish.update(None, aws.lambda_.FunctionLoggingConfigArgs(log_format="JSON")),
            tracing_config=wish.update(None, aws.lambda_.FunctionTracingConfigArgs(mode="Active")),
            reserved_concurrent_executions=wish.update(0, None),
            tags=tags,
            opts=pulumi.ResourceOptions(depends_on=[logs, self.permitted]),
        )
        pulumi.export("environment", function.environment)
        return function, logs

    def _zip(self, members: dict[str, bytes]) -> pulumi.Archive:
        """Pack files in a folder that is another one each time; the one in the stack's state is gone."""
        self.temporary.cleanup()
        self.temporary = tempfile.TemporaryDirectory()
        path = Path(self.temporary.name) / "code.zip"
        path.write_bytes(packed(members))
        return pulumi.FileArchive(str(path))

    def _events(self, function: aws.lambda_.Function, source: aws.sqs.Queue, tags: dict[str, str]) -> None:
        wish = self.wishes
        aws.lambda_.FunctionEventInvokeConfig(
            "retries",
            function_name=function.name,
            maximum_retry_attempts=wish.update(0, None),
            maximum_event_age_in_seconds=3600,
        )
        aws.lambda_.FunctionRecursionConfig(
            "recursion", function_name=function.name, recursive_loop=wish.update("Allow", "Terminate")
        )
        aws.lambda_.EventSourceMapping(
            "source",
            event_source_arn=source.arn,
            function_name=function.name,
            batch_size=wish.update(10, 5),
            function_response_types=["ReportBatchItemFailures"],
            scaling_config=aws.lambda_.EventSourceMappingScalingConfigArgs(maximum_concurrency=wish.update(5, 6)),
            tags=tags,
        )

    def _storage(self, tags: dict[str, str]) -> None:
        wish = self.wishes
        aws.dynamodb.Table(
            "Table",
            billing_mode="PAY_PER_REQUEST",
            hash_key=wish.replace("key", "other_key"),
            attributes=[aws.dynamodb.TableAttributeArgs(name=wish.replace("key", "other_key"), type="S")],
            ttl=wish.update(aws.dynamodb.TableTtlArgs(attribute_name="expires_at", enabled=True), None),
            point_in_time_recovery=wish.update(aws.dynamodb.TablePointInTimeRecoveryArgs(enabled=True), None),
            server_side_encryption=aws.dynamodb.TableServerSideEncryptionArgs(enabled=True),
            tags=tags,
        )
        bucket = aws.s3.Bucket("Bucket", force_destroy=True, tags=tags)
        default = aws.s3.BucketServerSideEncryptionConfigurationRuleApplyServerSideEncryptionByDefaultArgs(
            sse_algorithm=wish.update("AES256", "aws:kms")
        )
        rule = aws.s3.BucketServerSideEncryptionConfigurationRuleArgs(apply_server_side_encryption_by_default=default)
        aws.s3.BucketServerSideEncryptionConfiguration("encrypted", bucket=bucket.bucket, rules=[rule])
        block = aws.s3.BucketPublicAccessBlock(
            "private", bucket=bucket.bucket, block_public_acls=True, block_public_policy=wish.update(None, ON)
        )
        aws.s3.BucketPolicy(
            "bucket-tls",
            bucket=bucket.bucket,
            policy=over_tls(bucket.arn, "s3", wish.update("A", "B")),
            opts=pulumi.ResourceOptions(depends_on=[block]),
        )
        expire = aws.s3.BucketLifecycleConfigurationRuleArgs(
            id="expire",
            status="Enabled",
            filter=aws.s3.BucketLifecycleConfigurationRuleFilterArgs(prefix=""),
            expiration=aws.s3.BucketLifecycleConfigurationRuleExpirationArgs(days=wish.update(3, 4)),
        )
        aws.s3.BucketLifecycleConfiguration("expiry", bucket=bucket.bucket, rules=[expire])
        versioning = aws.s3.BucketVersioningVersioningConfigurationArgs(status=wish.update("Enabled", "Suspended"))
        aws.s3.BucketVersioning("versioned", bucket=bucket.bucket, versioning_configuration=versioning)
        pulumi.export("bucket", bucket.bucket)

    def _stored(self, role: aws.iam.Role) -> None:
        """Declare a function whose code is a version of an object."""
        wish = self.wishes
        bucket = aws.s3.Bucket("code")
        versioning = aws.s3.BucketVersioningVersioningConfigurationArgs(status="Enabled")
        versions = aws.s3.BucketVersioning("versions", bucket=bucket.bucket, versioning_configuration=versioning)
        path = Path(self.temporary.name) / "stored.zip"
        path.write_bytes(packed({"app.py": f"def handler(event, context): return {wish.update(3, 4)}\n".encode()}))
        stored = aws.s3.BucketObjectv2(
            "stored",
            bucket=bucket.bucket,
            key="code/stored.zip",
            source=pulumi.FileAsset(str(path)),
            source_hash=wish.update("before", "after"),
            opts=pulumi.ResourceOptions(depends_on=[versions]),
        )
        aws.lambda_.Function(
            "from-s3",
            name="every-type-from-s3",
            role=role.arn,
            s3_bucket=stored.bucket,
            s3_key=stored.key,
            s3_object_version=stored.version_id,
            handler="app.handler",
            runtime="python3.13",
            opts=pulumi.ResourceOptions(depends_on=[self.permitted]),
        )

    def _images(self, tags: dict[str, str]) -> aws.ecr.Repository:
        wish = self.wishes
        repository = aws.ecr.Repository(
            "Images", image_tag_mutability=wish.update("IMMUTABLE", "MUTABLE"), force_delete=True, tags=tags
        )
        selection = {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": wish.replace(5, 6)}
        rules = [{"rulePriority": 1, "selection": selection, "action": {"type": "expire"}}]
        aws.ecr.LifecyclePolicy("keep", repository=repository.name, policy=json.dumps({"rules": rules}))
        return repository

    def _tasks(
        self,
        role: aws.iam.Role,
        repository: aws.ecr.Repository,
        logs: aws.cloudwatch.LogGroup,
        tags: dict[str, str],
    ) -> None:
        wish = self.wishes
        setting = aws.ecs.ClusterSettingArgs(name="containerInsights", value=wish.update("disabled", "enabled"))
        aws.ecs.Cluster("cluster", settings=[setting], tags=tags)
        container = {
            "name": "runner",
            "image": repository.repository_url,
            "user": "993:990",
            "readonlyRootFilesystem": True,
            "linuxParameters": {"initProcessEnabled": True},
            "mountPoints": [{"sourceVolume": "tmp", "containerPath": "/tmp", "readOnly": False}],
            "environment": [{"name": "B", "value": "1"}, {"name": "A", "value": "2"}],
            "logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": logs.name}},
        }
        definition = aws.ecs.TaskDefinition(
            "definition",
            family="every-type",
            cpu=wish.replace("256", "512"),
            memory="1024",
            network_mode="awsvpc",
            requires_compatibilities=["FARGATE"],
            runtime_platform=aws.ecs.TaskDefinitionRuntimePlatformArgs(
                operating_system_family="LINUX", cpu_architecture="X86_64"
            ),
            ephemeral_storage=aws.ecs.TaskDefinitionEphemeralStorageArgs(size_in_gib=21),
            execution_role_arn=role.arn,
            task_role_arn=role.arn,
            volumes=[aws.ecs.TaskDefinitionVolumeArgs(name="tmp"), _file_system(wish.replace("a", "b"))],
            container_definitions=pulumi.Output.json_dumps([container]),
            tags=tags,
        )
        pulumi.export("definition", definition.arn)

    def _network(self, tags: dict[str, str]) -> None:
        wish = self.wishes
        zone = aws.get_availability_zones_output(state="available").names[0]
        vpc = aws.ec2.Vpc("vpc", cidr_block="10.0.0.0/16", enable_dns_hostnames=wish.update(ON, None), tags=tags)
        gateway, other = (aws.ec2.InternetGateway(name, vpc_id=vpc.id, tags=tags) for name in ("gateway", "other"))
        subnet = aws.ec2.Subnet(
            "subnet",
            vpc_id=vpc.id,
            cidr_block="10.0.0.0/24",
            availability_zone=zone,
            map_public_ip_on_launch=wish.update(ON, None),
        )
        table = aws.ec2.RouteTable("table", vpc_id=vpc.id, tags=tags)
        aws.ec2.Route(
            "route",
            route_table_id=table.id,
            destination_cidr_block=wish.replace("0.0.0.0/0", "0.0.0.0/1"),
            gateway_id=wish.update(gateway, other).id,
        )
        aws.ec2.RouteTableAssociation("association", route_table_id=table.id, subnet_id=subnet.id)
        group = aws.ec2.SecurityGroup("group", description=wish.replace("Before", "After"), vpc_id=vpc.id, tags=tags)
        rule = aws.vpc.SecurityGroupEgressRule(
            "out",
            security_group_id=group.id,
            cidr_ipv4=wish.update("0.0.0.0/0", "10.0.0.0/8"),
            ip_protocol="-1",
            description="Everything",
        )
        pulumi.export("group", rule.security_group_id)
