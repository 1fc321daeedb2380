"""What starts a delivery, and who is told when it fails."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from rehearsal.engine import Account
from rehearsal.engine.delivery import pipelines
from rehearsal.scenarios import deployment as rehearsed
from rehearsal.scenarios.pushes import Push, Pushed, Pusher
from tests.stacks.delivery_synthesis import (
    CONNECTION,
    committed,
    delivery,
    pipeline,
    stages,
    synthesise,
    variant,
)
from tests.stacks.synthesis import DEV

START = datetime(2026, 1, 5, tzinfo=UTC)


def test_the_zip_of_the_stack_s_own_bucket_starts_the_pipeline() -> None:
    rule = committed().one("AWS::Events::Rule", "OnPush").properties
    (source,) = stages(committed())["Source"]["Actions"]
    assert rule["EventPattern"]["detail"] == {
        "bucket": {"name": [source["Configuration"]["S3Bucket"]]},
        "object": {"key": [source["Configuration"]["S3ObjectKey"]]},
    }
    bucket = committed().one("AWS::S3::Bucket", "SourceBucket").properties
    assert bucket["NotificationConfiguration"] == {"EventBridgeConfiguration": {"EventBridgeEnabled": True}}
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}


def test_what_does_not_reach_the_pipeline_or_people_may_lie_in_dead_letters() -> None:
    policy = committed().one("AWS::SQS::QueuePolicy").properties["PolicyDocument"]
    allowed = [one for one in policy["Statement"] if one["Effect"] == "Allow"]
    assert {(one["Principal"]["Service"], one["Action"]) for one in allowed} == {
        ("events.amazonaws.com", "sqs:SendMessage")
    }
    sources = [one["Condition"]["ArnEquals"]["aws:SourceArn"] for one in allowed]
    assert ["-onpush" in sources[0], "-onfailure" in sources[1], len(sources)] == [True, True, 2]
    key = committed().one("AWS::KMS::Key").properties["KeyPolicy"]
    services = [one["Principal"].get("Service") for one in key["Statement"]]
    assert "events.amazonaws.com" in services


def test_a_connection_filters_pushes_by_branch_and_path_and_needs_no_rule_and_no_bucket() -> None:
    delivery = variant("connection")
    (source,) = stages(delivery)["Source"]["Actions"]
    assert source["Configuration"]["ConnectionArn"] == CONNECTION
    (trigger,) = pipeline(delivery)["Triggers"]
    assert trigger["GitConfiguration"]["Push"] == [
        {
            "Branches": {"Includes": ["main"]},
            "FilePaths": {"Includes": ["training/**"], "Excludes": ["docs/**"]},
        }
    ]
    assert [rule.logical_id[:9] for rule in delivery.of_type("AWS::Events::Rule")] == [
        "OnFailure",
        "OnCheckFa",
    ]


def test_a_pull_request_is_checked_by_a_pipeline_that_deploys_nothing() -> None:
    (checks,) = (
        r for r in variant("connection").of_type("AWS::CodePipeline::Pipeline") if r.logical_id == "Checks"
    )
    assert [stage["Name"] for stage in checks.properties["Stages"]] == ["Source", "Verify"]
    (trigger,) = checks.properties["Triggers"]
    (request,) = trigger["GitConfiguration"]["PullRequest"]
    assert request["Branches"] == {"Includes": ["main"]}


@pytest.mark.parametrize("execution", ["superseded", "queued"])
def test_pull_requests_are_checked_side_by_side_whatever_pushes_do(execution: str) -> None:
    made = synthesise(delivery("connection", execution=execution)).of_type("AWS::CodePipeline::Pipeline")
    modes = {r.logical_id: (r.properties["PipelineType"], r.properties["ExecutionMode"]) for r in made}
    assert modes == {"Pipeline": ("V2", execution.upper()), "Checks": ("V2", "PARALLEL")}


def test_a_failed_push_or_check_is_told_to_people_in_a_sentence() -> None:
    for rule_id, pipeline_id, what in (
        ("OnFailure", "Pipeline", "A push"),
        ("OnCheckFailure", "Checks", "A pull request's check"),
    ):
        rule = variant("connection").one("AWS::Events::Rule", rule_id).raw["Properties"]
        assert rule["EventPattern"]["detail"] == {"pipeline": [{"Ref": pipeline_id}], "state": ["FAILED"]}
        (target,) = rule["Targets"]
        said = f'"{what} failed in <detail-pipeline>.'
        assert target["InputTransformer"]["InputTemplate"].startswith(said)


def test_an_alarm_tells_people_of_what_lies_in_the_delivery_s_dead_letters() -> None:
    alarm = committed().one("AWS::CloudWatch::Alarm").raw["Properties"]
    queue = committed().one("AWS::SQS::Queue").logical_id
    assert alarm["Dimensions"] == [{"Name": "QueueName", "Value": {"Fn::GetAtt": [queue, "QueueName"]}}]
    assert alarm["AlarmActions"] == [{"Ref": committed().one("AWS::SNS::Topic").logical_id}]
    assert "docs/runbooks/dead-letters.md" in alarm["AlarmDescription"]


def test_a_push_that_does_not_reach_the_pipeline_lies_in_dead_letters_and_is_told(tmp_path: Path) -> None:
    """Somebody deleted the pipeline by hand: EventBridge cannot start it."""
    with Account(start=START, directory=tmp_path / "account") as account:
        project = tmp_path / "project"
        project.mkdir()
        (project / "Makefile").write_text("check-model:\n\ttrue\n")
        deployment = rehearsed.Deployment(account, DEV, tmp_path, project)
        pusher = Pusher.deploy(deployment, delivery("s3"), variant("s3").directory)
        account.client("codepipeline").delete_pipeline(name="tideline-delivery")
        pusher.push(Push(account.clock.now(), "a change", "released", {"training/model.py": "x"}))
        account.advance_to(account.clock.now() + timedelta(minutes=10))
        (letter,) = account.journal.of("dead-letter")
        assert letter.facts["rule"].startswith("tideline-delivery-OnPush")
        (fired,) = [one for one in account.journal.of("alarm") if one.facts["new"] == "ALARM"]
        (told,) = [one for one in account.journal.of("delivery") if one.facts["rule"] == fired.facts["alarm"]]
        assert (told.facts["ok"], "DeadLettersLost" in fired.facts["alarm"]) == (True, True)


def test_a_rule_may_use_the_key_for_this_stack_s_topics_and_this_account_s_queues_alone() -> None:
    policy = committed().one("AWS::KMS::Key").raw["Properties"]["KeyPolicy"]["Statement"]
    conditions = [
        one["Condition"] for one in policy if "events.amazonaws.com" in one["Principal"].get("Service", [])
    ]
    account, topics = (
        {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}},
        "tideline-delivery-*",
    )
    assert len(conditions) == 2
    assert account in conditions
    assert [one for one in conditions if topics in json.dumps(one.get("ArnLike"))]


def test_who_is_told_is_who_the_configuration_names() -> None:
    assert committed().of_type("AWS::SNS::Subscription") == []
    subscription = synthesise(delivery(notify_email="ops@example.com")).one("AWS::SNS::Subscription")
    assert subscription.properties["Endpoint"] == "ops@example.com"


def test_every_rule_may_leave_its_dead_letters() -> None:
    for source in ("s3", "codecommit", "connection"):
        rules = {rule.logical_id for rule in variant(source).of_type("AWS::Events::Rule")}
        policy = json.dumps(variant(source).one("AWS::SQS::QueuePolicy").raw)
        assert [
            rule for rule in rules if f'"aws:SourceArn": {{"Fn::GetAtt": ["{rule}", "Arn"]}}' not in policy
        ] == []


def pushed(account: Account, tmp_path: Path, source: str, *pushes: dict[str, str]) -> list[Pushed]:
    """What comes of pushes to the deployed delivery, in which every model fails its check."""
    project = tmp_path / "project"
    project.mkdir()
    (project / "Makefile").write_text("check-model:\n\tfalse\n")
    deployment = rehearsed.Deployment(account, DEV, tmp_path, project)
    pusher = Pusher.deploy(deployment, delivery(source), variant(source).directory)
    now = account.clock.now()
    return [pusher.push(Push(now, "a change", "refused-by-verify", changes)) for changes in pushes]


@pytest.mark.parametrize("source", ["s3", "connection", "codecommit"])
def test_a_commit_starts_the_deployed_pipeline_whatever_its_source_is_and_its_failure_is_told(
    tmp_path: Path, source: str
) -> None:
    with Account(start=START, directory=tmp_path / "account") as account:
        (done,) = pushed(account, tmp_path, source, {"training/model.py": "x"})
        assert done.stages == {"Source": "Succeeded", "Verify": "Failed"}
        assert (done.end, done.told) == ("refused-by-verify", True)
        assert list(account.journal.of("denied", "dead-letter")) == []


def test_a_connection_ignores_what_its_filters_leave_out_and_checks_pull_requests(tmp_path: Path) -> None:
    with Account(start=START, directory=tmp_path / "account") as account:
        first, second = pushed(
            account, tmp_path, "connection", {"training/a.py": "x"}, {"docs/a.md": "x", "README.md": "x"}
        )
        assert (first.status, second.status) == ("FAILED", "WAITING")
        for event, into, starts in (("OPEN", "main", 1), ("CLOSED", "main", 0), ("OPEN", "HEAD~1", 0)):
            asked = pipelines.pull_request(account, "acme/model", event, branch="HEAD", into=into)
            assert len(asked) == starts
        account.pump()
        (told,) = [e.facts["message"] for e in account.journal.of("told")][1:]
        assert told.startswith("A pull request's check failed in tideline-delivery-checks.")


def test_codecommit_starts_the_pipeline_by_its_branch() -> None:
    rule = variant("codecommit").one("AWS::Events::Rule", "OnPush").properties["EventPattern"]
    assert rule["resources"] == ["arn:aws:codecommit:us-east-1:123456789012:model"]
    assert rule["detail"]["referenceName"] == ["main"]


def test_a_brought_bucket_is_read_and_not_made() -> None:
    names = [b.logical_id for b in variant("brought bucket").of_type("AWS::S3::Bucket")]
    assert not [name for name in names if name.startswith("Source")]
    (source,) = stages(variant("brought bucket"))["Source"]["Actions"]
    assert source["Configuration"]["S3Bucket"] == "a-bucket-that-exists"
