"""What a destroy removes and what it leaves, as docs/upgrading.md says: by the templates that are deployed."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from rehearsal.engine import Account
from rehearsal.engine.cloudformation import assembly as assemblies
from rehearsal.engine.cloudformation import deployed
from rehearsal.engine.cloudformation.assembly import DeploymentFailed

PASSING = ["small-dev-training", "small-dev-serving", "small-dev-monitoring", "small-dev-retraining"]
DATA = {"buckets": 4, "tables": 1, "repositories": 1, "groups": 1, "keys": 2}
STORAGE = "small-dev-storage"


def test_a_destroy_leaves_the_protected_storage_and_then_what_holds_data_alone(
    assembly: Path, tmp_path: Path
) -> None:
    with Account(start=datetime(2026, 1, 1, tzinfo=UTC), directory=tmp_path) as account:
        directory = assembly / "assembly-dev"
        assemblies.deploy(account, directory)
        assemblies.destroy(account, directory, only=PASSING)
        assert {one.stack for one in deployed.resources(account)} == {STORAGE}
        assert left_over(account) == {**DATA, "roles": 2}  # the model's, and Serving's own

        with pytest.raises(Exception, match="TerminationProtection is enabled"):
            assemblies.destroy(account, directory, only=[STORAGE])
        account.client("cloudformation").update_termination_protection(
            StackName=STORAGE, EnableTerminationProtection=False
        )
        assemblies.destroy(account, directory, only=[STORAGE])
        assert deployed.resources(account) == []
        assert left_over(account) == DATA
        with pytest.raises(DeploymentFailed, match="already exists"):  # the names that are fixed
            assemblies.deploy(account, directory)


def left_over(account: Account) -> Counter[str]:
    """How many things of the deployment there are, by kind; the bootstrap's own are not counted."""
    buckets = [one["Name"] for one in account.client("s3").list_buckets()["Buckets"]]
    roles = [one["RoleName"] for one in account.client("iam").list_roles()["Roles"]]
    found = {
        "buckets": [name for name in buckets if name.startswith("small-")],
        "roles": [name for name in roles if name.startswith("small-")],
        "tables": account.client("dynamodb").list_tables()["TableNames"],
        "repositories": [
            one for one in account.client("ecr").describe_repositories()["repositories"]
            if one["repositoryName"].startswith("small-")
        ],
        "groups": account.client("sagemaker").list_model_package_groups()["ModelPackageGroupSummaryList"],
        "keys": account.client("kms").list_keys()["Keys"],
        "functions": account.client("lambda").list_functions()["Functions"],
        "queues": account.client("sqs").list_queues().get("QueueUrls", []),
        "topics": account.client("sns").list_topics()["Topics"],
        "rules": account.client("events").list_rules()["Rules"],
        "alarms": account.client("cloudwatch").describe_alarms()["MetricAlarms"],
        "dashboards": account.client("cloudwatch").list_dashboards()["DashboardEntries"],
        "log groups": account.client("logs").describe_log_groups()["logGroups"],
        "pipelines": account.client("sagemaker").list_pipelines()["PipelineSummaries"],
        "mappings": account.client("lambda").list_event_source_mappings()["EventSourceMappings"],
    }  # fmt: skip
    return Counter({kind: len(things) for kind, things in found.items() if things})
