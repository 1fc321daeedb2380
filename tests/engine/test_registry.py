"""The model registry keeps what a package was registered with, and tells of every change."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.engine.sagemaker_world import World, world

__all__ = ["world"]

EVENT = "SageMaker Model Package State Change"


@pytest.fixture
def group(world: World, request: pytest.FixtureRequest) -> str:
    """A model package group of the test's own."""
    name = "g-" + str(request.node.name)[-50:].strip("_").replace("_", "-")
    world.sagemaker.create_model_package_group(ModelPackageGroupName=name)
    return name


def package(world: World, **more: Any) -> dict[str, Any]:
    """The request of a package with everything that a release reads back."""
    report = {"ContentType": "application/json", "S3Uri": "s3://data/report.json"}
    return {
        "InferenceSpecification": {
            "Containers": [{"Image": world.image, "ModelDataUrl": "s3://data/model.tar.gz"}],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/csv"],
            "SupportedRealtimeInferenceInstanceTypes": ["ml.c7i.large"],
        },
        "ModelMetrics": {"ModelQuality": {"Statistics": report}},
        "DriftCheckBaselines": {"ModelDataQuality": {"Statistics": report}},
        "CustomerMetadataProperties": {"commit": "abc"},
        **more,
    }


def registered(world: World, group: str, **more: Any) -> str:
    request = package(world, ModelPackageGroupName=group, **more)
    arn: str = world.sagemaker.create_model_package(**request)["ModelPackageArn"]
    return arn


def test_a_package_gives_back_what_it_was_registered_with(world: World, group: str) -> None:
    arn = registered(world, group)
    described = world.sagemaker.describe_model_package(ModelPackageName=arn)

    assert {key: described[key] for key in package(world)} == package(world)
    assert (described["ModelPackageVersion"], described["ModelPackageStatus"]) == (1, "Completed")
    assert described["ModelApprovalStatus"] == "PendingManualApproval"


def test_versions_count_up_within_a_group_and_are_not_used_twice(world: World, group: str) -> None:
    first, second = registered(world, group), registered(world, group)
    world.sagemaker.delete_model_package(ModelPackageName=second)
    third = registered(world, group)

    assert [arn.rpartition("/")[2] for arn in (first, second, third)] == ["1", "2", "3"]
    assert first.endswith(f":model-package/{group}/1")


def test_an_approval_is_an_event_that_names_the_changed_field(world: World, group: str) -> None:
    arn = registered(world, group)
    world.sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")
    world.account.pump()
    created, approved = [detail for detail in world.events(EVENT) if detail["ModelPackageGroupName"] == group]

    assert created["ModelApprovalStatus"] == "PendingManualApproval"
    assert "UpdatedModelPackageFields" not in created
    assert approved["ModelApprovalStatus"] == "Approved"
    assert approved["UpdatedModelPackageFields"] == ["ModelApprovalStatus"]
    assert (approved["ModelPackageArn"], approved["ModelPackageVersion"]) == (arn, 1)


def test_metadata_is_merged_and_removed(world: World, group: str) -> None:
    arn = registered(world, group)
    world.sagemaker.update_model_package(
        ModelPackageArn=arn,
        CustomerMetadataProperties={"release": "7", "note": "x"},
        CustomerMetadataPropertiesToRemove=["note"],
    )
    described = world.sagemaker.describe_model_package(ModelPackageName=arn)

    assert described["CustomerMetadataProperties"] == {"commit": "abc", "release": "7"}


def test_a_list_is_filtered_by_group_and_approval_newest_first(world: World, group: str) -> None:
    arns = [registered(world, group) for _ in range(3)]
    for arn in arns[1:]:
        world.sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")
    listed = world.sagemaker.list_model_packages(ModelPackageGroupName=group, ModelApprovalStatus="Approved")

    assert [item["ModelPackageArn"] for item in listed["ModelPackageSummaryList"]] == [arns[2], arns[1]]


def test_a_list_comes_in_pages(world: World, group: str) -> None:
    arns = [registered(world, group) for _ in range(3)]
    pages = world.sagemaker.get_paginator("list_model_packages").paginate(
        ModelPackageGroupName=group, SortOrder="Ascending", PaginationConfig={"PageSize": 2}
    )

    assert [[item["ModelPackageArn"] for item in page["ModelPackageSummaryList"]] for page in pages] == [
        arns[:2],
        arns[2:],
    ]


def test_a_group_with_packages_is_not_deleted(world: World, group: str) -> None:
    arn = registered(world, group)
    with pytest.raises(world.sagemaker.exceptions.ConflictException):
        world.sagemaker.delete_model_package_group(ModelPackageGroupName=group)

    world.sagemaker.delete_model_package(ModelPackageName=arn)
    world.sagemaker.delete_model_package_group(ModelPackageGroupName=group)
    with pytest.raises(ClientError, match="does not exist"):
        world.sagemaker.describe_model_package_group(ModelPackageGroupName=group)


def test_an_instance_type_that_sagemaker_does_not_know_is_refused(world: World, group: str) -> None:
    request = package(world, ModelPackageGroupName=group)
    request["InferenceSpecification"]["SupportedRealtimeInferenceInstanceTypes"] = ["ml.c7i.tiny"]

    with pytest.raises(ClientError, match=r"ml.c7i.tiny.*enum value set"):
        world.sagemaker.create_model_package(**request)
