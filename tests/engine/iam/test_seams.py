"""Contracts with moto 5.2.5: who a key stands for, what protects a resource, how a request is read and answered."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from moto import backends
from moto.core import errors
from moto.moto_server.werkzeug_app import DomainDispatcherApplication

from rehearsal.engine import roles
from rehearsal.engine.iam import calls, reference
from rehearsal.engine.iam.calls import Call
from rehearsal.engine.iam.resources import Where
from rehearsal.engine.moto_seams import identity, protected
from tests.engine.runtime_world import World
from tests.engine.runtime_world import world as new_world

HERE = "us-east-1:123456789012"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with new_world(tmp_path_factory.mktemp("account")) as world:
        yield world


def test_what_the_gate_replaces_is_put_back_when_the_account_closes(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    touched = [
        (DomainDispatcherApplication, "__call__"),
        (backends, "list_of_moto_modules"),
        (errors, "COMMON_ERROR_CODES"),
    ]
    before = [vars(owner)[name] for owner, name in touched]
    with new_world(tmp_path_factory.mktemp("other")):
        assert all(vars(owner)[name] is not old for (owner, name), old in zip(touched, before, strict=True))
    assert [vars(owner)[name] for owner, name in touched] == before


def test_an_access_key_leads_to_its_session_and_another_to_nobody(world: World) -> None:
    arn = world.role("known")
    key = roles.credentials(world.account, arn, "lambda.amazonaws.com")["AWS_ACCESS_KEY_ID"]
    session = identity.session(world.account, key)
    assert session is not None
    assert (session.role_arn, session.arn) == (arn, "arn:aws:sts::123456789012:assumed-role/known/lambda")
    assert identity.session(world.account, "AKIANOBODY") is None
    assert arn in identity.role_arns(world.account)


def test_each_kind_of_resource_shows_its_policy_and_its_key(world: World) -> None:
    client = world.account.client
    key = client("kms").create_key()["KeyMetadata"]["Arn"]
    client("kms").create_alias(AliasName="alias/ours", TargetKeyId=key)
    client("s3").create_bucket(Bucket="shown")
    client("sqs").create_queue(QueueName="shown", Attributes={"KmsMasterKeyId": "alias/ours"})
    topic = client("sns").create_topic(Name="shown", Attributes={"KmsMasterKeyId": "alias/aws/sns"})[
        "TopicArn"
    ]
    client("logs").create_log_group(logGroupName="shown", kmsKeyId=key)
    client("ecr").create_repository(repositoryName="shown")
    code = "def handler(event, context): return 1"
    function = world.function(code, name="shown", KMSKeyArn=key, Environment={"Variables": {"A": "1"}})
    statement = {"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": "*"}
    client("s3").put_bucket_policy(Bucket="shown", Policy=json.dumps({"Statement": [statement]}))
    world.permit("shown", f"arn:aws:events:{HERE}:rule/r")
    policies = {
        "arn:aws:s3:::shown/k": "s3:*",
        f"arn:aws:sqs:{HERE}:shown": None,
        topic: "SNS:Publish",
        function: "lambda:InvokeFunction",
        key: "kms:*",
        f"arn:aws:ecr:{HERE}:repository/shown": None,
        "*": None,
    }
    for arn, action in policies.items():
        found = protected.policy(world.account, arn)
        assert (action in found) if found and action else found is None, arn
    assert protected.key(world.account, f"arn:aws:sqs:{HERE}:shown") == key
    assert protected.key(world.account, topic) is None  # AWS's own
    assert protected.key(world.account, f"arn:aws:logs:{HERE}:log-group:shown:log-stream:s") == key
    assert protected.key(world.account, function) == key
    assert protected.key(world.account, "arn:aws:s3:::shown/k") is None


PACKAGE = f"arn:aws:sagemaker:{HERE}:model-package/g/1"


@pytest.mark.parametrize(
    ("service", "operation", "parameters", "action", "resource"),
    [
        ("s3", "HeadObject", {"Bucket": "b", "Key": "k"}, "s3:GetObject", "arn:aws:s3:::b/k"),
        ("s3", "ListObjectsV2", {"Bucket": "b"}, "s3:ListBucket", "arn:aws:s3:::b"),
        ("lambda", "Invoke", {"FunctionName": "f"}, "lambda:InvokeFunction", "function:f"),
        ("dynamodb", "Query", {"TableName": "t"}, "dynamodb:Query", "table/t"),
        ("sqs", "SendMessageBatch", {"QueueUrl": "http://h/1/q"}, "sqs:SendMessage", "q"),
        ("cloudformation", "UpdateStack", {"StackName": "s"}, "cloudformation:UpdateStack", "stack/s/*"),
        (
            "sagemaker",
            "UpdateModelPackage",
            {"ModelPackageArn": PACKAGE},
            "sagemaker:UpdateModelPackage",
            PACKAGE,
        ),
        (
            "sagemaker-runtime",
            "InvokeEndpoint",
            {"EndpointName": "e"},
            "sagemaker:InvokeEndpoint",
            "endpoint/e",
        ),
        ("logs", "CreateLogGroup", {"logGroupName": "g"}, "logs:CreateLogGroup", "log-group:g:log-stream:"),
        ("ecr", "GetAuthorizationToken", {}, "ecr:GetAuthorizationToken", "*"),
        ("events", "PutEvents", {"Entries": [{}]}, "events:PutEvents", "event-bus/default"),
    ],
)
def test_an_operation_is_an_action_on_an_arn(
    service: str, operation: str, parameters: dict[str, object], action: str, resource: str
) -> None:
    """Resources without arn: are this account's, of the action's service."""
    [access] = calls.accesses(Call(service, operation, parameters), Where("123456789012", "us-east-1"))
    whole = resource.startswith("arn:") or resource == "*"
    expected = resource if whole else f"arn:aws:{action.partition(':')[0]}:{HERE}:{resource}"
    assert (access.action, access.resource) == (action, expected)


def test_two_required_resources_are_both_asked_about() -> None:
    call = Call("sagemaker", "UpdateEndpoint", {"EndpointName": "e", "EndpointConfigName": "c"})
    found = {access.resource.rsplit(":", 1)[1] for access in calls.accesses(call, Where("1", "r"))}
    assert found == {"endpoint/e", "endpoint-config/c"}


def test_the_reference_knows_actions_and_their_dependents() -> None:
    action = reference.find("sagemaker:CreateTrainingJob")
    assert action is not None
    assert action.dependents == {"iam:PassRole", "sagemaker:AddTags"}
    assert reference.find("s3:HeadObject") is None


def test_every_renamed_action_is_one_that_aws_has() -> None:
    assert [action for action in calls.ACTIONS.values() if reference.find(action) is None] == []
