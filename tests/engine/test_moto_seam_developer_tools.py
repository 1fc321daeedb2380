"""Contracts with moto 5.2.5: what our CodePipeline, CodeBuild and Service Quotas rely on, and that all is undone."""

from __future__ import annotations

from pathlib import Path

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from moto.codebuild.responses import CodeBuildResponse
from moto.codepipeline.responses import CodePipelineResponse
from moto.servicequotas.responses import ServiceQuotasResponse

from rehearsal.engine.moto_seams import developer_tools as seam
from tests.engine.delivery_world import world


def operations() -> dict[str, object]:
    owners = (CodePipelineResponse, CodeBuildResponse, ServiceQuotasResponse)
    return {
        f"{owner.__name__}.{name}": value
        for owner in owners
        for name, value in vars(owner).items()
        if not name.startswith("__")
    }


def test_requests_answers_and_errors_travel_and_all_is_as_before_once_the_account_is_closed(
    tmp_path: Path,
) -> None:
    before = operations()
    with world(tmp_path / "account") as delivery:
        account = delivery.account

        def echo(request: dict[str, object]) -> dict[str, object]:
            if request["name"] == "missing":
                raise seam.error("PipelineNotFoundException", "there is none")
            return {"pipeline": {"name": request["name"]}}

        seam.answer(account, "codepipeline", {"GetPipeline": echo})
        client = account.client("codepipeline")
        assert client.get_pipeline(name="there")["pipeline"] == {"name": "there"}
        with pytest.raises(client.exceptions.PipelineNotFoundException, match="there is none"):
            client.get_pipeline(name="missing")
        with pytest.raises(ClientError, match="codepipeline ListPipelines: not built"):
            client.list_pipelines()
        assert any(operations()[name] is not value for name, value in before.items())
    assert operations() == before


def test_plain_moto_still_answers_by_itself() -> None:
    with mock_aws():
        assert boto3.client("codebuild", region_name="us-east-1").list_projects()["projects"] == []


def test_quotas_come_in_pages_and_of_sagemaker_alone(tmp_path: Path) -> None:
    with world(tmp_path / "account") as delivery:
        client = delivery.account.client("service-quotas")
        pages = list(client.get_paginator("list_service_quotas").paginate(ServiceCode="sagemaker"))
        with pytest.raises(client.exceptions.NoSuchResourceException, match="there is: sagemaker"):
            client.list_service_quotas(ServiceCode="vpc")
    quotas = {one["QuotaName"]: one["Value"] for page in pages for one in page["Quotas"]}
    assert len(pages) > 1
    assert quotas["ml.m5.large for training job usage"] == 100
    assert quotas["ml.c5.large for endpoint usage"] == 100


def test_moto_itself_still_knows_no_quota_of_sagemaker() -> None:
    with mock_aws(), pytest.raises(ClientError, match="NoSuchResource"):
        boto3.client("service-quotas", region_name="us-east-1").list_aws_default_service_quotas(
            ServiceCode="sagemaker"
        )
