"""The delivery stack: what a bare `cdk deploy` deploys, what each step may do, and what a push cannot do."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from config.schema import ROOT
from rehearsal.engine import Account
from rehearsal.engine.delivery import pipelines
from rehearsal.scenarios import deployment as rehearsed
from rehearsal.scenarios.pushes import Push, Pushed, Pusher
from tests.stacks.delivery_synthesis import CONNECTION, committed, delivery, synthesise, variant
from tests.stacks.synthesis import DEV, Deployment, Resource, listed

Stage = dict[str, Any]
START = datetime(2026, 1, 5, tzinfo=UTC)


def pipeline(delivery: Deployment) -> dict[str, Any]:
    found = [r for r in delivery.of_type("AWS::CodePipeline::Pipeline") if r.logical_id == "Pipeline"]
    return found[0].properties


def stages(delivery: Deployment) -> dict[str, Stage]:
    return {stage["Name"]: stage for stage in pipeline(delivery)["Stages"]}


def project(delivery: Deployment, step: str) -> Resource:
    (found,) = (
        r
        for r in delivery.of_type("AWS::CodeBuild::Project")
        if r.properties["Name"] == f"tideline-delivery-{step}"
    )
    return found


def commands(delivery: Deployment, step: str) -> list[str]:
    spec = json.loads(project(delivery, step).properties["Source"]["BuildSpec"])
    return list(spec["phases"]["build"]["commands"])


def granted(delivery: Deployment, step: str) -> dict[str, list[str]]:
    """Action -> resources, without what every project needs to read its source and write its log."""
    role = project(delivery, step).raw["Properties"]["ServiceRole"]["Fn::GetAtt"][0]
    found: dict[str, list[str]] = {}
    for policy in delivery.of_type("AWS::IAM::Policy"):
        if {"Ref": role} in policy.raw["Properties"]["Roles"]:
            for statement in policy.properties["PolicyDocument"]["Statement"]:
                for action in listed(statement["Action"]):
                    found.setdefault(action, []).extend(listed(statement["Resource"]))
    every = (
        "s3:GetObject",
        "s3:GetObjectVersion",
        "kms:Decrypt",
        "logs:CreateLogStream",
        "logs:PutLogEvents",
    )
    return {action: resources for action, resources in found.items() if action not in every}


def test_it_is_the_only_stack_at_the_top_level_so_a_bare_deploy_takes_it_alone() -> None:
    manifest = json.loads((committed().directory / "manifest.json").read_text())["artifacts"].values()
    stacks = [one for one in manifest if one["type"] == "aws:cloudformation:stack"]
    assert [one["properties"]["stackName"] for one in stacks] == ["tideline-delivery"]


def test_a_push_goes_through_these_stages_in_this_order() -> None:
    assert list(stages(committed())) == [
        *("Source", "Verify", "dev-Image", "dev-Deploy", "dev-Train", "dev-Wait", "dev-Prove")
    ]


def test_each_environment_that_is_named_follows_the_one_before() -> None:
    names = list(stages(variant("s3", ("dev", "prod"))))
    assert names[6:] == ["dev-Prove", *(f"prod-{s}" for s in ("Image", "Deploy", "Train", "Wait", "Prove"))]


def test_the_committed_configuration_delivers_into_dev_alone() -> None:
    assert not [name for name in stages(committed()) if name.startswith("prod")]


def test_no_step_hides_logic_each_is_a_make_target_or_a_command_of_ours() -> None:
    targets = (ROOT / "Makefile").read_text()
    for step in ("verify", "dev-image", "dev-deploy", "dev-train", "dev-prove"):
        for command in commands(committed(), step):
            first, second = command.split()[:2]
            assert first in ("make", "sh", "."), command
            assert first != "sh" or second == "./tideline", command
            if first == "make" and second != '"$TARGET"':
                assert f"\n{second}:" in targets, command


def test_verify_may_do_nothing_in_the_account() -> None:
    assert granted(committed(), "verify") == {}


def test_train_may_ask_for_a_run_and_look_at_serving_and_nothing_else() -> None:
    where = "us-east-1:123456789012"
    assert granted(committed(), "dev-train") == {
        "lambda:InvokeFunction": [f"arn:aws:lambda:{where}:function:tideline-dev-start-training"],
        "cloudformation:DescribeStacks": [f"arn:aws:cloudformation:{where}:stack/tideline-dev-serving/*"],
    }


def test_deploy_may_assume_the_bootstrap_s_roles_and_look_at_serving_and_nothing_else() -> None:
    rights = granted(committed(), "dev-deploy")
    assert set(rights) == {"sts:AssumeRole", "cloudformation:DescribeStacks"}
    assert sorted(rights["sts:AssumeRole"]) == [
        f"arn:aws:iam::123456789012:role/cdk-hnb659fds-{name}-role-123456789012-us-east-1"
        for name in ("deploy", "file-publishing", "lookup")
    ]


def test_image_may_push_to_its_own_repository_alone() -> None:
    rights = granted(committed(), "dev-image")
    assert rights.pop("ecr:GetAuthorizationToken") == ["*"]
    assert {resource for resources in rights.values() for resource in resources} == {
        "arn:aws:ecr:us-east-1:123456789012:repository/tideline-dev"
    }


def test_the_second_environment_may_pull_from_the_first_and_push_only_to_its_own() -> None:
    rights = granted(variant("s3", ("dev", "prod")), "prod-image")
    assert rights["ecr:PutImage"] == ["arn:aws:ecr:us-east-1:123456789012:repository/tideline-prod"]
    assert "arn:aws:ecr:us-east-1:123456789012:repository/tideline-dev" in rights["ecr:BatchGetImage"]
    assert commands(variant("s3", ("dev", "prod")), "prod-image")[1].endswith("--from dev")


def test_prove_may_ask_the_endpoint() -> None:
    endpoint = "arn:aws:sagemaker:us-east-1:123456789012:endpoint/tideline-dev"
    assert granted(committed(), "dev-prove")["sagemaker:InvokeEndpoint"] == [endpoint]


def test_only_the_project_that_builds_images_is_privileged() -> None:
    privileged = [
        r.properties["Name"]
        for r in committed().of_type("AWS::CodeBuild::Project")
        if r.properties["Environment"]["PrivilegedMode"]
    ]
    assert privileged == ["tideline-delivery-dev-image"]


def test_every_step_has_a_time_limit_a_log_that_expires_and_a_key() -> None:
    groups = {r.properties["LogGroupName"]: r for r in committed().of_type("AWS::Logs::LogGroup")}
    for found in committed().of_type("AWS::CodeBuild::Project"):
        assert found.properties["TimeoutInMinutes"] <= 90
        assert found.properties["EncryptionKey"]
        group = groups[f"/aws/codebuild/{found.properties['Name']}"]
        assert (group.properties["RetentionInDays"], bool(group.properties["KmsKeyId"])) == (90, True)
    (wait,) = stages(committed())["dev-Wait"]["Actions"]
    assert wait["TimeoutInMinutes"] == 2 * 24 * 60


def test_a_stage_that_can_be_tried_again_is_and_a_deploy_goes_back() -> None:
    on_failure = {name: s.get("OnFailure", {}).get("Result") for name, s in stages(committed()).items()}
    assert on_failure == {
        **dict.fromkeys(("Source", "Verify", "dev-Wait", "dev-Prove")),
        **dict.fromkeys(("dev-Image", "dev-Train"), "RETRY"),
        "dev-Deploy": "ROLLBACK",
    }


@pytest.mark.parametrize(
    ("stage", "variable", "value"),
    [("dev-Wait", "#{devTrain.TRAINING}", "started"), ("dev-Prove", "#{devTrain.SERVES}", "yes")],
)
def test_what_has_nothing_to_wait_for_or_to_prove_is_skipped(stage: str, variable: str, value: str) -> None:
    (condition,) = stages(committed())[stage]["BeforeEntry"]["Conditions"]
    (rule,) = condition["Rules"]
    assert condition["Result"] == "SKIP"
    assert rule["Configuration"] == {"Variable": variable, "Value": value, "Operator": "EQ"}


def test_a_variable_that_a_stage_uses_is_exported_by_an_earlier_one() -> None:
    for found in (committed(), variant("s3", ("dev", "prod"))):
        exported = {"codepipeline.PipelineExecutionId"}
        (raw,) = (r.raw for r in found.of_type("AWS::CodePipeline::Pipeline"))
        for stage in raw["Properties"]["Stages"]:
            names = {part.split("}")[0] for part in json.dumps(stage).split("#{")[1:]}
            assert names <= exported, stage["Name"]
            for action in stage["Actions"]:
                if "ProjectName" in action["Configuration"] and "Namespace" in action:
                    project_id = action["Configuration"]["ProjectName"]["Ref"]
                    (built,) = (r for r in found.resources if r.logical_id == project_id)
                    spec = json.loads(built.properties["Source"]["BuildSpec"])
                    exported |= {f"{action['Namespace']}.{n}" for n in spec["env"]["exported-variables"]}


def test_a_second_push_overtakes_by_default_and_stands_in_line_by_choice() -> None:
    assert pipeline(committed())["ExecutionMode"] == "SUPERSEDED"
    assert pipeline(synthesise(delivery(execution="queued")))["ExecutionMode"] == "QUEUED"


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
    assert [rule.logical_id[:9] for rule in delivery.of_type("AWS::Events::Rule")] == ["OnFailure"]


def test_a_pull_request_is_checked_by_a_pipeline_that_deploys_nothing() -> None:
    (checks,) = (
        r for r in variant("connection").of_type("AWS::CodePipeline::Pipeline") if r.logical_id == "Checks"
    )
    assert [stage["Name"] for stage in checks.properties["Stages"]] == ["Source", "Verify"]
    (trigger,) = checks.properties["Triggers"]
    (request,) = trigger["GitConfiguration"]["PullRequest"]
    assert request["Branches"] == {"Includes": ["main"]}


def test_a_failed_push_or_check_is_told_to_people_in_a_sentence() -> None:
    rule = variant("connection").one("AWS::Events::Rule", "OnFailure").raw["Properties"]
    wanted = {"pipeline": [{"Ref": "Pipeline"}, {"Ref": "Checks"}], "state": ["FAILED"]}
    assert rule["EventPattern"]["detail"] == wanted
    (target,) = rule["Targets"]
    assert target["InputTransformer"]["InputTemplate"].startswith('"A push failed in <detail-pipeline>.')


def test_a_rule_may_use_the_key_for_this_stack_s_topics_and_this_account_s_queues_alone() -> None:
    policy = committed().one("AWS::KMS::Key").raw["Properties"]["KeyPolicy"]["Statement"]
    conditions = [
        one["Condition"] for one in policy if one["Principal"] == {"Service": "events.amazonaws.com"}
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
        assert told.startswith("A push failed in tideline-delivery-checks.")


def test_codecommit_starts_the_pipeline_by_its_branch() -> None:
    rule = variant("codecommit").one("AWS::Events::Rule", "OnPush").properties["EventPattern"]
    assert rule["resources"] == ["arn:aws:codecommit:us-east-1:123456789012:model"]
    assert rule["detail"]["referenceName"] == ["main"]


def test_a_brought_bucket_is_read_and_not_made() -> None:
    names = [b.logical_id for b in variant("brought bucket").of_type("AWS::S3::Bucket")]
    assert not [name for name in names if name.startswith("Source")]
    (source,) = stages(variant("brought bucket"))["Source"]["Actions"]
    assert source["Configuration"]["S3Bucket"] == "a-bucket-that-exists"


def test_no_bucket_is_public_and_all_that_is_kept_lies_under_the_delivery_s_key() -> None:
    for bucket in committed().of_type("AWS::S3::Bucket"):
        assert set(bucket.properties["PublicAccessBlockConfiguration"].values()) == {True}
        rule = bucket.properties["LifecycleConfiguration"]["Rules"][0]
        assert rule["NoncurrentVersionExpiration"]["NoncurrentDays"] == 30
    store = pipeline(committed())["ArtifactStore"]
    assert store["EncryptionKey"]["Type"] == "KMS"
