"""What every function has: dead letters, logs that expire, traces, an encrypted environment, one asset."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from config.schema import ROOT
from stacks.functions import PACKAGED
from tests.stacks.synthesis import Deployment, Resource, listed


def statements(deployment: Deployment, function: Resource) -> list[dict]:
    return list(deployment.policies_of(function.properties["Role"].rsplit("/", 1)[1]))


def test_every_function_has_its_own_role(deployment: Deployment) -> None:
    roles = [f.properties["Role"] for f in deployment.of_type("AWS::Lambda::Function")]
    assert len(roles) == len(set(roles)) >= 8


def test_every_function_keeps_what_failed_and_may_write_it_under_the_key(deployment: Deployment) -> None:
    queues = {
        deployment.resolve(q.part, {"Fn::GetAtt": [q.logical_id, "Arn"]})
        for q in deployment.of_type("AWS::SQS::Queue")
    }
    for function in deployment.of_type("AWS::Lambda::Function"):
        dead_letters = function.properties["DeadLetterConfig"]["TargetArn"]
        assert dead_letters in queues
        allowed = statements(deployment, function)
        assert any(s["Action"] == "sqs:SendMessage" and s["Resource"] == dead_letters for s in allowed)
        keys = [s for s in allowed if "kms:GenerateDataKey" in listed(s["Action"])]
        assert function.properties["KmsKeyArn"] in [s["Resource"] for s in keys], function.logical_id


def test_every_function_logs_json_to_its_own_group_that_expires(deployment: Deployment) -> None:
    groups = {g.properties["LogGroupName"]: g for g in deployment.of_type("AWS::Logs::LogGroup")}
    functions = deployment.of_type("AWS::Lambda::Function")
    assert len(groups) == len(functions)
    for function in functions:
        group = f"/aws/lambda/{function.properties['FunctionName']}"
        assert function.properties["LoggingConfig"] == {"LogFormat": "JSON", "LogGroup": group}
        assert groups[group].properties["RetentionInDays"] == deployment.config.log_retention_days
        assert groups[group].raw["DeletionPolicy"] == "Delete"


def test_every_function_is_traced_and_ends(deployment: Deployment) -> None:
    for function in deployment.of_type("AWS::Lambda::Function"):
        assert function.properties["TracingConfig"] == {"Mode": "Active"}
        assert 0 < function.properties["Timeout"] <= 900
        assert function.properties["Runtime"] == "python3.13"


def test_every_rule_tries_for_a_day_and_then_keeps_the_event(deployment: Deployment) -> None:
    rules = deployment.of_type("AWS::Events::Rule")
    assert len(rules) == 10
    for rule in rules:
        (target,) = rule.properties["Targets"]
        assert target["RetryPolicy"]["MaximumRetryAttempts"] == 185, rule.logical_id
        policies = [
            policy.properties["PolicyDocument"]["Statement"]
            for policy in deployment.of_type("AWS::SQS::QueuePolicy")
            if target["DeadLetterConfig"]["Arn"].endswith(
                tuple(url.rsplit("/", 1)[1] for url in policy.properties["Queues"])
            )
        ]
        source = {
            "ArnEquals": {
                "aws:SourceArn": deployment.resolve(rule.part, {"Fn::GetAtt": [rule.logical_id, "Arn"]})
            }
        }
        assert source in [s.get("Condition") for statements in policies for s in statements], rule.logical_id


def test_every_function_that_a_rule_starts_lets_that_rule(deployment: Deployment) -> None:
    permissions = [p.properties for p in deployment.of_type("AWS::Lambda::Permission")]
    assert all(p["Principal"] == "events.amazonaws.com" for p in permissions)
    allowed = {(p["FunctionName"], p["SourceArn"]) for p in permissions}
    for rule in deployment.of_type("AWS::Events::Rule"):
        (target,) = rule.properties["Targets"]
        if ":function:" in target["Arn"]:
            source = deployment.resolve(rule.part, {"Fn::GetAtt": [rule.logical_id, "Arn"]})
            assert (target["Arn"], source) in allowed, rule.logical_id


def test_the_alarm_s_queue_waits_six_times_as_long_as_its_function_may_take(dev: Deployment) -> None:
    source = dev.one("AWS::Lambda::EventSourceMapping").properties
    assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    queue = dev.one("AWS::SQS::Queue", "Alarms")
    assert source["EventSourceArn"].endswith(queue.logical_id.lower())
    assert queue.properties["VisibilityTimeout"] >= 6 * dev.function("retrain").properties["Timeout"]
    assert queue.properties["RedrivePolicy"]["maxReceiveCount"] == 5


def test_messages_are_kept_fourteen_days(deployment: Deployment) -> None:
    days = {q.properties["MessageRetentionPeriod"] / 86400 for q in deployment.of_type("AWS::SQS::Queue")}
    assert days == {14}


def test_all_functions_but_the_one_that_brings_packages_share_one_asset(
    dev: Deployment, prod: Deployment
) -> None:
    functions = [*dev.of_type("AWS::Lambda::Function"), *prod.of_type("AWS::Lambda::Function")]
    with_packages = {d.function("check_drift").properties["Code"]["S3Key"] for d in (dev, prod)}
    rest = [f for f in functions if f.properties["Handler"] != "lambdas.check_drift.handler"]
    shared = {f.properties["Code"]["S3Key"] for f in rest}
    assert (len(shared), len(with_packages), shared & with_packages) == (1, 1, set())


def test_the_asset_holds_the_packages_and_nothing_else(dev: Deployment) -> None:
    held = [
        [path.relative_to(asset) for path in asset.rglob("*") if path.is_file()]
        for asset in dev.directory.glob("asset.*")
    ]
    files, with_lock = sorted(held, key=len)
    assert set(with_lock) - set(files) == {Path("lambdas/requirements.txt")}
    assert {str(path.parts[0]) for path in files} == {"domain", "lambdas", "config"}
    assert [str(p) for p in files if p.parts[0] == "config" and p.parts[1] != "prices"] == []
    assert [str(p) for p in files if "__pycache__" in p.parts or p.suffix == ".pyc"] == []
    wanted = {p.relative_to(ROOT) for top in ("domain", "lambdas") for p in (ROOT / top).rglob("*.py")}
    assert wanted <= set(files)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The packaged folders, away from the repository."""
    for packaged in PACKAGED:
        shutil.copytree(ROOT / packaged, tmp_path / packaged, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def asset_hash(root: Path) -> str:
    import aws_cdk as cdk

    from stacks.functions import lambda_package

    stack = cdk.Stack(cdk.App(), "Stack")
    location = lambda_package(root).bind(stack).s3_location
    assert location is not None
    return location.object_key


def add_cache(root: Path) -> None:
    (root / "domain" / "__pycache__").mkdir()
    (root / "domain" / "__pycache__" / "names.cpython-311.pyc").write_bytes(b"x")


def add_other_folder(root: Path) -> None:
    (root / "training").mkdir()
    (root / "training" / "model.py").write_text("x = 1\n")


def add_config(root: Path) -> None:
    (root / "config" / "dev.yaml").write_text("name: other\n")


@pytest.mark.parametrize("change", [add_cache, add_other_folder, add_config])
def test_the_asset_s_hash_ignores_caches_and_other_folders(
    copy: Path, change: Callable[[Path], None]
) -> None:
    before = asset_hash(copy)
    change(copy)
    assert asset_hash(copy) == before


@pytest.mark.parametrize("file", ["domain/names.py", "lambdas/aws.py", "config/prices/us-east-1.csv"])
def test_the_asset_s_hash_follows_what_is_packaged(copy: Path, file: str) -> None:
    before = asset_hash(copy)
    with (copy / file).open("a") as text:
        text.write("# changed\n")
    assert asset_hash(copy) != before
