"""Serving without instances: nothing that SageMaker refuses, and a server that may capture by itself."""

from __future__ import annotations

from typing import Any

import pytest

from config.schema import Serving
from stacks.rollback_lint import findings
from stacks.template_values import Templates
from tests.stacks import synthesis
from tests.stacks.synthesis import Deployment
from tests.stacks.test_serving import record, released

CONFIG = synthesis.DEV.model_copy(update={"environment": "sparse", "serving": Serving(mode="serverless")})


@pytest.fixture(scope="module")
def sparse() -> Deployment:
    return synthesis.synthesise(CONFIG)


def test_the_endpoint_has_memory_and_no_instances(sparse: Deployment) -> None:
    config = released(sparse, "AWS::SageMaker::EndpointConfig", record("ml.c5.large"))
    (variant,) = config["ProductionVariants"]
    assert variant["ServerlessConfig"] == {"MemorySizeInMB": 2048, "MaxConcurrency": 10}
    assert not {"InstanceType", "InitialInstanceCount", "InstancePools"} & variant.keys()


def test_nothing_is_asked_for_that_sagemaker_has_not_for_it(sparse: Deployment) -> None:
    config = released(sparse, "AWS::SageMaker::EndpointConfig", record("ml.c5.large"))
    endpoint = released(sparse, "AWS::SageMaker::Endpoint", record("ml.c5.large"))
    model = released(sparse, "AWS::SageMaker::Model", record("ml.c5.large"))
    assert not {"DataCaptureConfig", "KmsKeyId"} & config.keys()
    assert "DeploymentConfig" not in endpoint
    assert not {"EnableNetworkIsolation", "VpcConfig"} & model.keys()
    assert [r.kind for r in sparse.resources if r.part == "serving" and "Alarm" in r.kind] == []


def test_the_server_captures_where_the_watch_looks_and_its_role_may_write(sparse: Deployment) -> None:
    model = released(sparse, "AWS::SageMaker::Model", record("ml.c5.large"))
    environment: dict[str, Any] = model["PrimaryContainer"]["Environment"]
    folder = environment["TIDELINE_CAPTURE"]
    assert folder.endswith("/capture/tideline-sparse/live")
    assert environment["TIDELINE_CAPTURE_PERCENT"] == "100"
    bucket, _, key = folder.removeprefix("s3://").partition("/")
    role = model["ExecutionRoleArn"].rpartition("/")[2]
    writable = [
        resource
        for statement in sparse.policies_of(role)
        if "s3:PutObject" in synthesis.listed(statement["Action"])
        for resource in synthesis.listed(statement["Resource"])
    ]
    assert writable == [f"arn:aws:s3:::{bucket}/capture/tideline-sparse/*"]
    assert key == "capture/tideline-sparse/live"


def test_the_lint_of_rollback_alarms_asks_none_of_it(sparse: Deployment) -> None:
    assert list(findings(Templates(sparse.templates))) == []


def test_a_month_without_a_request_costs_no_instance(sparse: Deployment) -> None:
    assert float(sparse.templates["serving"]["Outputs"]["IdleUsdPerMonth"]["Value"]) < 10
