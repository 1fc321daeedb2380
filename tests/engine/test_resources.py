"""Each CloudFormation type: made as the template says, changed in effect, and removed."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from botocore.exceptions import ClientError

from rehearsal.engine import Unsupported, models
from rehearsal.engine.cloudformation.resource_types import KINDS
from rehearsal.engine.cloudformation.resources import Place
from rehearsal.engine.moto_seams import sagemaker as sagemaker_seam
from tests.engine.stack_world import World, queue, world

__all__ = ["world"]

ACCOUNT = "123456789012"


def trust(service: str) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    return {"Version": "2012-10-17", "Statement": [statement]}


def policy(*actions: str, resource: Any = "*", **more: Any) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": resource, **more}
    return {"Version": "2012-10-17", "Statement": [statement]}


def node(kind: str, **properties: Any) -> dict[str, Any]:
    return {"Type": kind, "Properties": properties}


def completed(stack: dict[str, Any]) -> None:
    assert stack["StackStatus"] in ("CREATE_COMPLETE", "UPDATE_COMPLETE"), stack["StackName"]


def test_a_role_s_trust_policies_and_permissions_change_in_place(world: World) -> None:
    iam = world.account.client("iam")
    read_only = "arn:aws:iam::aws:policy/ReadOnlyAccess"

    def role(service: str, **more: Any) -> dict[str, Any]:
        named = {"RoleName": "changing-role", "AssumeRolePolicyDocument": trust(service)}
        return {"R": node("AWS::IAM::Role", **named, **more)}

    inline = [{"PolicyName": "one", "PolicyDocument": policy("s3:GetObject")}]
    completed(
        world.create("role", role("lambda.amazonaws.com", Policies=inline, ManagedPolicyArns=[read_only]))
    )
    inline = [{"PolicyName": "two", "PolicyDocument": policy("s3:PutObject")}]
    completed(world.update("role", role("sagemaker.amazonaws.com", Policies=inline, MaxSessionDuration=7200)))
    described = iam.get_role(RoleName="changing-role")["Role"]
    assert described["AssumeRolePolicyDocument"] == trust("sagemaker.amazonaws.com")
    assert described["MaxSessionDuration"] == 7200
    assert iam.list_role_policies(RoleName="changing-role")["PolicyNames"] == ["two"]
    assert iam.list_attached_role_policies(RoleName="changing-role")["AttachedPolicies"] == []
    assert world.delete("role")["StackStatus"] == "DELETE_COMPLETE"


def test_an_inline_policy_moves_between_roles_and_changes_its_statements(world: World) -> None:
    iam = world.account.client("iam")

    def resources(role: str, action: str) -> dict[str, Any]:
        roles = {
            name: node(
                "AWS::IAM::Role", RoleName=f"inline-{name}", AssumeRolePolicyDocument=trust("a.amazonaws.com")
            )
            for name in ("a", "b")
        }
        attached = {"PolicyName": "own", "Roles": [{"Ref": role}], "PolicyDocument": policy(action)}
        return {**roles, "P": node("AWS::IAM::Policy", **attached)}

    completed(world.create("inline", resources("a", "s3:GetObject")))
    completed(world.update("inline", resources("b", "s3:PutObject")))
    assert iam.list_role_policies(RoleName="inline-a")["PolicyNames"] == []
    own = iam.get_role_policy(RoleName="inline-b", PolicyName="own")
    assert own["PolicyDocument"]["Statement"][0]["Action"] == ["s3:PutObject"]
    assert world.delete("inline")["StackStatus"] == "DELETE_COMPLETE"


def package(text: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("index.py", text)
    return buffer.getvalue()


def function_stack(**changes: Any) -> dict[str, Any]:
    function = {
        "FunctionName": "changing-function",
        "Runtime": "python3.13",
        "Handler": "index.handler",
        "Role": {"Fn::GetAtt": ["Role", "Arn"]},
        "Code": {"ZipFile": "def handler(event, context): return 1"},
        **changes,
    }
    return {
        "Role": node(
            "AWS::IAM::Role",
            AssumeRolePolicyDocument=trust("lambda.amazonaws.com"),
            Policies=[{"PolicyName": "own", "PolicyDocument": policy("sqs:*")}],
        ),
        "F": node("AWS::Lambda::Function", **function),
    }


def test_a_function_s_code_and_configuration_change_in_effect(world: World) -> None:
    client = world.account.client("lambda")
    completed(world.create("function", function_stack(Environment={"Variables": {"A": "1"}}, Timeout="9")))
    first = client.get_function_configuration(FunctionName="changing-function")
    assert first["Timeout"] == 9
    code = {"ZipFile": "def handler(event, context): return 2"}
    completed(
        world.update(
            "function", function_stack(Code=code, Environment={"Variables": {"B": "2"}}, MemorySize=256)
        )
    )
    second = client.get_function_configuration(FunctionName="changing-function")
    assert second["CodeSha256"] != first["CodeSha256"]
    assert second["Environment"]["Variables"] == {"B": "2"}
    assert (second["MemorySize"], second["Timeout"]) == (256, 3)
    completed(world.update("function", function_stack(Code=code)))
    third = client.get_function_configuration(FunctionName="changing-function")
    assert third.get("Environment", {}).get("Variables", {}) == {}
    assert json.load(client.invoke(FunctionName="changing-function")["Payload"]) == 2


def test_a_function_s_code_comes_from_s3(world: World) -> None:
    s3 = world.account.client("s3")
    s3.create_bucket(Bucket="code-bucket")
    for key in ("one", "two"):
        s3.put_object(Bucket="code-bucket", Key=key, Body=package(f"def handler(e, c): return '{key}'"))
    code = {"S3Bucket": "code-bucket", "S3Key": "one"}
    completed(world.create("s3-code", function_stack(FunctionName="from-s3", Code=code)))
    completed(world.update("s3-code", function_stack(FunctionName="from-s3", Code={**code, "S3Key": "two"})))
    answer = world.account.client("lambda").invoke(FunctionName="from-s3")
    assert json.load(answer["Payload"]) == "two"


def test_an_update_that_would_change_nothing_stops_by_name(world: World) -> None:
    completed(world.create("frozen", function_stack(FunctionName="frozen")))
    world.update("frozen", function_stack(FunctionName="frozen", EphemeralStorage={"Size": 1024}), pump=False)
    with pytest.raises(
        Unsupported, match=r"AWS::Lambda::Function \(F\) in stack frozen: update of EphemeralStorage"
    ):
        world.account.pump()


def test_what_belongs_to_a_function_follows_it(world: World) -> None:
    client = world.account.client("lambda")

    def resources(*, retries: int, batch: int, source: str) -> dict[str, Any]:
        on_failure = {"OnFailure": {"Destination": {"Fn::GetAtt": ["Q", "Arn"]}}}
        own = {"FunctionName": {"Ref": "F"}}
        return {
            **function_stack(FunctionName="owner"),
            "Q": queue(),
            "Invoke": node(
                "AWS::Lambda::EventInvokeConfig", **own, Qualifier="$LATEST", MaximumRetryAttempts=retries,
                DestinationConfig=on_failure,
            ),
            "Permit": node(
                "AWS::Lambda::Permission", **own, Action="lambda:InvokeFunction", Principal="events.amazonaws.com",
                SourceArn=source,
            ),
            "Map": node(
                "AWS::Lambda::EventSourceMapping", **own, EventSourceArn={"Fn::GetAtt": ["Q", "Arn"]}, BatchSize=batch
            ),
        }  # fmt: skip

    completed(world.create("owner", resources(retries=1, batch=5, source="arn:one")))
    mapping = world.physical("owner")["Map"]
    completed(world.update("owner", resources(retries=0, batch=7, source="arn:two")))
    config = client.get_function_event_invoke_config(FunctionName="owner")
    assert config["MaximumRetryAttempts"] == 0
    assert client.get_event_source_mapping(UUID=mapping)["BatchSize"] == 7
    assert world.physical("owner")["Map"] == mapping
    statements = json.loads(client.get_policy(FunctionName="owner")["Policy"])["Statement"]
    assert [statement["Condition"]["ArnLike"]["AWS:SourceArn"] for statement in statements] == ["arn:two"]
    assert world.delete("owner")["StackStatus"] == "DELETE_COMPLETE"


def test_a_log_group_s_retention_comes_and_goes(world: World) -> None:
    def group(**more: Any) -> dict[str, Any]:
        return {"G": node("AWS::Logs::LogGroup", LogGroupName="/changing", **more)}

    def described() -> dict[str, Any]:
        return dict(
            world.account.client("logs").describe_log_groups(logGroupNamePrefix="/changing")["logGroups"][0]
        )

    arn = {"A": {"Value": {"Fn::GetAtt": ["G", "Arn"]}}}
    stack = world.create("group", group(RetentionInDays="30"), Outputs=arn)
    assert stack["Outputs"][0]["OutputValue"] == described()["arn"]
    assert described()["retentionInDays"] == 30
    completed(world.update("group", group(), Outputs=arn))
    assert "retentionInDays" not in described()


def test_a_bucket_s_settings_change_in_effect(world: World) -> None:
    s3 = world.account.client("s3")

    def bucket(**more: Any) -> dict[str, Any]:
        return {"B": node("AWS::S3::Bucket", BucketName="changing-bucket", **more)}

    by_default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": f"arn:aws:kms:us-east-1:{ACCOUNT}:key/k"}
    encryption = [{"BucketKeyEnabled": True, "ServerSideEncryptionByDefault": by_default}]
    rule = {
        "Status": "Enabled",
        "ExpirationInDays": "90",
        "NoncurrentVersionExpiration": {"NoncurrentDays": 7},
    }
    completed(
        world.create(
            "bucket",
            bucket(
                BucketEncryption={"ServerSideEncryptionConfiguration": encryption},
                VersioningConfiguration={"Status": "Enabled"},
                LifecycleConfiguration={"Rules": [rule]},
                PublicAccessBlockConfiguration={"BlockPublicAcls": True},
                NotificationConfiguration={"EventBridgeConfiguration": {"EventBridgeEnabled": True}},
                Tags=[{"Key": "a", "Value": "b"}],
            ),
        )
    )
    got = s3.get_bucket_encryption(Bucket="changing-bucket")["ServerSideEncryptionConfiguration"]["Rules"][0]
    assert got["ApplyServerSideEncryptionByDefault"] == by_default
    assert s3.get_bucket_versioning(Bucket="changing-bucket")["Status"] == "Enabled"
    lifecycle = s3.get_bucket_lifecycle_configuration(Bucket="changing-bucket")["Rules"][0]
    assert (lifecycle["Expiration"]["Days"], lifecycle["NoncurrentVersionExpiration"]["NoncurrentDays"]) == (
        90,
        7,
    )
    s3.put_object(Bucket="changing-bucket", Key="told", Body=b"x")
    completed(world.update("bucket", bucket(VersioningConfiguration={"Status": "Suspended"})))
    assert s3.get_bucket_versioning(Bucket="changing-bucket")["Status"] == "Suspended"
    with pytest.raises(ClientError, match="NoSuchLifecycleConfiguration"):
        s3.get_bucket_lifecycle_configuration(Bucket="changing-bucket")
    with pytest.raises(ClientError, match="NoSuchTagSet"):
        s3.get_bucket_tagging(Bucket="changing-bucket")
    s3.put_object(Bucket="changing-bucket", Key="untold", Body=b"x")
    told = [e.facts["detail"] for e in world.account.journal.of("event") if e.facts["source"] == "aws.s3"]
    assert [detail["object"]["key"] for detail in told if detail["bucket"]["name"] == "changing-bucket"] == [
        "told"
    ]


def test_a_bucket_that_denies_insecure_transport_still_takes_objects(world: World) -> None:
    statement = {
        "Effect": "Deny",
        "Principal": {"AWS": "*"},
        "Action": "s3:*",
        "Resource": ["arn:aws:s3:::secure-bucket", "arn:aws:s3:::secure-bucket/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    own = {"Bucket": {"Ref": "B"}, "PolicyDocument": {"Version": "2012-10-17", "Statement": [statement]}}
    bucket = node("AWS::S3::Bucket", BucketName="secure-bucket")
    completed(world.create("secure", {"B": bucket, "P": node("AWS::S3::BucketPolicy", **own)}))
    s3 = world.account.client("s3")
    assert "SecureTransport" in s3.get_bucket_policy(Bucket="secure-bucket")["Policy"]
    s3.put_object(Bucket="secure-bucket", Key="k", Body=b"x")
    s3.delete_object(Bucket="secure-bucket", Key="k")
    assert world.delete("secure")["StackStatus"] == "DELETE_COMPLETE"


def test_a_table_s_key_is_its_identity_and_the_rest_changes_in_place(world: World) -> None:
    dynamodb = world.account.client("dynamodb")

    def table(key: str, **more: Any) -> dict[str, Any]:
        own = {
            "AttributeDefinitions": [{"AttributeName": key, "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": key, "KeyType": "HASH"}],
            "BillingMode": "PAY_PER_REQUEST",
        }
        return {"T": node("AWS::DynamoDB::Table", **own, **more)}

    encrypted = {
        "SSEEnabled": True,
        "SSEType": "KMS",
        "KMSMasterKeyId": f"arn:aws:kms:us-east-1:{ACCOUNT}:key/k",
    }
    recovery = {"PointInTimeRecoveryEnabled": "true"}
    completed(
        world.create(
            "table",
            table(
                "pk",
                SSESpecification=encrypted,
                PointInTimeRecoverySpecification=recovery,
                DeletionProtectionEnabled=True,
            ),
        )
    )
    name = world.physical("table")["T"]
    backups = dynamodb.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
    assert backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"
    assert dynamodb.describe_table(TableName=name)["Table"]["SSEDescription"]["SSEType"] == "KMS"
    ttl = {"AttributeName": "expires", "Enabled": True}
    completed(
        world.update(
            "table",
            table(
                "pk", SSESpecification=encrypted, TimeToLiveSpecification=ttl, DeletionProtectionEnabled=False
            ),
        )
    )
    assert world.physical("table")["T"] == name
    assert (
        dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]["AttributeName"] == "expires"
    )
    assert dynamodb.describe_table(TableName=name)["Table"]["DeletionProtectionEnabled"] is False
    completed(world.update("table", table("id")))
    assert world.physical("table")["T"] != name
    assert name not in dynamodb.list_tables()["TableNames"]


def test_a_repository_s_mutability_changes_and_its_encryption_replaces_it(world: World) -> None:
    ecr = world.account.client("ecr")

    def repository(**more: Any) -> dict[str, Any]:
        return {"Images": node("AWS::ECR::Repository", **more)}

    completed(world.create("Registry", repository(ImageTagMutability="MUTABLE")))
    name = world.physical("Registry")["Images"]
    assert name == name.lower()
    scanned = {"ImageTagMutability": "IMMUTABLE", "ImageScanningConfiguration": {"ScanOnPush": True}}
    completed(world.update("Registry", repository(**scanned)))
    described = ecr.describe_repositories(repositoryNames=[name])["repositories"][0]
    assert described["imageTagMutability"] == "IMMUTABLE"
    assert described["imageScanningConfiguration"] == {"scanOnPush": True}
    encrypted = {"EncryptionType": "KMS", "KmsKey": f"arn:aws:kms:us-east-1:{ACCOUNT}:key/k"}
    completed(world.update("Registry", repository(**scanned, EncryptionConfiguration=encrypted)))
    assert world.physical("Registry")["Images"] != name


def test_any_change_of_a_stored_parameter_writes_the_template_s_value_over_what_is_there(
    world: World,
) -> None:
    ssm = world.account.client("ssm")

    def parameter(description: str) -> dict[str, Any]:
        own = {"Name": "/owned", "Type": "StringList", "Value": "none,-", "Tags": {"a": "b"}}
        return {"P": node("AWS::SSM::Parameter", **own, Description=description)}

    completed(world.create("parameter", parameter("first")))
    ssm.put_parameter(Name="/owned", Value="000001,x", Overwrite=True)
    completed(world.update("parameter", parameter("second")))
    assert ssm.get_parameter(Name="/owned")["Parameter"]["Value"] == "none,-"


def test_a_key_rotates_and_its_alias_moves(world: World) -> None:
    kms = world.account.client("kms")
    owner = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
        "Action": "kms:*",
        "Resource": "*",
    }

    def resources(target: str, *, rotates: bool) -> dict[str, Any]:
        key_policy = {"Version": "2012-10-17", "Statement": [owner]}
        keys = {
            name: node("AWS::KMS::Key", KeyPolicy=key_policy, EnableKeyRotation=rotates)
            for name in ("One", "Two")
        }
        alias = node("AWS::KMS::Alias", AliasName="alias/moving", TargetKeyId={"Fn::GetAtt": [target, "Arn"]})
        return {**keys, "A": alias}

    completed(world.create("key", resources("One", rotates=False)))
    completed(world.update("key", resources("Two", rotates=True)))
    ids = world.physical("key")
    assert kms.describe_key(KeyId="alias/moving")["KeyMetadata"]["KeyId"] == ids["Two"]
    assert kms.get_key_rotation_status(KeyId=ids["One"])["KeyRotationEnabled"] is True
    assert world.delete("key")["StackStatus"] == "DELETE_COMPLETE"
    assert kms.describe_key(KeyId=ids["One"])["KeyMetadata"]["KeyState"] == "PendingDeletion"


def test_an_asymmetric_key_is_made_and_not_told_to_rotate(world: World) -> None:
    """AWS refuses to turn its rotation on, and off."""
    owner = {"Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*"}
    policy = {"Version": "2012-10-17", "Statement": [owner]}
    pair = {"KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY"}
    key = node("AWS::KMS::Key", KeyPolicy=policy, **pair)
    completed(world.create("pair", {"K": key}))
    described = world.account.client("kms").describe_key(KeyId=world.physical("pair")["K"])["KeyMetadata"]
    assert {name: described[name] for name in pair} == pair
    assert world.delete("pair")["StackStatus"] == "DELETE_COMPLETE"


def test_a_rule_s_pattern_and_targets_change_in_place(world: World) -> None:
    events = world.account.client("events")

    def resources(status: str, *targets: str) -> dict[str, Any]:
        arns = [{"Id": target, "Arn": {"Fn::GetAtt": [target, "Arn"]}} for target in targets]
        rule = node("AWS::Events::Rule", EventPattern={"detail": {"status": [status]}}, Targets=arns)
        return {"A": queue(), "B": queue(), "R": rule}

    completed(world.create("rule", resources("one", "A")))
    name = world.physical("rule")["R"]
    completed(world.update("rule", resources("two", "B")))
    assert world.physical("rule")["R"] == name
    assert json.loads(events.describe_rule(Name=name)["EventPattern"]) == {"detail": {"status": ["two"]}}
    assert [target["Id"] for target in events.list_targets_by_rule(Rule=name)["Targets"]] == ["B"]
    assert world.delete("rule")["StackStatus"] == "DELETE_COMPLETE"
    assert events.list_rules(NamePrefix=name)["Rules"] == []


def test_a_queue_loses_what_its_template_no_longer_says(world: World) -> None:
    def resources(**more: Any) -> dict[str, Any]:
        return {"Dead": queue("dead-letters"), "Q": queue("with-redrive", **more)}

    redrive = {"deadLetterTargetArn": {"Fn::GetAtt": ["Dead", "Arn"]}, "maxReceiveCount": 3}
    completed(world.create("redrive", resources(RedrivePolicy=redrive, VisibilityTimeout=90)))
    attributes = world.queue("with-redrive") or {}
    assert json.loads(attributes["RedrivePolicy"])["maxReceiveCount"] == 3
    completed(world.update("redrive", resources()))
    attributes = world.queue("with-redrive") or {}
    assert attributes["VisibilityTimeout"] == "30"
    assert not attributes.get("RedrivePolicy")


def test_the_policies_of_queues_and_topics_come_and_go(world: World) -> None:
    sns = world.account.client("sns")

    def resources(action: str) -> dict[str, Any]:
        allowed = policy(f"sqs:{action}", Principal={"Service": "events.amazonaws.com"})
        told = policy(f"sns:{action}", Principal={"Service": "events.amazonaws.com"})
        return {
            "Q": queue("with-policy"),
            "QP": node("AWS::SQS::QueuePolicy", Queues=[{"Ref": "Q"}], PolicyDocument=allowed),
            "T": node("AWS::SNS::Topic", DisplayName="People"),
            "TP": node("AWS::SNS::TopicPolicy", Topics=[{"Ref": "T"}], PolicyDocument=told),
        }

    completed(world.create("policies", resources("Publish")))
    completed(world.update("policies", resources("SendMessage")))
    topic = world.physical("policies")["T"]
    assert "sqs:SendMessage" in (world.queue("with-policy") or {})["Policy"]
    assert "sns:SendMessage" in sns.get_topic_attributes(TopicArn=topic)["Attributes"]["Policy"]
    only = {name: resources("x")[name] for name in ("Q", "T")}
    completed(world.update("policies", only))
    assert not (world.queue("with-policy") or {}).get("Policy")
    assert "AWS:SourceOwner" in sns.get_topic_attributes(TopicArn=topic)["Attributes"]["Policy"]


def test_a_subscription_gets_its_filter_and_is_replaced_with_its_endpoint(world: World) -> None:
    sns = world.account.client("sns")

    def resources(target: str, level: str) -> dict[str, Any]:
        own = {"TopicArn": {"Ref": "T"}, "Protocol": "sqs", "Endpoint": {"Fn::GetAtt": [target, "Arn"]}}
        told = {"FilterPolicy": {"level": [level]}, "RawMessageDelivery": True}
        subscription = node("AWS::SNS::Subscription", **own, **told)
        return {"A": queue("sub-a"), "B": queue("sub-b"), "T": node("AWS::SNS::Topic"), "S": subscription}

    completed(world.create("subscription", resources("A", "red")))
    arn = world.physical("subscription")["S"]
    completed(world.update("subscription", resources("A", "amber")))
    attributes = sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]
    assert json.loads(attributes["FilterPolicy"]) == {"level": ["amber"]}
    assert attributes["RawMessageDelivery"] == "true"
    completed(world.update("subscription", resources("B", "amber")))
    topic = world.physical("subscription")["T"]
    found = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    assert [row["Endpoint"].rsplit(":", 1)[1] for row in found] == ["sub-b"]


def test_an_alarm_begins_without_data_and_changes_its_threshold(world: World) -> None:
    cloudwatch = world.account.client("cloudwatch")

    def alarm(threshold: Any) -> dict[str, Any]:
        own = {
            "AlarmName": "changing-alarm",
            "Namespace": "N",
            "MetricName": "m",
            "Statistic": "Sum",
            "Period": "60",
            "EvaluationPeriods": 1,
            "Threshold": threshold,
            "ComparisonOperator": "GreaterThanThreshold",
        }
        return {"A": node("AWS::CloudWatch::Alarm", **own)}

    arn = {"Arn": {"Value": {"Fn::GetAtt": ["A", "Arn"]}}}
    stack = world.create("alarm", alarm("0.2"), Outputs=arn)
    described = cloudwatch.describe_alarms(AlarmNames=["changing-alarm"])["MetricAlarms"][0]
    assert (described["StateValue"], described["Threshold"]) == ("INSUFFICIENT_DATA", 0.2)
    assert stack["Outputs"][0]["OutputValue"] == described["AlarmArn"]
    completed(world.update("alarm", alarm(0.9), Outputs=arn))
    described = cloudwatch.describe_alarms(AlarmNames=["changing-alarm"])["MetricAlarms"][0]
    assert described["Threshold"] == 0.9
    world.delete("alarm")
    assert cloudwatch.describe_alarms(AlarmNames=["changing-alarm"])["MetricAlarms"] == []


def test_a_dashboard_s_body_changes_in_place(world: World) -> None:
    def dashboard(body: str) -> dict[str, Any]:
        return {"D": node("AWS::CloudWatch::Dashboard", DashboardName="board", DashboardBody=body)}

    completed(world.create("dashboard", dashboard('{"widgets":[]}')))
    completed(world.update("dashboard", dashboard('{"widgets":[],"start":"-P1D"}')))
    body = world.account.client("cloudwatch").get_dashboard(DashboardName="board")["DashboardBody"]
    assert json.loads(body)["start"] == "-P1D"


@pytest.mark.parametrize(
    "resource, tags",
    [
        (queue("tagged"), lambda w, _: w.account.client("sqs").list_queue_tags(QueueUrl=_)["Tags"]),
        (
            node("AWS::IAM::Role", AssumeRolePolicyDocument=trust("a.amazonaws.com")),
            lambda w, _: pairs(w.account.client("iam").list_role_tags(RoleName=_)["Tags"]),
        ),
        (
            node("AWS::Logs::LogGroup"),
            lambda w, _: w.account.client("logs").list_tags_log_group(logGroupName=_)["tags"],
        ),
        (
            node("AWS::SNS::Topic"),
            lambda w, _: pairs(w.account.client("sns").list_tags_for_resource(ResourceArn=_)["Tags"]),
        ),
    ],
    ids=["queue", "role", "log-group", "topic"],
)
def test_tags_come_change_and_go_without_a_replacement(
    world: World, resource: dict[str, Any], tags: Any
) -> None:
    name = f"tags-{resource['Type'].rsplit(':', 1)[1]}"

    def tagged(**wanted: str) -> dict[str, Any]:
        listed = [{"Key": key, "Value": value} for key, value in wanted.items()]
        return {"X": {**resource, "Properties": {**resource["Properties"], "Tags": listed}}}

    completed(world.create(name, tagged(a="1", b="2")))
    physical = world.physical(name)["X"]
    assert tags(world, physical) == {"a": "1", "b": "2"}
    completed(world.update(name, tagged(a="3", c="4")))
    assert world.physical(name)["X"] == physical
    assert tags(world, physical) == {"a": "3", "c": "4"}


def pairs(tags: list[dict[str, str]]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in tags}


def test_generated_names_are_legal_unique_and_the_same_in_every_run(world: World) -> None:
    stack, logical_id = (
        "a-stack-with-quite-a-long-name-for-a-stack",
        "ALogicalIdThatCdkMadeLongWithItsHashC512E42A",
    )
    place = Place(world.account, stack, logical_id)
    for kind in KINDS.values():
        if kind.names_itself:
            first, again, other = (kind(place, {}).generated_name(token) for token in ("1", "1", "2"))
            assert first == again != other
            assert len(first) <= kind.longest_name
            assert first == first.lower() or not kind.lower_case
    assert len(KINDS["AWS::IAM::Role"](place, {}).generated_name("1")) == 64


@contextmanager
def answering(world: World, handlers: dict[str, Any]) -> Iterator[None]:
    """Let a test answer some of SageMaker's operations for a while."""
    closers: list[Any] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(world.account, "on_close", closers.append)
        sagemaker_seam.answer(world.account, handlers)
    yield
    for closer in reversed(closers):
        closer()


@pytest.fixture
def any_model(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model may have an image and data that do not exist: these tests are about its replacement."""
    for check in ("_check_image", "_check_data"):
        monkeypatch.setattr(models.Models, check, lambda *_: None)
    monkeypatch.setattr(models, "require_assumable", lambda *_: None)


def serving(image: str, **policies: str) -> dict[str, Any]:
    """A model and an endpoint configuration without names, as CDK renders them."""
    container = {"Image": image, "ModelDataUrl": "s3://models/m.tar.gz"}
    variant = {
        "VariantName": "live",
        "ModelName": {"Fn::GetAtt": ["Model", "ModelName"]},
        "InstanceType": "ml.m5.large",
        "InitialInstanceCount": "1",
        "InitialVariantWeight": "1",
    }
    role = f"arn:aws:iam::{ACCOUNT}:role/model-role-of-tests"
    return {
        "Model": {
            **node("AWS::SageMaker::Model", ExecutionRoleArn=role, PrimaryContainer=container),
            **policies,
        },
        "Config": {**node("AWS::SageMaker::EndpointConfig", ProductionVariants=[variant]), **policies},
    }


@pytest.mark.usefixtures("any_model")
@pytest.mark.parametrize("retained", [False, True])
def test_a_model_and_its_configuration_are_replaced_new_before_old(world: World, retained: bool) -> None:
    sagemaker = world.account.client("sagemaker")
    name = f"serving-{retained}".lower()
    policies = {"UpdateReplacePolicy": "Retain"} if retained else {}
    image = f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/models:%d"
    completed(world.create(name, serving(image % 1, **policies)))
    old = world.physical(name)
    completed(world.update(name, serving(image % 2, **policies)))
    new = world.physical(name)
    assert not set(old.values()) & set(new.values())
    log = [
        (row["LogicalResourceId"], row["ResourceStatus"])
        for row in reversed(world.cloudformation.describe_stack_events(StackName=name)["StackEvents"])
        if row["ResourceStatus"].endswith("_COMPLETE") and row["LogicalResourceId"] in ("Model", "Config")
    ]
    gone = [] if retained else [("Config", "DELETE_COMPLETE"), ("Model", "DELETE_COMPLETE")]
    assert log[2:] == [("Model", "CREATE_COMPLETE"), ("Config", "CREATE_COMPLETE"), *gone]
    left = {arn for row in sagemaker.list_models()["Models"] if f"/{name}-" in (arn := row["ModelArn"])}
    assert left == ({old["Model"], new["Model"]} if retained else {new["Model"]})


@pytest.mark.usefixtures("any_model")
def test_a_model_with_a_fixed_name_cannot_be_replaced(world: World) -> None:
    def model(image: str) -> dict[str, Any]:
        resources = {"Model": serving(f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/m:{image}")["Model"]}
        resources["Model"]["Properties"]["ModelName"] = "fixed-model"
        return resources

    completed(world.create("fixed-model", model("1")))
    assert world.update("fixed-model", model("2"))["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert "Rename fixed-model and update the stack again" in world.reasons("fixed-model")["Model"]


class FakeEndpoints:
    """An endpoint that goes where it is told, or stays where it was, as SageMaker does after a rollback."""

    def __init__(self) -> None:
        self.running: dict[str, str] = {}
        self.refuses: set[str] = set()
        self.reason: dict[str, str] = {}

    def deploy(self, request: dict[str, Any]) -> dict[str, Any]:
        name, config = request["EndpointName"], request["EndpointConfigName"]
        self.reason = {"FailureReason": "the alarm rang"} if config in self.refuses else {}
        if config not in self.refuses:
            self.running[name] = config
        return {"EndpointArn": f"arn:aws:sagemaker:us-east-1:{ACCOUNT}:endpoint/{name}"}

    def describe(self, request: dict[str, Any]) -> dict[str, Any]:
        name = request["EndpointName"]
        running = self.running.get(name)
        status = {
            "EndpointStatus": "InService" if running else "Failed",
            "EndpointConfigName": running or "none",
        }
        return {"EndpointName": name, **self.reason, **status}

    def delete(self, request: dict[str, Any]) -> None:
        self.running.pop(request["EndpointName"], None)
        self.deleted = request["EndpointName"]


@pytest.fixture
def endpoints(world: World) -> Iterator[FakeEndpoints]:
    fake = FakeEndpoints()
    handlers = {"CreateEndpoint": fake.deploy, "UpdateEndpoint": fake.deploy}
    with answering(world, {**handlers, "DescribeEndpoint": fake.describe, "DeleteEndpoint": fake.delete}):
        yield fake


def endpoint(name: str, config: str) -> dict[str, Any]:
    return {"E": node("AWS::SageMaker::Endpoint", EndpointName=name, EndpointConfigName=config)}


def test_an_endpoint_is_updated_in_place(world: World, endpoints: FakeEndpoints) -> None:
    completed(world.create("ep", endpoint("live", "config-1")))
    arn = world.physical("ep")["E"]
    completed(world.update("ep", endpoint("live", "config-2")))
    assert endpoints.running == {"live": "config-2"}
    assert world.physical("ep")["E"] == arn
    world.delete("ep")
    assert endpoints.running == {}


def test_an_endpoint_that_rolled_back_by_itself_fails_the_update(
    world: World, endpoints: FakeEndpoints
) -> None:
    completed(world.create("ep-back", endpoint("back", "config-1")))
    endpoints.refuses.add("config-2")
    assert world.update("ep-back", endpoint("back", "config-2"))["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    reason = world.reasons("ep-back")["E"]
    assert "InService with configuration config-1, wanted was InService with config-2" in reason
    assert "the alarm rang" in reason
    assert endpoints.running == {"back": "config-1"}


def test_an_endpoint_that_never_came_up_is_removed_again(world: World, endpoints: FakeEndpoints) -> None:
    endpoints.refuses.add("config-1")
    assert world.create("ep-never", endpoint("never", "config-1"))["StackStatus"] == "ROLLBACK_COMPLETE"
    assert endpoints.deleted == "never"


def test_a_pipeline_takes_a_new_definition_in_place(world: World) -> None:
    def pipeline(maximum: int) -> dict[str, Any]:
        definition = {
            "Version": "2020-12-01",
            "Parameters": [{"Name": "Maximum", "Type": "Integer", "DefaultValue": maximum}],
            "Steps": [],
        }
        own = {
            "PipelineName": "changing-pipeline",
            "PipelineDefinition": {"PipelineDefinitionBody": json.dumps(definition)},
            "RoleArn": {"Fn::GetAtt": ["Role", "Arn"]},
        }
        role = node("AWS::IAM::Role", AssumeRolePolicyDocument=trust("sagemaker.amazonaws.com"))
        return {"Role": role, "P": node("AWS::SageMaker::Pipeline", **own)}

    sagemaker = world.account.client("sagemaker")
    completed(world.create("pipeline", pipeline(1)))
    assert world.physical("pipeline")["P"] == "changing-pipeline"
    completed(world.update("pipeline", pipeline(2)))
    body = sagemaker.describe_pipeline(PipelineName="changing-pipeline")["PipelineDefinition"]
    assert json.loads(body)["Parameters"][0]["DefaultValue"] == 2
    assert world.delete("pipeline")["StackStatus"] == "DELETE_COMPLETE"


def test_a_package_group_and_cdk_s_metadata_come_and_go(world: World) -> None:
    resources = {
        "G": node("AWS::SageMaker::ModelPackageGroup", ModelPackageGroupName="group-of-tests"),
        "M": node("AWS::CDK::Metadata", Analytics="v2:deflate64:x"),
    }
    completed(world.create("packages", resources))
    sagemaker = world.account.client("sagemaker")
    found = sagemaker.describe_model_package_group(ModelPackageGroupName="group-of-tests")
    assert world.physical("packages")["G"] == found["ModelPackageGroupArn"]
    assert world.delete("packages")["StackStatus"] == "DELETE_COMPLETE"
