"""Deploys a cloud assembly, the unmodified output of `app.synth()`, as `cdk deploy --all` does."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from rehearsal.engine.account import Unsupported
from rehearsal.engine.cloudformation import resource_types
from rehearsal.engine.cloudformation.bootstrap import bootstrap
from rehearsal.engine.cloudformation.change_sets import NO_CHANGES

if TYPE_CHECKING:
    from rehearsal.engine.account import Account

EPOCH = (1980, 1, 1, 0, 0, 0)  # the oldest time that a zip can hold
CHANGE_SET = "cdk-deploy-change-set"
SUCCESS = ("CREATE_COMPLETE", "UPDATE_COMPLETE")
CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]


class DeploymentFailed(Exception):
    """A stack did not become what its template asks for."""


@dataclass(frozen=True)
class StackArtifact:
    """A stack of the assembly."""

    id: str
    display_name: str
    directory: Path
    properties: dict[str, Any]
    dependencies: tuple[str, ...]

    @property
    def name(self) -> str:
        return str(self.properties.get("stackName", self.id))

    @property
    def template(self) -> str:
        return (self.directory / str(self.properties["templateFile"])).read_text()


def deploy(
    account: Account,
    directory: Path,
    *,
    only: Sequence[str] | None = None,
    parameters: Mapping[str, Mapping[str, str]] = {},
) -> list[str]:
    """Create or update the assembly's stacks in the order of their dependencies; returns their names.

    `only` selects stacks by name; `parameters` are given by stack name. Parameters that a stack has
    already and that are not given keep their value, as with the CDK CLI.
    """
    stacks = _selected(directory, only)
    _check_parameter_stacks(stacks, parameters)
    for stack in stacks:
        resource_types.check(account, stack.name, json.loads(stack.template)["Resources"])
    bootstrap(account)
    for stack in stacks:
        for asset_manifest in _asset_manifests(stack):
            _publish(account, asset_manifest)
        _deploy(account, stack, parameters.get(stack.name, {}))
    return [stack.name for stack in stacks]


def destroy(account: Account, directory: Path, *, only: Sequence[str] | None = None) -> list[str]:
    """Delete the assembly's stacks, or those of these names, dependents first; returns their names."""
    names = [stack.name for stack in reversed(_selected(directory, only))]
    for name in names:
        if _describe(account, name):
            _delete(account, name)
    return names


def _delete(account: Account, name: str) -> None:
    cloudformation = account.client("cloudformation")
    stack_id = _describe(account, name)["StackId"]
    cloudformation.delete_stack(StackName=name)
    account.pump()
    stack = _describe(account, stack_id)
    if stack["StackStatus"] != "DELETE_COMPLETE":
        raise DeploymentFailed(_story(account, stack))


def _deploy(account: Account, stack: StackArtifact, given: Mapping[str, str]) -> None:
    cloudformation = account.client("cloudformation")
    current = _describe(account, stack.name)
    if current and current["StackStatus"] == "ROLLBACK_COMPLETE":  # as the CLI does with a failed creation
        _delete(account, stack.name)
        current = {}
    kept = {parameter["ParameterKey"] for parameter in current.get("Parameters", [])} - given.keys()
    declared = json.loads(stack.template).get("Parameters", {})
    request = {
        "StackName": stack.name,
        "TemplateBody": stack.template,
        "Capabilities": CAPABILITIES,
        "RoleARN": _resolved(account, stack.properties["cloudFormationExecutionRoleArn"]),
        "Tags": [{"Key": key, "Value": text} for key, text in stack.properties.get("tags", {}).items()],
        "Parameters": [
            *({"ParameterKey": key, "ParameterValue": text} for key, text in given.items()),
            *({"ParameterKey": key, "UsePreviousValue": True} for key in sorted(kept & declared.keys())),
        ],
    }
    protected = stack.properties.get("terminationProtection", False)
    if not current:
        cloudformation.create_stack(EnableTerminationProtection=protected, **request)
    else:
        is_changed = _update(account, request)
        if current.get("EnableTerminationProtection", False) != protected:
            cloudformation.update_termination_protection(
                StackName=stack.name, EnableTerminationProtection=protected
            )
        if not is_changed:
            return  # a success for the CLI, however the stack came to rest before
    account.advance_until(lambda: not _describe(account, stack.name)["StackStatus"].endswith("IN_PROGRESS"))
    after = _describe(account, stack.name)
    if after["StackStatus"] not in SUCCESS:
        raise DeploymentFailed(_story(account, after))


def _update(account: Account, request: dict[str, Any]) -> bool:
    """By a change set, as the CLI does. Whether there was anything to update."""
    client = account.client("cloudformation")
    made = client.create_change_set(ChangeSetName=CHANGE_SET, ChangeSetType="UPDATE", **request)["Id"]
    found = client.describe_change_set(ChangeSetName=made)
    if found["Status"] == "FAILED":
        client.delete_change_set(ChangeSetName=made)
        if found["StatusReason"] != NO_CHANGES:
            raise DeploymentFailed(found["StatusReason"])
        return False
    client.execute_change_set(ChangeSetName=made)
    return True


def _describe(account: Account, name: str) -> dict[str, Any]:
    """The stack, or nothing when there is none."""
    try:
        stack: dict[str, Any] = account.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
    except ClientError as error:
        if "does not exist" not in str(error):
            raise
        return {}
    return stack


def _story(account: Account, stack: dict[str, Any]) -> str:
    """What failed first, and why: the last operation's failed resources."""
    events = account.client("cloudformation").describe_stack_events(StackName=stack["StackId"])["StackEvents"]
    failed = []
    for event in events:  # the newest first
        if event.get("ResourceStatusReason") == "User Initiated":
            break
        if event["ResourceStatus"].endswith("_FAILED") and event["ResourceType"] != resource_types.STACK:
            failed.append(
                f"{event['ResourceType']} ({event['LogicalResourceId']}): {event['ResourceStatusReason']}"
            )
    why = "; ".join(reversed(failed)) or stack.get("StackStatusReason") or _rollback_reason(events)
    return f"stack {stack['StackName']} is {stack['StackStatus']}: {why}"


def _rollback_reason(events: list[dict[str, Any]]) -> str:
    return next(
        (event["ResourceStatusReason"] for event in events if "ResourceStatusReason" in event), "no reason"
    )


def _selected(directory: Path, only: Sequence[str] | None) -> list[StackArtifact]:
    """The stacks in the order of their dependencies."""
    found = {stack.id: stack for stack in stacks(directory)}
    ordered: dict[str, StackArtifact] = {}

    def visit(stack: StackArtifact) -> None:
        for need in stack.dependencies:
            if need in found and need not in ordered:
                visit(found[need])
        ordered[stack.id] = stack

    for stack in found.values():
        visit(stack)
    names = [stack.name for stack in ordered.values()]
    unknown = sorted(set(only or []) - set(names))
    if unknown:
        raise ValueError(f"the assembly has no stack {', '.join(unknown)}; it has {', '.join(names)}")
    return [stack for stack in ordered.values() if only is None or stack.name in only]


def stacks(directory: Path) -> list[StackArtifact]:
    """Every stack of the assembly and of the assemblies inside it (CDK Stages)."""
    return list(_stacks(directory))


def _stacks(directory: Path, prefix: str = "") -> Iterator[StackArtifact]:
    manifest = json.loads((directory / "manifest.json").read_text())
    for artifact_id, artifact in manifest["artifacts"].items():
        properties = artifact.get("properties", {})
        match artifact["type"]:
            case "aws:cloudformation:stack":
                dependencies = tuple(artifact.get("dependencies", []))
                display_name = artifact.get("displayName", artifact_id)
                yield StackArtifact(artifact_id, prefix + display_name, directory, properties, dependencies)
            case "cdk:cloud-assembly":
                yield from _stacks(directory / properties["directoryName"], prefix)


def _check_parameter_stacks(
    stacks: Sequence[StackArtifact], parameters: Mapping[str, Mapping[str, str]]
) -> None:
    names = [stack.name for stack in stacks]
    unknown = sorted(parameters.keys() - set(names))
    if unknown:
        raise ValueError(
            f"parameters are given for {', '.join(unknown)}; the stacks to deploy are {', '.join(names)}"
        )


def _asset_manifests(stack: StackArtifact) -> Iterator[Path]:
    artifacts = json.loads((stack.directory / "manifest.json").read_text())["artifacts"]
    for need in stack.dependencies:
        if artifacts.get(need, {}).get("type") == "cdk:asset-manifest":
            yield stack.directory / artifacts[need]["properties"]["file"]


def _publish(account: Account, manifest: Path) -> None:
    """Upload the file assets; an object that is there already is the same, for its key is its hash."""
    assets = json.loads(manifest.read_text())
    if assets.get("dockerImages"):
        raise Unsupported(
            f"docker image assets in {manifest.name}: the local account builds images with images.build"
        )
    for asset in assets["files"].values():
        source = asset["source"]
        path = manifest.parent / source["path"]
        for destination in asset["destinations"].values():
            bucket = _resolved(account, destination["bucketName"])
            key = _resolved(account, destination["objectKey"])
            if account.client("s3").list_objects_v2(Bucket=bucket, Prefix=key)["KeyCount"]:
                continue
            body = zipped(path) if source["packaging"] == "zip" else path.read_bytes()
            account.client("s3").put_object(Bucket=bucket, Key=key, Body=body)


def zipped(directory: Path) -> bytes:
    """The directory as a zip whose bytes depend on its content alone."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(path for path in directory.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo(path.relative_to(directory).as_posix(), EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = (0o755 if path.stat().st_mode & 0o100 else 0o644) << 16
            archive.writestr(entry, path.read_bytes())
    return buffer.getvalue()


def _resolved(account: Account, text: str) -> str:
    """Fill in what the assembly leaves open because its environment is not known at synth."""
    for name, known in (("AccountId", account.id), ("Region", account.region), ("Partition", "aws")):
        text = text.replace(f"${{AWS::{name}}}", known)
    return text
