"""Calls with a role's credentials, through boto3 over HTTP: what each needs beside its action, and AWS's errors."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError

from rehearsal.engine import roles
from rehearsal.engine.iam import enforcement, grants
from rehearsal.engine.iam.policies import Access
from tests.engine.runtime_world import World
from tests.engine.runtime_world import world as new_world

LAMBDA = "lambda.amazonaws.com"
HERE = "us-east-1:123456789012"
ROOT = "arn:aws:iam::123456789012:root"
BUCKET, TABLE, TOPIC = (
    "arn:aws:s3:::vault",
    f"arn:aws:dynamodb:{HERE}:table/ledger",
    f"arn:aws:sns:{HERE}:people",
)
PASSED = "arn:aws:iam::123456789012:role/passed"
Statement = dict[str, Any]


def allow(actions: Any, resources: Any = "*", **more: Any) -> Statement:
    return {"Effect": "Allow", "Action": actions, "Resource": resources, **more}


def policy(*statements: Statement) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with new_world(tmp_path_factory.mktemp("account")) as world:
        yield world


@pytest.fixture(scope="module")
def key(world: World) -> str:
    """A bucket, a table, a queue and a topic under one key, whose policy leaves it to IAM."""
    account = world.account
    left = {"Effect": "Allow", "Principal": {"AWS": ROOT}, "Action": "kms:*", "Resource": "*"}
    key = account.client("kms").create_key(Policy=policy(left))["KeyMetadata"]["Arn"]
    s3 = account.client("s3")
    s3.create_bucket(Bucket="vault")
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}}
    s3.put_bucket_encryption(Bucket="vault", ServerSideEncryptionConfiguration={"Rules": [rule]})
    everybody = {
        "Effect": "Deny",
        "Principal": {"AWS": "*"},
        "Action": "s3:*",
        "Resource": [BUCKET, f"{BUCKET}/*"],
    }
    plain = {**everybody, "Condition": {"Bool": {"aws:SecureTransport": "false"}}}
    old = {**everybody, "Condition": {"NumericLessThan": {"s3:TlsVersion": 1.2}}}
    s3.put_bucket_policy(Bucket="vault", Policy=policy(plain, old))
    s3.put_object(Bucket="vault", Key="a", Body=b"x")
    account.client("dynamodb").create_table(
        TableName="ledger",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        SSESpecification={"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": key},
    )
    account.client("sqs").create_queue(QueueName="in", Attributes={"KmsMasterKeyId": key})
    account.client("sns").create_topic(Name="people", Attributes={"KmsMasterKeyId": key})
    return str(key)


@dataclass(frozen=True)
class Client:
    """Makes clients of a service under a role with these statements; the role is named after the test."""

    world: World
    role: str

    def __call__(self, service: str, *statements: Statement) -> Any:
        arn = self.world.role(self.role, statements=statements)
        return roles.client(self.world.account, arn, LAMBDA, service)


@pytest.fixture
def as_role(world: World, request: pytest.FixtureRequest) -> Client:
    return Client(world, re.sub(r"\W+", "-", request.node.name).strip("-")[-60:])


def refusal(call: Callable[[], Any]) -> tuple[str, str]:
    """The code and the message of the error that a call ends with."""
    with pytest.raises(ClientError) as raised:
        call()
    error = raised.value.response["Error"]
    return error["Code"], error["Message"]


def queue_url(world: World) -> str:
    return str(world.account.client("sqs").get_queue_url(QueueName="in")["QueueUrl"])


CALLS: dict[str, tuple[str, Callable[[Any, World], Any], str, str]] = {
    "s3:GetObject": (
        "s3",
        lambda s3, _: s3.get_object(Bucket="vault", Key="a"),
        f"{BUCKET}/a",
        "AccessDenied",
    ),
    "s3:PutObject": (
        "s3",
        lambda s3, _: s3.put_object(Bucket="vault", Key="b", Body=b"y"),
        f"{BUCKET}/b",
        "AccessDenied",
    ),
    "dynamodb:GetItem": (
        "dynamodb",
        lambda db, _: db.get_item(TableName="ledger", Key={"pk": {"S": "1"}}),
        TABLE,
        "AccessDeniedException",
    ),
    "sqs:SendMessage": (
        "sqs",
        lambda sqs, world: sqs.send_message(QueueUrl=queue_url(world), MessageBody="m"),
        f"arn:aws:sqs:{HERE}:in",
        "AccessDenied",
    ),
    "sqs:ReceiveMessage": (
        "sqs",
        lambda sqs, world: sqs.receive_message(QueueUrl=queue_url(world)),
        f"arn:aws:sqs:{HERE}:in",
        "AccessDenied",
    ),
    "sns:Publish": (
        "sns",
        lambda sns, _: sns.publish(TopicArn=TOPIC, Message="m"),
        TOPIC,
        "AuthorizationError",
    ),
}
KEY_VERBS = {
    "s3:GetObject": ["Decrypt"],
    "s3:PutObject": ["GenerateDataKey"],
    "dynamodb:GetItem": ["Decrypt"],
    "sqs:SendMessage": ["Decrypt", "GenerateDataKey"],
    "sqs:ReceiveMessage": ["Decrypt"],
    "sns:Publish": ["Decrypt", "GenerateDataKey"],
}


@pytest.mark.parametrize("action", CALLS)
def test_a_call_needs_its_action_on_its_resource(
    world: World, key: str, as_role: Client, action: str
) -> None:
    service, call, resource, code = CALLS[action]
    client = as_role(service, allow("kms:*", key), allow(action, f"{resource}-other"))
    found, message = refusal(lambda: call(client, world))
    assert found == code
    quoted = f'"{resource}"' if service == "s3" else resource
    assert (
        f"is not authorized to perform: {action} on resource: {quoted} because no identity-based" in message
    )
    assert world.facts("denied")[-1]["action"] == action


@pytest.mark.parametrize("action", CALLS)
def test_a_call_goes_on_with_its_action_and_the_use_of_the_key(
    world: World, key: str, as_role: Client, action: str
) -> None:
    service, call, resource, _ = CALLS[action]
    client = as_role(
        service, allow(action, resource), allow([f"kms:{verb}" for verb in KEY_VERBS[action]], key)
    )
    assert call(client, world)


@pytest.mark.parametrize(
    ("action", "verb"), [(action, verb) for action in CALLS for verb in KEY_VERBS[action]]
)
def test_data_under_a_key_need_the_key(
    world: World, key: str, as_role: Client, action: str, verb: str
) -> None:
    service, call, resource, _ = CALLS[action]
    rest = [f"kms:{other}" for other in ("Decrypt", "GenerateDataKey") if other != verb]
    client = as_role(service, allow(action, resource), allow(rest, key))
    _, message = refusal(lambda: call(client, world))
    assert f"is not authorized to perform: kms:{verb} on resource: {key}" in message


def test_an_object_is_written_under_the_key_that_the_request_names(world: World, as_role: Client) -> None:
    own = world.account.client("kms").create_key()["KeyMetadata"]["Arn"]
    world.account.client("s3").create_bucket(Bucket="plain")
    client = as_role("s3", allow("s3:PutObject"))
    client.put_object(Bucket="plain", Key="k", Body=b"x")
    named = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": own}
    _, message = refusal(lambda: client.put_object(Bucket="plain", Key="k", Body=b"x", **named))
    assert f"kms:GenerateDataKey on resource: {own}" in message


def test_a_bucket_policy_that_wants_tls_refuses_nobody(key: str, as_role: Client) -> None:
    client = as_role("s3", allow(["s3:GetObject", "s3:ListBucket"]), allow("kms:Decrypt", key))
    assert client.get_object(Bucket="vault", Key="a")["Body"].read() == b"x"
    assert client.list_objects_v2(Bucket="vault")["KeyCount"] >= 1


def test_a_bucket_policy_s_deny_wins_and_is_named(world: World, as_role: Client) -> None:
    s3 = world.account.client("s3")
    s3.create_bucket(Bucket="closed")
    deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "arn:aws:s3:::closed/*"}
    s3.put_bucket_policy(Bucket="closed", Policy=policy(deny))
    _, message = refusal(lambda: as_role("s3", allow("s3:*")).put_object(Bucket="closed", Key="k", Body=b""))
    assert message.endswith("with an explicit deny in a resource-based policy")


def test_a_head_is_refused_without_words_as_http_has_no_body_there(key: str, as_role: Client) -> None:
    assert refusal(lambda: as_role("s3").head_object(Bucket="vault", Key="a")) == ("403", "Forbidden")


def test_a_condition_on_the_prefix_bounds_a_listing(key: str, as_role: Client) -> None:
    bound = {"StringLike": {"s3:prefix": "runs/*"}}
    client = as_role("s3", allow("s3:ListBucket", BUCKET, Condition=bound))
    client.list_objects_v2(Bucket="vault", Prefix="runs/1")
    assert refusal(lambda: client.list_objects_v2(Bucket="vault"))[0] == "AccessDenied"


def test_a_metric_goes_into_the_namespace_that_the_role_has(as_role: Client) -> None:
    bound = {"StringEquals": {"cloudwatch:namespace": "Ours"}}
    client = as_role("cloudwatch", allow("cloudwatch:PutMetricData", Condition=bound))
    data = [{"MetricName": "m", "Value": 1.0}]
    client.put_metric_data(Namespace="Ours", MetricData=data)
    assert refusal(lambda: client.put_metric_data(Namespace="Theirs", MetricData=data))[0] == "AccessDenied"


def test_a_transaction_needs_the_action_of_each_item(key: str, as_role: Client) -> None:
    client = as_role("dynamodb", allow("dynamodb:PutItem", TABLE), allow("kms:Decrypt", key))
    put = {"Put": {"TableName": "ledger", "Item": {"pk": {"S": "2"}}}}
    client.transact_write_items(TransactItems=[put])
    delete = {"Delete": {"TableName": "ledger", "Key": {"pk": {"S": "2"}}}}
    _, message = refusal(lambda: client.transact_write_items(TransactItems=[put, delete]))
    assert "dynamodb:DeleteItem" in message


def test_several_parameters_are_all_asked_about(as_role: Client) -> None:
    client = as_role("ssm", allow("ssm:GetParameters", f"arn:aws:ssm:{HERE}:parameter/ours/*"))
    client.get_parameters(Names=["/ours/a"])
    _, message = refusal(lambda: client.get_parameters(Names=["/ours/a", "/theirs/b"]))
    assert f"arn:aws:ssm:{HERE}:parameter/theirs/b" in message


def training_job(key: str) -> dict[str, Any]:
    return {
        "TrainingJobName": "fit",
        "RoleArn": PASSED,
        "AlgorithmSpecification": {"TrainingImage": "i", "TrainingInputMode": "File"},
        "OutputDataConfig": {"S3OutputPath": "s3://vault/out"},
        "ResourceConfig": {
            "InstanceCount": 1,
            "InstanceType": "ml.m5.large",
            "VolumeSizeInGB": 1,
            "VolumeKmsKeyId": key,
        },
        "StoppingCondition": {"MaxRuntimeInSeconds": 60},
    }


CREATE = allow("sagemaker:CreateTrainingJob", f"arn:aws:sagemaker:{HERE}:training-job/fit")


@pytest.mark.parametrize(
    "passing",
    [
        [],
        [allow("iam:PassRole", f"{PASSED}-other")],
        [allow("iam:PassRole", PASSED, Condition={"StringEquals": {"iam:PassedToService": LAMBDA}})],
    ],
)
def test_a_role_is_handed_over_only_by_who_may_pass_it_to_that_service(
    key: str, as_role: Client, passing: list[Statement]
) -> None:
    client = as_role("sagemaker", CREATE, *passing)
    _, message = refusal(lambda: client.create_training_job(**training_job(key)))
    assert f"is not authorized to perform: iam:PassRole on resource: {PASSED}" in message


def test_encrypted_volumes_need_a_grant_under_the_job_s_role_or_the_caller_s(
    world: World, key: str, as_role: Client
) -> None:
    world.role("passed", trusts="sagemaker.amazonaws.com", statements=())
    to = {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}}
    client = as_role("sagemaker", CREATE, allow("iam:PassRole", PASSED, Condition=to))
    _, message = refusal(lambda: client.create_training_job(**training_job(key)))
    assert f"kms:CreateGrant on resource: {key}" in message
    iam = world.account.client("iam")
    iam.put_role_policy(
        RoleName="passed", PolicyName="own", PolicyDocument=policy(allow("kms:CreateGrant", key))
    )
    client.create_training_job(**training_job(key))


def test_tags_on_a_new_resource_need_the_tagging_action_too(as_role: Client) -> None:
    group = f"arn:aws:sagemaker:{HERE}:model-package-group/ours"
    client = as_role("sagemaker", allow("sagemaker:CreateModelPackageGroup", group))
    tags = [{"Key": "a", "Value": "b"}]
    _, message = refusal(lambda: client.create_model_package_group(ModelPackageGroupName="ours", Tags=tags))
    assert f"sagemaker:AddTags on resource: {group}" in message


def test_a_function_lets_a_role_in_by_its_own_policy(world: World, as_role: Client) -> None:
    arn = world.function("def handler(event, context): return 1", name="asked")
    client = as_role("lambda")
    assert "lambda:InvokeFunction" in refusal(lambda: client.invoke(FunctionName="asked"))[1]
    world.account.client("lambda").add_permission(
        FunctionName="asked",
        StatementId="role",
        Action="lambda:InvokeFunction",
        Principal=f"arn:aws:iam::123456789012:role/{as_role.role}",
    )
    assert client.invoke(FunctionName=arn)["StatusCode"] == 200


def test_a_boundary_limits_what_the_policies_give(world: World, key: str) -> None:
    iam = world.account.client("iam")
    bounds = iam.create_policy(PolicyName="bounds", PolicyDocument=policy(allow("kms:*")))["Policy"]["Arn"]
    arn = world.role("bounded", statements=(allow("*"),))
    iam.put_role_permissions_boundary(RoleName="bounded", PermissionsBoundary=bounds)
    s3 = roles.client(world.account, arn, LAMBDA, "s3")
    assert "because no permissions boundary allows" in refusal(lambda: s3.list_objects_v2(Bucket="vault"))[1]


def test_a_changed_policy_counts_at_the_next_call(world: World, as_role: Client, key: str) -> None:
    client = as_role("s3", allow("s3:ListBucket"))
    client.list_objects_v2(Bucket="vault")
    world.account.client("iam").delete_role_policy(RoleName=as_role.role, PolicyName="own")
    assert refusal(lambda: client.list_objects_v2(Bucket="vault"))[0] == "AccessDenied"


def test_what_the_account_cannot_judge_stops_the_run_by_name(world: World, as_role: Client, key: str) -> None:
    odd = allow("s3:ListBucket", Condition={"IpAddress": {"aws:SourceArn": "10.0.0.0/8"}})
    code, message = refusal(lambda: as_role("s3", odd).list_objects_v2(Bucket="vault"))
    assert (code, "IpAddress" in message) == ("Unsupported", True)
    assert "IpAddress" in world.facts("unsupported")[-1]["what"]


@pytest.mark.parametrize(("trusted", "goes_on"), [(ROOT, True), (PASSED, False)])
def test_a_role_assumes_another_that_trusts_it_or_the_account(
    world: World, as_role: Client, trusted: str, goes_on: bool
) -> None:
    trust = {"Effect": "Allow", "Principal": {"AWS": trusted}, "Action": "sts:AssumeRole"}
    iam = world.account.client("iam")
    name = f"deployer-{goes_on}"
    other = iam.create_role(RoleName=name, AssumeRolePolicyDocument=policy(trust))["Role"]["Arn"]
    client = as_role("sts", allow("sts:AssumeRole", other))
    assume = {"RoleArn": other, "RoleSessionName": "ours"}
    if goes_on:
        assert client.assume_role(**assume)["AssumedRoleUser"]["Arn"].endswith(f"{name}/ours")
    else:
        assert f"sts:AssumeRole on resource: {other}" in refusal(lambda: client.assume_role(**assume))[1]


def test_people_with_keys_of_their_own_are_not_asked(world: World, key: str) -> None:
    assert world.account.client("s3").list_objects_v2(Bucket="vault")["KeyCount"] >= 1


@pytest.mark.parametrize(("source_account", "goes_on"), [("123456789012", True), ("999999999999", False)])
def test_a_service_needs_the_topic_and_its_key(world: World, source_account: str, goes_on: bool) -> None:
    account = world.account
    of = {"Effect": "Allow", "Principal": {"Service": "cloudwatch.amazonaws.com"}, "Resource": "*"}
    ours = {"Condition": {"StringEquals": {"aws:SourceAccount": source_account}}}
    used = {**of, **ours, "Action": ["kms:Decrypt", "kms:GenerateDataKey*"]}
    key = account.client("kms").create_key(Policy=policy(used))["KeyMetadata"]["Arn"]
    topic = account.client("sns").create_topic(
        Name=f"to-{source_account}", Attributes={"KmsMasterKeyId": key}
    )
    account.client("sns").set_topic_attributes(
        TopicArn=topic["TopicArn"],
        AttributeName="Policy",
        AttributeValue=policy({**of, "Action": "sns:Publish"}),
    )
    denial = enforcement.denial(
        account,
        enforcement.service(account, "cloudwatch.amazonaws.com"),
        Access("sns:Publish", topic["TopicArn"]),
        source_arn=f"arn:aws:cloudwatch:{HERE}:alarm:loss",
    )
    assert (denial is None) is goes_on
    if denial:
        assert denial.message.startswith("User: cloudwatch.amazonaws.com is not authorized to perform: kms:")


def test_the_report_tells_used_grants_from_unused(world: World, key: str, as_role: Client) -> None:
    as_role("s3", allow(["s3:ListBucket", "s3:GetObject"], [BUCKET, f"{BUCKET}/*"])).list_objects_v2(
        Bucket="vault"
    )
    own = [found for found in grants.report(world.account) if found.role == as_role.role]
    assert [(found.grant.action, found.is_used) for found in own] == [
        ("s3:GetObject", False),
        ("s3:ListBucket", True),
    ]
