"""Logical ids that must never change: CloudFormation would make a new, empty resource and let go of the old one."""

from __future__ import annotations

from tests.stacks.synthesis import Deployment

PINNED = {
    "Key961B73FD": "AWS::KMS::Key",
    "SigningKeyEEFC2790": "AWS::KMS::Key",
    "Data666C94C7": "AWS::S3::Bucket",
    "ArtefactsC012E42A": "AWS::S3::Bucket",
    "Capture4F9379E3": "AWS::S3::Bucket",
    "AccessLogs8B620ECA": "AWS::S3::Bucket",
    "LedgerB7379752": "AWS::DynamoDB::Table",
    "Images2D38C313": "AWS::ECR::Repository",
    "Packages": "AWS::SageMaker::ModelPackageGroup",
    "Endpoint": "AWS::SageMaker::Endpoint",
}


def test_what_holds_data_or_serves_keeps_its_logical_id(dev: Deployment, prod: Deployment) -> None:
    kinds = set(PINNED.values())
    for deployment in (dev, prod):
        assert {r.logical_id: r.kind for r in deployment.resources if r.kind in kinds} == PINNED


def test_what_outside_callers_need_keeps_its_name(dev: Deployment) -> None:
    """An application knows the endpoint, a build the repository, people the group and the ledger's key."""
    assert dev.one("AWS::SageMaker::Endpoint").properties["EndpointName"] == "tideline-dev"
    assert dev.one("AWS::ECR::Repository").properties["RepositoryName"] == "tideline-dev"
    assert dev.one("AWS::SageMaker::ModelPackageGroup").properties["ModelPackageGroupName"] == "tideline-dev"
    assert dev.one("AWS::KMS::Alias", "Key").properties["AliasName"] == "alias/tideline-dev"
