"""The delivery stack: what a bare `cdk deploy` deploys, what each step may do, and what a push cannot do."""

from __future__ import annotations

import json

import pytest

from config.schema import ROOT
from tests.stacks.delivery_synthesis import (
    committed,
    delivery,
    pipeline,
    stages,
    synthesise,
    variant,
)
from tests.stacks.synthesis import Deployment, Resource, listed


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


def test_no_bucket_is_public_and_all_that_is_kept_lies_under_the_delivery_s_key() -> None:
    for bucket in committed().of_type("AWS::S3::Bucket"):
        assert set(bucket.properties["PublicAccessBlockConfiguration"].values()) == {True}
        rule = bucket.properties["LifecycleConfiguration"]["Rules"][0]
        assert rule["NoncurrentVersionExpiration"]["NoncurrentDays"] == 30
    store = pipeline(committed())["ArtifactStore"]
    assert store["EncryptionKey"]["Type"] == "KMS"
