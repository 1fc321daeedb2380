"""Rules and handlers agree on events: the real one matches and is understood, its near misses are neither."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from domain import events
from domain.events import WrongEventError
from tests.contracts.event_pattern import matches
from tests.stacks.synthesis import Deployment, Resource

ARN = "arn:aws:{service}:us-east-1:123456789012:{resource}"
Event = dict[str, Any]


def envelope(source: str, detail_type: str, resource: str, detail: Event) -> Event:
    return {
        "version": "0",
        "id": "11111111-2222-3333-4444-555555555555",
        "source": source,
        "detail-type": detail_type,
        "account": "123456789012",
        "region": "us-east-1",
        "time": "2013-04-20T13:00:00Z",
        "resources": [resource],
        "detail": detail,
    }


def alarm_event(name: str = "tideline-dev-loss", state: str = "ALARM") -> Event:
    detail = {
        "alarmName": name,
        "state": {
            "value": state,
            "reason": "1 datapoint above 1.2",
            "timestamp": "2013-04-20T13:00:00.000+0000",
        },
        "previousState": {"value": "OK", "reason": "", "timestamp": "2013-04-19T13:00:00.000+0000"},
        "configuration": {"metrics": []},
    }
    arn = ARN.format(service="cloudwatch", resource=f"alarm:{name}")
    return envelope("aws.cloudwatch", "CloudWatch Alarm State Change", arn, detail)


def pipeline_event(name: str = "tideline-dev-train", status: str = "Succeeded") -> Event:
    arn = ARN.format(service="sagemaker", resource=f"pipeline/{name}")
    detail = {
        "pipelineExecutionDisplayName": "run-a9b99571f4ddae14",
        "currentPipelineExecutionStatus": status,
        "previousPipelineExecutionStatus": "Executing",
        "executionStartTime": "2013-04-20T12:00:00Z",
        "executionEndTime": "2013-04-20T13:00:00Z",
        "pipelineArn": arn,
        "pipelineExecutionArn": f"{arn}/execution/p4jn9xou8a8s",
    }
    kind = "SageMaker Model Building Pipeline Execution Status Change"
    return envelope("aws.sagemaker", kind, arn, detail)


def package_event(group: str = "tideline-dev", status: str = "Approved") -> Event:
    arn = ARN.format(service="sagemaker", resource=f"model-package/{group}/7")
    detail = {
        "ModelPackageGroupName": group,
        "ModelPackageVersion": 7,
        "ModelPackageArn": arn,
        "ModelPackageStatus": "Completed",
        "ModelApprovalStatus": status,
    }
    return envelope("aws.sagemaker", "SageMaker Model Package State Change", arn, detail)


def stack_event(name: str = "tideline-dev-serving", status: str = "UPDATE_COMPLETE") -> Event:
    arn = ARN.format(service="cloudformation", resource=f"stack/{name}/9b5e1b50")
    detail = {
        "stack-id": arn,
        "status-details": {"status": status, "status-reason": ""},
        "client-request-token": "release-000042",
    }
    return envelope("aws.cloudformation", "CloudFormation Stack Status Change", arn, detail)


def rollback_event(
    name: str = "tideline-dev-000042-0123abcd-rollback-latency", state: str = "ALARM"
) -> Event:
    return alarm_event(name, state)


def delivery_event(
    pipeline: str = "tideline-delivery", stage: str = "dev-Wait", state: str = "STARTED"
) -> Event:
    detail = {
        "pipeline": pipeline,
        "execution-id": "11111111-2222-3333-4444-555555555555",
        "stage": stage,
        "action": "Release",
        "state": state,
        "region": "us-east-1",
        "type": {"owner": "AWS", "provider": "Manual", "category": "Approval", "version": "1"},
        "version": 1.0,
    }
    arn = ARN.format(service="codepipeline", resource=pipeline)
    return envelope("aws.codepipeline", "CodePipeline Action Execution State Change", arn, detail)


RULES: dict[str, Callable[..., Event]] = {
    "OnDrift": alarm_event,
    "OnPipelineEnd": pipeline_event,
    "OnApproval": package_event,
    "OnServingSettled": stack_event,
    "OnRollbackAlarm": rollback_event,
    "OnDeliveryWaits": delivery_event,
}
PARSERS: dict[str, Callable[[Event], object]] = {
    "OnDrift": lambda e: events.parse_alarm(e, alarm_name="tideline-dev-loss"),
    "OnPipelineEnd": lambda e: events.parse_pipeline_ended(e, pipeline="tideline-dev-train"),
    "OnApproval": lambda e: events.parse_approval(e, group="tideline-dev"),
    "OnServingSettled": lambda e: events.parse_stack_settled(e, stack="tideline-dev-serving"),
    "OnRollbackAlarm": lambda e: events.parse_rollback_alarm(e, deployment="tideline-dev"),
    "OnDeliveryWaits": lambda e: events.parse_delivery_waits(
        e, pipeline="tideline-delivery", stage="dev-Wait"
    ),
}
NEAR_MISSES = [
    ("OnDrift", alarm_event(name="tideline-dev-silence")),
    ("OnDrift", alarm_event(name="tideline-prod-loss")),
    ("OnDrift", alarm_event(state="OK")),
    ("OnDrift", alarm_event(state="INSUFFICIENT_DATA")),
    ("OnPipelineEnd", pipeline_event(name="tideline-prod-train")),
    ("OnPipelineEnd", pipeline_event(name="tideline-dev-train-2")),
    ("OnApproval", package_event(group="tideline-prod")),
    ("OnApproval", package_event(group="tideline-dev-2")),
    ("OnApproval", package_event(status="PendingManualApproval")),
    ("OnApproval", package_event(status="PendingManualApproval")),
    ("OnServingSettled", stack_event(name="tideline-prod-serving")),
    ("OnServingSettled", stack_event(name="tideline-dev-serving-2")),
    ("OnServingSettled", stack_event(name="tideline-dev-storage")),
    ("OnRollbackAlarm", rollback_event(name="tideline-dev-loss")),
    ("OnRollbackAlarm", rollback_event(name="tideline-prod-000042-0123abcd-rollback-latency")),
    ("OnRollbackAlarm", rollback_event(name="tideline-dev-x1-000042-0123abcd-rollback-latency")),
    ("OnRollbackAlarm", rollback_event(state="OK")),
    ("OnDeliveryWaits", delivery_event(pipeline="other-delivery")),
    ("OnDeliveryWaits", delivery_event(stage="prod-Wait")),
    ("OnDeliveryWaits", delivery_event(stage="dev-Prove")),
    ("OnDeliveryWaits", delivery_event(state="SUCCEEDED")),
]
ON_THE_WAY = [
    ("OnPipelineEnd", pipeline_event(status="Executing")),
    ("OnPipelineEnd", pipeline_event(status="Stopping")),
    ("OnServingSettled", stack_event(status="UPDATE_IN_PROGRESS")),
    ("OnServingSettled", stack_event(status="UPDATE_ROLLBACK_IN_PROGRESS")),
]
"""The right pipeline or stack before its end."""


def rules(deployment: Deployment) -> dict[str, Resource]:
    """The rules with a pattern, by their construct's name."""
    found = [r for r in deployment.of_type("AWS::Events::Rule") if "EventPattern" in r.properties]
    return {next(name for name in RULES if name in r.logical_id): r for r in found}


def test_there_is_a_sample_for_every_rule_with_a_pattern(dev: Deployment) -> None:
    patterns = [r for r in dev.of_type("AWS::Events::Rule") if "EventPattern" in r.properties]
    assert set(rules(dev)) == set(RULES)
    assert len(patterns) == len(RULES)


@pytest.mark.parametrize("rule", RULES)
def test_the_real_event_matches_its_rule_and_is_understood(dev: Deployment, rule: str) -> None:
    event = RULES[rule]()
    assert matches(rules(dev)[rule].properties["EventPattern"], event)
    assert PARSERS[rule](event) is not None


@pytest.mark.parametrize("rule", RULES)
def test_the_real_event_matches_no_other_rule(dev: Deployment, rule: str) -> None:
    others = {name: r for name, r in rules(dev).items() if name != rule}
    assert [n for n, r in others.items() if matches(r.properties["EventPattern"], RULES[rule]())] == []


@pytest.mark.parametrize(("rule", "event"), NEAR_MISSES)
def test_a_near_miss_does_not_match_and_is_refused(dev: Deployment, rule: str, event: Event) -> None:
    assert not matches(rules(dev)[rule].properties["EventPattern"], event)
    with pytest.raises(WrongEventError):
        PARSERS[rule](event)


@pytest.mark.parametrize(("rule", "event"), ON_THE_WAY)
def test_what_has_not_ended_starts_nothing(dev: Deployment, rule: str, event: Event) -> None:
    assert not matches(rules(dev)[rule].properties["EventPattern"], event)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("field", ["source", "detail-type"])
def test_the_same_event_from_elsewhere_does_not_match_and_is_refused(
    dev: Deployment, rule: str, field: str
) -> None:
    event = {**copy.deepcopy(RULES[rule]()), field: "made.up"}
    assert not matches(rules(dev)[rule].properties["EventPattern"], event)
    with pytest.raises(WrongEventError):
        PARSERS[rule](event)


def test_the_events_of_one_deployment_never_reach_another(dev: Deployment, prod: Deployment) -> None:
    for name, rule in rules(prod).items():
        assert not matches(rule.properties["EventPattern"], RULES[name]()), name


def transform_event(name: str = "tideline-nightly-20130301-0200", status: str = "Failed") -> Event:
    detail = {"TransformJobName": name, "TransformJobStatus": status}
    arn = ARN.format(service="sagemaker", resource=f"transform-job/{name}")
    return envelope("aws.sagemaker", "SageMaker Transform Job State Change", arn, detail)


@pytest.mark.parametrize(
    ("event", "is_ours"),
    [
        (transform_event(), True),
        (transform_event(status="Completed"), True),
        (transform_event(status="Stopped"), True),
        (transform_event(status="InProgress"), False),
        (transform_event(name="tideline-nightly-x1-20130301-0200"), False),
        (transform_event(name="tideline-dev-20130301-0200"), False),
        ({**transform_event(), "source": "made.up"}, False),
    ],
)
def test_the_end_of_a_transform_of_ours_alone_is_recorded(
    nightly: Deployment, event: Event, is_ours: bool
) -> None:
    rule = nightly.one("AWS::Events::Rule", "BatchRecordTransformOnTransformEnd")
    assert matches(rule.properties["EventPattern"], event) is is_ours
    assert rule.properties["Targets"][0]["Arn"].endswith(":tideline-nightly-record-transform")
    if is_ours:
        assert events.parse_transform_ended(event, deployment="tideline-nightly").startswith(
            "tideline-nightly"
        )
    elif event["detail"]["TransformJobStatus"] != "InProgress":
        with pytest.raises(WrongEventError):
            events.parse_transform_ended(event, deployment="tideline-nightly")


def test_the_drift_rule_refers_to_its_alarm_and_not_to_a_name(dev: Deployment) -> None:
    (alarm,) = rules(dev)["OnDrift"].raw["Properties"]["EventPattern"]["resources"]
    assert list(alarm) == ["Fn::ImportValue"]


def test_what_the_patterns_name_is_made_by_these_very_stacks(dev: Deployment) -> None:
    patterns = {name: rule.properties["EventPattern"] for name, rule in rules(dev).items()}
    loss = dev.one("AWS::CloudWatch::Alarm", "Loss")
    assert patterns["OnDrift"]["resources"] == [
        dev.resolve("monitoring", {"Fn::GetAtt": [loss.logical_id, "Arn"]})
    ]
    pipeline = dev.one("AWS::SageMaker::Pipeline").properties["PipelineName"]
    assert patterns["OnPipelineEnd"]["detail"]["pipelineArn"] == [
        ARN.format(service="sagemaker", resource=f"pipeline/{pipeline}")
    ]
    group = dev.one("AWS::SageMaker::ModelPackageGroup").properties["ModelPackageGroupName"]
    assert patterns["OnApproval"]["detail"]["ModelPackageGroupName"] == [group]
    ((prefix,),) = (stack_id.values() for stack_id in patterns["OnServingSettled"]["detail"]["stack-id"])
    assert prefix == ARN.format(service="cloudformation", resource=f"stack/{dev.stack_name('serving')}/")


def test_every_rule_reaches_the_function_that_understands_it(dev: Deployment) -> None:
    reached = {
        name: rule.properties["Targets"][0]["Arn"].rsplit(":", 1)[1] for name, rule in rules(dev).items()
    }
    source = dev.one("AWS::Lambda::EventSourceMapping").properties
    assert reached.pop("OnDrift") == source["EventSourceArn"].rsplit(":", 1)[1]
    assert source["FunctionName"] == "tideline-dev-retrain"
    assert reached == {
        "OnPipelineEnd": "tideline-dev-reconcile",
        "OnApproval": "tideline-dev-release-model",
        "OnServingSettled": "tideline-dev-record-release",
        "OnRollbackAlarm": "tideline-dev-record-release",
        "OnDeliveryWaits": "tideline-dev-reconcile",
    }


def test_the_day_s_functions_run_in_the_order_in_which_they_build_on_each_other(dev: Deployment) -> None:
    at = {}
    for rule in dev.of_type("AWS::Events::Rule"):
        if "ScheduleExpression" in rule.properties:
            minute, hour = rule.properties["ScheduleExpression"].removeprefix("cron(").split()[:2]
            at[rule.logical_id[: -len("12345678")]] = int(hour) * 60 + int(minute)
    assert sorted(at, key=lambda name: at[name]) == [
        "BuildSnapshotDaily",
        "CheckDriftDaily",
        "ReconcileDaily",
        "StillRed",
    ]
