"""What is promised of deployed things: each promise that is not kept is named, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import fields, replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from config.delivery import load_delivery
from config.schema import ROOT, Config, load
from rehearsal.engine import Account
from rehearsal.engine.cloudformation.deployed import Resource
from rehearsal.engine.moto_seams import cloudwatch as seam
from rehearsal.scenarios.promises import drills, jobs, kept, patterns, reach, settings, steps, timetable
from rehearsal.scenarios.promises.deployed import Deployed

VERSION = "2012-10-17"
LOSS = {
    "AlarmName": "tideline-dev-loss",
    "Namespace": "Tideline",
    "MetricName": "LossEvidence",
    "Dimensions": [{"Name": "Deployment", "Value": "tideline-dev"}],
    "Statistic": "Maximum",
    "Period": 3600,
    "EvaluationPeriods": 1,
    "Threshold": 1,
    "ComparisonOperator": "GreaterThanOrEqualToThreshold",
    "TreatMissingData": "ignore",
}
SILENCE = {
    **LOSS,
    "AlarmName": "tideline-dev-silence",
    "MetricName": "CapturedRows",
    "Period": 86400,
    "EvaluationPeriods": 2,
    "DatapointsToAlarm": 2,
    "ComparisonOperator": "LessThanThreshold",
    "TreatMissingData": "breaching",
}
ERRORS = {**LOSS, "AlarmName": "5xx", "Statistic": "Sum", "Period": 300, "TreatMissingData": "notBreaching"}
LATENCY: dict[str, Any] = {
    **{key: value for key, value in LOSS.items() if key != "Statistic"},
    "AlarmName": "tideline-dev-000001-aaaaaaaa-rollback-latency",
    "ExtendedStatistic": "p90",
    "Period": 60,
    "EvaluationPeriods": 5,
    "DatapointsToAlarm": 3,
    "Threshold": 250_000,
    "ComparisonOperator": "GreaterThanThreshold",
    "TreatMissingData": "notBreaching",
}
SHARE = {
    **{key: value for key, value in LATENCY.items() if key != "ExtendedStatistic"},
    "Statistic": "Average",
    "Threshold": 0.01,
}


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """One for all: what a test puts there is replaced by the next, or has a name of its own."""
    with Account(
        start=datetime(2026, 1, 1, tzinfo=UTC), directory=tmp_path_factory.mktemp("account")
    ) as made:
        yield made


@pytest.fixture(scope="module")
def config() -> Config:
    return load(ROOT / "config" / "dev.yaml")


def deployed(config: Config, *resources: Resource, account: Any = None) -> Deployed:
    somewhere = SimpleNamespace(id="123456789012", region="us-east-1")
    return Deployed(account or somewhere, config, load_delivery(), resources)


def resource(kind: str, logical_id: str, stack: str = "tideline-dev-storage", **properties: Any) -> Resource:
    return Resource(stack, logical_id, logical_id.lower(), kind, properties, {})


SPOILED_ALARMS = [
    ("loss", LOSS, {}),
    ("loss", LOSS, {"Threshold": 0.5}),
    ("loss", LOSS, {"Threshold": 2}),
    ("loss", LOSS, {"Statistic": "Minimum"}),
    ("loss", LOSS, {"TreatMissingData": "notBreaching"}),
    ("loss", LOSS, {"EvaluationPeriods": 3}),
    ("silence", SILENCE, {}),
    ("silence", SILENCE, {"TreatMissingData": "notBreaching"}),
    ("silence", SILENCE, {"Period": 3600}),
    ("silence", SILENCE, {"Threshold": 1000}),
    ("silence", SILENCE, {"DatapointsToAlarm": 1}),
    ("silence", SILENCE, {"Statistic": "Minimum"}),
    ("5xx", ERRORS, {}),
    ("5xx", ERRORS, {"Statistic": "Average"}),
    ("5xx", ERRORS, {"Threshold": 100}),
    ("5xx", ERRORS, {"EvaluationPeriods": 12}),
    (drills.LOST, {**ERRORS, "Statistic": "Maximum"}, {}),
    (drills.LOST, {**ERRORS, "Statistic": "Maximum"}, {"Period": 86400}),
    (drills.LOST, {**ERRORS, "Statistic": "Maximum"}, {"Statistic": "Minimum"}),
    ("rollback-latency", LATENCY, {}),
    ("rollback-latency", LATENCY, {"Threshold": 250}),
    ("rollback-latency", LATENCY, {"Threshold": 25_000_000}),
    ("rollback-latency", LATENCY, {"ExtendedStatistic": "p10"}),
    ("rollback-latency", LATENCY, {"DatapointsToAlarm": 1}),
    ("rollback-5xx", SHARE, {}),
    ("rollback-5xx", SHARE, {"Threshold": 0.5}),
    ("rollback-5xx", SHARE, {"DatapointsToAlarm": 5}),
    ("rollback-5xx", SHARE, {"EvaluationPeriods": 50}),
    ("rollback-5xx", SHARE, {"TreatMissingData": "breaching"}),
]


@pytest.mark.parametrize(
    ("kind", "sound", "spoiled"),
    [pytest.param(*row, id=f"{row[0]} {row[2]}") for row in SPOILED_ALARMS],
)
def test_an_alarm_that_would_come_late_early_or_never_fails_its_drill(
    account: Account, config: Config, kind: str, sound: dict[str, Any], spoiled: dict[str, Any]
) -> None:
    account.client("cloudwatch").put_metric_alarm(**{**sound, **spoiled})
    [alarm] = [one for one in seam.alarms(account) if one.name == sound["AlarmName"]]
    said = [one for drill in drills.of(config)[kind] for one in drills.told(alarm, drill)]
    assert bool(said) == bool(spoiled), said


def test_an_alarm_without_a_drill_and_a_drill_without_an_alarm_are_named(
    account: Account, config: Config
) -> None:
    account.client("cloudwatch").put_metric_alarm(**{**LOSS, "AlarmName": "tideline-dev-new"})
    ours = Resource("tideline-dev-x", "New", "tideline-dev-new", "AWS::CloudWatch::Alarm", {}, {})
    said = list(drills.failed(deployed(config, ours, account=account)))
    assert "nobody says when tideline-dev-new must fire" in said[0]
    kinds = ("5xx", drills.LOST, "heartbeat", "invalid", "loss", "silence", "traffic")
    assert said[1:] == [f"there is no alarm {kind}" for kind in kinds]


def test_every_setting_of_every_function_has_one_value_that_it_must_have(config: Config) -> None:
    known = settings.values(deployed(config)).keys() | {
        "data_bucket", "capture_bucket", "artefacts_bucket", "ledger_table", "topic_arn", *settings.SHOWN_BY_A_RUN,
    }  # fmt: skip
    batch = config.model_copy(update={"serving": config.serving.model_copy(update={"mode": "batch"})})
    of_functions = {field.name for kind in settings.kinds(batch) for field in fields(kind)}
    assert of_functions <= known


def test_a_setting_that_is_well_formed_and_another_s_is_named(config: Config) -> None:
    variables = {"REGION": "us-east-1", "ESTIMATES": "use", "EXPLORE": "on"}
    function = Resource(
        "tideline-dev-training", "ChooseInstanceFunction", "tideline-dev-choose-instance",
        "AWS::Lambda::Function", {"Environment": {"Variables": variables}}, {},
    )  # fmt: skip
    said = [one for one in settings.wrong(deployed(config, function)) if "choose-instance" in one]
    assert said == ["tideline-dev-choose-instance: EXPLORE is 'on', not 'off'"]


def test_a_promise_of_data_that_is_not_kept_names_resource_property_and_what_is_wanted(
    config: Config,
) -> None:
    table = resource("AWS::DynamoDB::Table", "Ledger", DeletionProtectionEnabled="true")
    said = list(kept.broken(deployed(config, replace(table, policies={"DeletionPolicy": "Retain"}))))
    assert "tideline-dev-storage Ledger: UpdateReplacePolicy is missing, not 'Retain'" in said
    assert not any("DeletionProtectionEnabled" in one or "DeletionPolicy is" in one for one in said)


def test_a_key_must_be_one_of_this_deployment(config: Config) -> None:
    key = resource("AWS::KMS::Key", "Key", EnableKeyRotation=True)
    arn = "arn:aws:kms:us-east-1:123456789012:key/key"
    theirs = resource("AWS::SNS::Topic", "Theirs", KmsMasterKeyId=arn.replace("key/key", "key/other"))
    topics = (resource("AWS::SNS::Topic", "Ours", KmsMasterKeyId=arn), theirs)
    said = [one for one in kept.broken(deployed(config, key, *topics)) if "KmsMasterKeyId" in one]
    assert len(said) == 1
    assert "Theirs" in said[0]


def test_a_job_with_a_network_and_a_model_that_no_gate_judged_are_named(config: Config) -> None:
    training = {
        "EnableNetworkIsolation": False,
        "ResourceConfig": {"VolumeKmsKeyId": "key"},
        "OutputDataConfig": {"KmsKeyId": "key"},
        "StoppingCondition": {"MaxRuntimeInSeconds": {"Get": "Parameters.MaxRuntimeSeconds"}},
    }
    register = {"ModelApprovalStatus": "PendingManualApproval", "ModelPackageGroupName": "tideline-dev"}
    steps_ = [
        {"Name": "Train", "Type": "Training", "Arguments": training},
        {"Name": "Register", "Type": "RegisterModel", "Arguments": register},
    ]
    body = {"PipelineDefinitionBody": json.dumps({"Steps": steps_})}
    pipeline = resource("AWS::SageMaker::Pipeline", "Pipeline", PipelineDefinition=body)
    key = resource("AWS::KMS::Key", "Key")
    assert list(jobs.broken(deployed(config, key, pipeline))) == [
        "pipeline Train: EnableNetworkIsolation is False, not True",
        "pipeline Register: ModelApprovalStatus is 'PendingManualApproval', not 'Approved'",
        "pipeline Register: registers what no gate has judged",
        "pipeline Register: registers without Manifest1, Manifest2, Manifest3, Manifest4, Signature",
    ]


def test_dead_letters_that_no_alarm_watches_are_named(config: Config) -> None:
    queue = resource("AWS::SQS::Queue", "RetrainDeadLetters")
    assert "no alarm watches RetrainDeadLetters" in kept.broken(deployed(config, queue))


@pytest.mark.parametrize("expression", ["cron(0 13 * * ? *)", "cron(0 6 * * ? *)", "cron(0 13 ? * MON *)"])
def test_a_daily_look_at_another_hour_or_not_each_day_is_named(
    account: Account, config: Config, expression: str
) -> None:
    events = account.client("events")
    events.put_rule(Name="daily", ScheduleExpression=expression)
    events.put_targets(
        Rule="daily",
        Targets=[{"Id": "1", "Arn": "arn:aws:lambda:us-east-1:123456789012:function:x-check-drift"}],
    )
    rule = Resource("tideline-dev-monitoring", "Daily", "daily", "AWS::Events::Rule", {}, {})
    said = [one for one in timetable.wrong(deployed(config, rule, account=account)) if "check-drift" in one]
    assert bool(said) == (expression != "cron(0 13 * * ? *)")


@pytest.mark.parametrize(
    ("states", "said"),
    [
        (["Succeeded", "Failed", "Stopped"], []),
        (["Succeeded", "Stopped"], ["ends leaves Failed"]),
        (["Succeeded", "Failed", "Stopped", "Executing"], ["ends takes Executing"]),
    ],
    ids=["all", "one too few", "one too many"],
)
def test_a_rule_that_leaves_an_end_or_takes_a_beginning_is_named(
    account: Account, config: Config, states: list[str], said: list[str]
) -> None:
    detail = {"pipelineArn": [{"prefix": "arn:"}], "currentPipelineExecutionStatus": states}
    pattern = {"source": ["aws.sagemaker"], "detail-type": ["SageMaker X"], "detail": detail}
    account.client("events").put_rule(Name="ends", EventPattern=json.dumps(pattern))
    rule = Resource("tideline-dev-retraining", "ReconcileOnPipelineEnd", "ends", "AWS::Events::Rule", {}, {})
    found = patterns.wrong(deployed(config, rule, account=account))
    assert [one for one in found if one.startswith("ends")] == said


def test_what_a_batch_alone_has_is_promised_of_it(config: Config) -> None:
    batch = config.model_copy(update={"serving": config.serving.model_copy(update={"mode": "batch"})})
    assert set(patterns.of(batch)) ^ set(patterns.of(config)) == {"OnTransformEnd", "OnRollbackAlarm"}
    assert set(timetable.times(batch)) - set(timetable.times(config)) == {"start-transform"}


def test_a_step_that_runs_something_else_or_too_short_is_named(config: Config) -> None:
    spec = {"phases": {"build": {"commands": ["make check-model", "true"]}}}
    project = resource(
        "AWS::CodeBuild::Project", "VerifyProject", "tideline-delivery",
        Source={"BuildSpec": json.dumps(spec)}, TimeoutInMinutes=5,
        Environment={"ComputeType": steps.COMPUTER, "PrivilegedMode": "false"},
    )  # fmt: skip
    said = list(steps.wrong(deployed(config, project)))
    assert said == [
        "verifyproject does not run 'make test'", "verifyproject: TimeoutInMinutes is 5, not 45",
    ]  # fmt: skip


OWN_TABLE = "arn:aws:dynamodb:us-east-1:123456789012:table/tideline-dev-ledger"


@pytest.mark.parametrize(
    ("action", "where", "said"),
    [
        ("dynamodb:GetItem", OWN_TABLE, []),
        ("dynamodb:GetItem", "*", ["dynamodb:GetItem on arn:aws:dynamodb"]),
        ("dynamodb:GetItem", f"{OWN_TABLE.rpartition('-ledger')[0]}*", ["table/tideline-dev2"]),
        ("dynamodb:*", OWN_TABLE, ["dynamodb:*, which names no action"]),
        ("kms:Decrypt", "*", ["kms:Decrypt on arn:aws:kms"]),
        ("xray:PutTraceSegments", "*", []),
    ],
    ids=["its own", "any", "a beginning of its own", "every action", "any key", "without a resource"],
)
def test_a_policy_that_lets_a_role_touch_a_neighbour_s_things_is_named(
    account: Account, config: Config, action: str, where: str, said: list[str]
) -> None:
    document = json.loads(_document({"Effect": "Allow", "Action": action, "Resource": where}))
    policy = resource("AWS::IAM::Policy", "Policy", PolicyDocument=document)
    found = list(reach.too_far(deployed(config, policy, account=account)))
    assert bool(found) == bool(said)
    assert all(any(part in one for one in found) for part in said)


@pytest.mark.parametrize(
    ("trusted", "said"),
    [
        ({"Service": "lambda.amazonaws.com"}, []),
        ({"Service": ["lambda.amazonaws.com", "ec2.amazonaws.com"]}, ["trusts ec2.amazonaws.com"]),
        ({"AWS": "arn:aws:iam::999999999999:root"}, ["trusts another account"]),
    ],
    ids=["its own service", "another service too", "another account"],
)
def test_a_role_that_trusts_others_is_named(
    account: Account, config: Config, trusted: dict[str, Any], said: list[str]
) -> None:
    trust = _document({"Effect": "Allow", "Principal": trusted, "Action": "sts:AssumeRole"})
    role = resource("AWS::IAM::Role", f"Role{len(trust)}")
    account.client("iam").create_role(RoleName=role.id, AssumeRolePolicyDocument=trust)
    found = list(reach.too_far(deployed(config, role, account=account)))
    assert found == [f"{role.id} {one}" for one in said]


def _document(statement: dict[str, Any]) -> str:
    return json.dumps({"Version": VERSION, "Statement": [statement]})
