"""AWS CodeBuild: projects, and builds that CodePipeline starts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from rehearsal.engine import roles
from rehearsal.engine.account import Unsupported
from rehearsal.engine.delivery import build_run, buildspecs
from rehearsal.engine.delivery.build_run import Build, Built, Machine
from rehearsal.engine.moto_seams import developer_tools as seam
from rehearsal.engine.moto_seams import functions as function_seam

if TYPE_CHECKING:
    from rehearsal.engine.account import Account

SERVICE = "codebuild.amazonaws.com"
DEFAULT_TIMEOUT_MINUTES = 60


@dataclass
class Projects:
    """The projects of an account, how often each was built, and the machine that builds."""

    by_name: dict[str, dict[str, Any]] = field(default_factory=dict)
    builds: dict[str, int] = field(default_factory=dict)
    machine: Machine = field(default_factory=Machine)


_projects: WeakKeyDictionary[Account, Projects] = WeakKeyDictionary()


def use_machine(account: Account, machine: Machine) -> None:
    """Say what this machine has in the place of a build image."""
    _projects[account].machine = machine


def project_arn(account: Account, name: str) -> str:
    return f"arn:aws:codebuild:{account.region}:{account.id}:project/{name}"


def build(
    account: Account,
    name: str,
    *,
    source: bytes,
    revision: str,
    initiator: str,
    variables: Mapping[str, str],
) -> tuple[str, Built]:
    """Build the project from a zip; returns the build's id and how it ended."""
    kept = _projects[account]
    project = _find(account, name)
    kept.builds[name] = kept.builds.get(name, 0) + 1
    build_id = f"{name}:{kept.builds[name]:08d}-0000-4000-8000-000000000000"
    role_arn = project["serviceRole"]
    declared = project["environment"].get("environmentVariables", [])
    environment = {
        **roles.credentials(account, role_arn, SERVICE),
        "CODEBUILD_BUILD_ID": build_id,
        "CODEBUILD_INITIATOR": initiator,
        "CODEBUILD_RESOLVED_SOURCE_VERSION": revision,
        **{one["name"]: one["value"] for one in declared},
        **variables,
    }
    done = build_run.run(
        account,
        Build(
            name=name,
            spec=buildspecs.parse(project["source"]["buildspec"]),
            source=source,
            environment=environment,
            role_arn=role_arn,
            timeout_seconds=60 * project.get("timeoutInMinutes", DEFAULT_TIMEOUT_MINUTES),
        ),
        kept.machine,
    )
    _tell(account, project, build_id, done, kept.machine)
    return build_id, done


def _tell(account: Account, project: dict[str, Any], build_id: str, done: Built, machine: Machine) -> None:
    for command in done.not_run:
        account.journal.write(
            "not-run", project=project["name"], command=command, why=machine.not_run[command]
        )
    account.journal.write(
        "build",
        project=project["name"],
        build=build_id,
        status=done.status,
        failed=done.failed,
        reason=done.reason,
        output=done.output,
        variables=dict(done.variables),
    )
    group = project.get("logsConfig", {}).get("cloudWatchLogs", {}).get("groupName")
    stream = build_id.split(":")[1]
    resource = f"arn:aws:logs:{account.region}:{account.id}:log-group:{group}:log-stream:{stream}"
    if group and not roles.refusal(account, project["serviceRole"], SERVICE, "logs:PutLogEvents", resource):
        function_seam.write_log(account, group, stream, done.output.splitlines())


def _find(account: Account, name: str) -> dict[str, Any]:
    projects = _projects[account].by_name
    if name not in projects:
        raise seam.error(
            "ResourceNotFoundException", f"Project cannot be found: {project_arn(account, name)}"
        )
    return projects[name]


def _check(request: dict[str, Any]) -> None:
    """Only projects that CodePipeline feeds; the role is looked at when a build begins."""
    for member in ("source", "artifacts"):
        if request[member]["type"] != "CODEPIPELINE":
            raise Unsupported(f"a CodeBuild project whose {member} are of type {request[member]['type']}")
    if "buildspec" not in request["source"]:
        raise Unsupported("a CodeBuild project without a buildspec of its own")
    buildspecs.parse(request["source"]["buildspec"])


def install(account: Account) -> None:
    kept = _projects[account] = Projects()

    def create(request: dict[str, Any]) -> dict[str, Any]:
        name = request["name"]
        if name in kept.by_name:
            message = f"Project already exists: {project_arn(account, name)}"
            raise seam.error("ResourceAlreadyExistsException", message)
        _check(request)
        kept.by_name[name] = {**request, "arn": project_arn(account, name)}
        return {"project": kept.by_name[name]}

    def update(request: dict[str, Any]) -> dict[str, Any]:
        changed = {**_find(account, request["name"]), **request}
        _check(changed)
        kept.by_name[request["name"]] = changed
        return {"project": changed}

    def delete(request: dict[str, Any]) -> None:
        kept.by_name.pop(request["name"], None)

    def batch_get(request: dict[str, Any]) -> dict[str, Any]:
        found = [kept.by_name[name] for name in request["names"] if name in kept.by_name]
        return {"projects": found, "projectsNotFound": sorted(set(request["names"]) - set(kept.by_name))}

    seam.answer(
        account,
        "codebuild",
        {
            "CreateProject": create,
            "UpdateProject": update,
            "DeleteProject": delete,
            "BatchGetProjects": batch_get,
        },
    )


def overrides(configuration: Mapping[str, str]) -> dict[str, str]:
    """The environment that a pipeline's action gives to a build."""
    given = json.loads(configuration.get("EnvironmentVariables", "[]"))
    for one in given:
        if one.get("type", "PLAINTEXT") != "PLAINTEXT":
            raise Unsupported(f"an environment variable of type {one['type']} in a CodeBuild action")
    return {one["name"]: one["value"] for one in given}
