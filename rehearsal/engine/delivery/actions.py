"""The actions of a pipeline, by provider: each does its work under the pipeline's role, or says that it waits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from rehearsal.engine import roles
from rehearsal.engine.account import Unsupported
from rehearsal.engine.delivery import builds, repositories
from rehearsal.engine.delivery.execution import Execution
from rehearsal.engine.delivery.repositories import Repository

if TYPE_CHECKING:
    from rehearsal.engine.account import Account

SERVICE = "codepipeline.amazonaws.com"


class ActionFailed(Exception):
    """An action failed; the message is what the console shows."""


@dataclass(frozen=True)
class Done:
    """What an action gave."""

    summary: str = ""
    external_id: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)


Action = Mapping[str, Any]


def carry_out(account: Account, execution: Execution, action: Action) -> Done | None:
    """Do an action; None for one that waits for an answer from outside. Raises ActionFailed."""
    provider = action["actionTypeId"]["provider"]
    if provider not in PROVIDERS:
        raise Unsupported(
            f"a CodePipeline action of {provider}: not built; build it in rehearsal/engine/delivery/actions.py"
        )
    configuration = {key: execution.resolved(value) for key, value in action.get("configuration", {}).items()}
    try:
        return PROVIDERS[provider](account, execution, action, configuration)
    except (ClientError, PermissionError, repositories.RepositoryError) as error:
        raise ActionFailed(str(error)) from error


def _s3(account: Account, execution: Execution, action: Action) -> Any:
    return roles.client(account, action.get("roleArn", execution.pipeline["roleArn"]), SERVICE, "s3")


def _keep(account: Account, execution: Execution, action: Action, body: bytes) -> None:
    """Put an output artefact into the pipeline's bucket, under the pipeline's role and key."""
    (artefact,) = (one["name"] for one in action["outputArtifacts"])
    store = execution.pipeline["artifactStore"]
    key = f"{execution.pipeline['name'][:20]}/{artefact[:10]}/{execution.id[:7]}.zip"
    encryption = {"SSEKMSKeyId": store["encryptionKey"]["id"]} if "encryptionKey" in store else {}
    _s3(account, execution, action).put_object(
        Bucket=store["location"], Key=key, Body=body, ServerSideEncryption="aws:kms", **encryption
    )
    execution.artefacts[artefact] = key


def _s3_source(account: Account, execution: Execution, action: Action, at: Mapping[str, str]) -> Done:
    version = {"VersionId": execution.source["version"]} if "version" in execution.source else {}
    found = _s3(account, execution, action).get_object(
        Bucket=at["S3Bucket"], Key=at["S3ObjectKey"], **version
    )
    _keep(account, execution, action, found["Body"].read())
    summary = found["Metadata"].get("codepipeline-artifact-revision-summary", "")
    execution.revision = found.get("VersionId", found["ETag"])
    variables = {"VersionId": execution.revision, "ETag": found["ETag"]}
    return Done(summary or f"Amazon S3 version id: {execution.revision}", execution.revision, variables)


def _connection_source(account: Account, execution: Execution, action: Action, at: Mapping[str, str]) -> Done:
    # A connection's service has two names.
    uses = f"{at['ConnectionArn'].split(':')[2]}:UseConnection"
    _require(account, execution, uses, at["ConnectionArn"])
    if at.get("OutputArtifactFormat", "CODE_ZIP") != "CODE_ZIP":
        raise Unsupported(
            f"the OutputArtifactFormat {at['OutputArtifactFormat']} of a connection is not built"
        )
    repository = repositories.find(account, at["FullRepositoryId"])
    return _repository_source(
        account, execution, action, repository, at["BranchName"], pack=repositories.without_modes
    )


def _codecommit_source(account: Account, execution: Execution, action: Action, at: Mapping[str, str]) -> Done:
    arn = f"arn:aws:codecommit:{account.region}:{account.id}:{at['RepositoryName']}"
    for verb in ("GetBranch", "GetCommit", "UploadArchive", "GetUploadArchiveStatus"):
        _require(account, execution, f"codecommit:{verb}", arn)
    repository = repositories.find(account, at["RepositoryName"])
    return _repository_source(account, execution, action, repository, at["BranchName"])


def _repository_source(
    account: Account,
    execution: Execution,
    action: Action,
    repository: Repository,
    branch: str,
    *,
    pack: Callable[[bytes], bytes] = bytes,
) -> Done:
    """The commit and the branch of the trigger; the newest of the configured branch if it names none."""
    branch = execution.source.get("branch", branch)
    commit = execution.source.get("commit") or repository.commit_of(branch)
    _keep(account, execution, action, pack(repository.archive(commit)))
    execution.revision, message = commit, repository.message(commit)
    variables = {"CommitId": commit, "BranchName": branch, "CommitMessage": message}
    return Done(message, commit, variables)


def _require(account: Account, execution: Execution, action: str, resource: str) -> None:
    if refused := roles.refusal(account, execution.pipeline["roleArn"], SERVICE, action, resource):
        raise ActionFailed(refused)


def _code_build(account: Account, execution: Execution, action: Action, at: Mapping[str, str]) -> Done:
    project = at["ProjectName"]
    _require(account, execution, "codebuild:StartBuild", builds.project_arn(account, project))
    (name,) = (one["name"] for one in action["inputArtifacts"])
    bucket = execution.pipeline["artifactStore"]["location"]
    source = _s3(account, execution, action).get_object(Bucket=bucket, Key=execution.artefacts[name])
    build_id, built = builds.build(
        account,
        project,
        source=source["Body"].read(),
        revision=execution.revision,
        initiator=f"codepipeline/{execution.pipeline['name']}",
        variables=builds.overrides(at),
    )
    if built.status != "SUCCEEDED":
        raise ActionFailed(f"Build terminated with state: {built.status}. {built.reason}")
    return Done(external_id=build_id, variables=built.variables)


def _manual(*_: Any) -> None:
    return None


PROVIDERS: dict[str, Callable[[Account, Execution, Action, Mapping[str, str]], Done | None]] = {
    "S3": _s3_source,
    "CodeCommit": _codecommit_source,
    "CodeStarSourceConnection": _connection_source,
    "CodeBuild": _code_build,
    "Manual": _manual,
}
