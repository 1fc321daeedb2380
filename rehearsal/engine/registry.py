"""The SageMaker model registry: groups, versioned packages, and an event on every change."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from rehearsal.engine.account import Account
from rehearsal.engine.clock import event_time
from rehearsal.engine.jobs import page
from rehearsal.engine.moto_seams import sagemaker as seam

EVENT = "SageMaker Model Package State Change"
NOT_DESCRIBED = ("Tags", "ClientToken", "ValidationSpecification")
REPLACED = (
    "ModelApprovalStatus",
    "ApprovalDescription",
    "InferenceSpecification",
    "SourceUri",
    "ModelCard",
    "ModelLifeCycle",
    "ModelPackageRegistrationType",
)
SUMMARISED = (
    "ModelPackageName",
    "ModelPackageGroupName",
    "ModelPackageVersion",
    "ModelPackageArn",
    "ModelPackageDescription",
    "CreationTime",
    "ModelPackageStatus",
    "ModelApprovalStatus",
    "ModelLifeCycle",
)
TOLD = (
    *SUMMARISED,
    "InferenceSpecification",
    "ModelPackageStatusDetails",
    "CertifyForMarketplace",
    "MetadataProperties",
    "ModelMetrics",
    "CustomerMetadataProperties",
    "ApprovalDescription",
    "LastModifiedTime",
)


class Registry:
    """The groups and packages of an account: the API's handlers."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._groups: dict[str, dict[str, Any]] = {}
        self._packages: dict[str, dict[str, Any]] = {}  # by ARN
        self._last_version: dict[str, int] = {}  # a deleted version's number is not used again

    def create_group(self, request: dict[str, Any]) -> dict[str, Any]:
        name = request["ModelPackageGroupName"]
        if name in self._groups:
            raise seam.error(
                "ValidationException", f"Model Package Group already exists: {self._arn('group', name)}"
            )
        self._groups[name] = {
            **{key: value for key, value in request.items() if key != "Tags"},
            "ModelPackageGroupArn": self._arn("group", name),
            "ModelPackageGroupStatus": "Completed",
            "CreationTime": self._account.clock.now(),
            "CreatedBy": {},
        }
        return {"ModelPackageGroupArn": self._arn("group", name)}

    def describe_group(self, request: dict[str, Any]) -> dict[str, Any]:
        return self._group(request["ModelPackageGroupName"])

    def list_groups(self, request: dict[str, Any]) -> dict[str, Any]:
        wanted = request.get("NameContains", "")
        found = [group for name, group in self._groups.items() if wanted in name]
        return page(found, request, "ModelPackageGroupSummaryList")

    def delete_group(self, request: dict[str, Any]) -> None:
        name = self._group(request["ModelPackageGroupName"])["ModelPackageGroupName"]
        if any(package.get("ModelPackageGroupName") == name for package in self._packages.values()):
            raise seam.error("ConflictException", f"Model Package Group {name} still has model packages")
        del self._groups[name]

    def create(self, request: dict[str, Any]) -> dict[str, Any]:
        identity = self._identity(request)
        now = self._account.clock.now()
        package = {
            **{key: value for key, value in request.items() if key not in NOT_DESCRIBED},
            **identity,
            "CreationTime": now,
            "LastModifiedTime": now,
            "ModelPackageStatus": "Completed",
            "ModelPackageStatusDetails": {"ValidationStatuses": [], "ImageScanStatuses": []},
            "CertifyForMarketplace": request.get("CertifyForMarketplace", False),
        }
        if "ModelPackageGroupName" in identity:
            package.setdefault("ModelApprovalStatus", "PendingManualApproval")
        self._packages[identity["ModelPackageArn"]] = package
        self._tell(package, None)
        return {"ModelPackageArn": identity["ModelPackageArn"]}

    def _identity(self, request: dict[str, Any]) -> dict[str, Any]:
        """A versioned package has a group and the next number, any other a name."""
        if ("ModelPackageGroupName" in request) == ("ModelPackageName" in request):
            raise seam.error(
                "ValidationException", "Give exactly one of ModelPackageGroupName and ModelPackageName"
            )
        if "ModelPackageName" in request:
            arn = self._arn("", request["ModelPackageName"])
            if arn in self._packages:
                raise seam.error("ConflictException", f"Model package already exists: {arn}")
            return {"ModelPackageArn": arn}
        name = self._group(request["ModelPackageGroupName"])["ModelPackageGroupName"]
        version = self._last_version[name] = self._last_version.get(name, 0) + 1
        return {
            "ModelPackageGroupName": name,
            "ModelPackageVersion": version,
            "ModelPackageArn": self._arn("", f"{name}/{version}"),
        }

    def describe(self, request: dict[str, Any]) -> dict[str, Any]:
        return self._package(request["ModelPackageName"])

    def update(self, request: dict[str, Any]) -> dict[str, Any]:
        package = self._package(request.pop("ModelPackageArn"))
        changed = [key for key in REPLACED if key in request]
        package.update({key: request[key] for key in changed})
        if "CustomerMetadataProperties" in request or "CustomerMetadataPropertiesToRemove" in request:
            changed.append("CustomerMetadataProperties")
            removed = request.get("CustomerMetadataPropertiesToRemove", [])
            kept = {
                **package.get("CustomerMetadataProperties", {}),
                **request.get("CustomerMetadataProperties", {}),
            }
            package["CustomerMetadataProperties"] = {
                key: value for key, value in kept.items() if key not in removed
            }
        if "AdditionalInferenceSpecificationsToAdd" in request:
            changed.append("AdditionalInferenceSpecifications")
            package.setdefault("AdditionalInferenceSpecifications", []).extend(
                request["AdditionalInferenceSpecificationsToAdd"]
            )
        package["LastModifiedTime"] = self._account.clock.now()
        self._tell(package, changed)
        return {"ModelPackageArn": package["ModelPackageArn"]}

    def delete(self, request: dict[str, Any]) -> None:
        del self._packages[self._package(request["ModelPackageName"])["ModelPackageArn"]]

    def list_packages(self, request: dict[str, Any]) -> dict[str, Any]:
        found = [package for package in self._packages.values() if self._is_wanted(package, request)]
        summaries = [{key: package[key] for key in SUMMARISED if key in package} for package in found]
        return page(summaries, request, "ModelPackageSummaryList")

    def _is_wanted(self, package: dict[str, Any], request: dict[str, Any]) -> bool:
        group = package.get("ModelPackageGroupName")
        wanted_group = request.get("ModelPackageGroupName")
        if wanted_group and group not in (wanted_group, wanted_group.rpartition("/")[2]):
            return False
        kind = request.get("ModelPackageType", "Versioned" if wanted_group else "Unversioned")
        if kind != "Both" and (kind == "Versioned") != (group is not None):
            return False
        created: datetime = package["CreationTime"]
        return (
            request.get("ModelApprovalStatus") in (None, package.get("ModelApprovalStatus"))
            and request.get("NameContains", "") in (group or package.get("ModelPackageName", ""))
            and created >= request.get("CreationTimeAfter", created)
            and created <= request.get("CreationTimeBefore", created)
        )

    def _arn(self, kind: str, name: str) -> str:
        resource = "model-package-group" if kind == "group" else "model-package"
        return f"arn:aws:sagemaker:{self._account.region}:{self._account.id}:{resource}/{name}"

    def _group(self, name_or_arn: str) -> dict[str, Any]:
        name = name_or_arn.rpartition("/")[2]
        if name not in self._groups:
            raise seam.error(
                "ValidationException", f"Model Package Group {self._arn('group', name)} does not exist."
            )
        return self._groups[name]

    def _package(self, name_or_arn: str) -> dict[str, Any]:
        arn = name_or_arn if name_or_arn.startswith("arn:") else self._arn("", name_or_arn)
        if arn not in self._packages:
            raise seam.error("ValidationException", f"ModelPackage {arn} does not exist.")
        return self._packages[arn]

    def _tell(self, package: dict[str, Any], changed: list[str] | None) -> None:
        """The journal now, and the event later: the caller may be in a request."""
        self._account.journal.write(
            "package",
            arn=package["ModelPackageArn"],
            group=package.get("ModelPackageGroupName"),
            status=package.get("ModelApprovalStatus"),
        )
        detail = {key: package[key] for key in TOLD if key in package}
        if changed is not None:
            detail["UpdatedModelPackageFields"] = changed
        plain = json.loads(json.dumps(detail, default=event_time))
        arn = package["ModelPackageArn"]
        self._account.defer(
            f"event of {arn}", lambda: self._account.put_event("aws.sagemaker", EVENT, plain, [arn])
        )


def install(account: Account) -> None:
    """Let this account's registry answer."""
    registry = Registry(account)
    seam.answer(
        account,
        {
            "CreateModelPackageGroup": registry.create_group,
            "DescribeModelPackageGroup": registry.describe_group,
            "ListModelPackageGroups": registry.list_groups,
            "DeleteModelPackageGroup": registry.delete_group,
            "CreateModelPackage": registry.create,
            "DescribeModelPackage": registry.describe,
            "UpdateModelPackage": registry.update,
            "DeleteModelPackage": registry.delete,
            "ListModelPackages": registry.list_packages,
        },
    )
