"""Which change of a local repository starts a code pipeline, as its source and its triggers declare."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rehearsal.engine.delivery import pipelines, repositories
from rehearsal.engine.delivery.globs import matches_any
from tests.engine.delivery_world import Delivery, approval, build, committed, source_action, world
from tests.engine.runtime_world import World

CONNECTION = "arn:aws:codeconnections:us-east-1:123456789012:connection/1"
BEHIND_A_CONNECTION = source_action(
    "CodeStarSourceConnection", FullRepositoryId="acme/model", BranchName="main", ConnectionArn=CONNECTION
)


@pytest.fixture
def delivery(tmp_path: Path) -> Iterator[Delivery]:
    with world(tmp_path / "account") as made:
        yield made


@pytest.fixture
def repository(delivery: Delivery, tmp_path: Path) -> Path:
    """A repository with one commit on main, which was pushed before there was a pipeline."""
    repositories.register(delivery.account, "acme/model", tmp_path / "repository")
    committed(tmp_path / "repository", {"a.txt": "a"})
    pipelines.push(delivery.account, "acme/model", "main")
    return tmp_path / "repository"


def listens(delivery: Delivery, **filters: object) -> None:
    """A pipeline with one trigger of such filters, or with none."""
    git = {"sourceActionName": "Source", **filters}
    triggers = [{"providerType": "CodeStarSourceConnection", "gitConfiguration": git}] if filters else []
    delivery.pipeline(
        {"name": "Wait", "actions": [approval()]}, source=BEHIND_A_CONNECTION, triggers=triggers
    )


def started(delivery: Delivery, branch: str = "main") -> int:
    return len(pipelines.push(delivery.account, "acme/model", branch))


@pytest.mark.parametrize(("branch", "starts"), [("main", 1), ("other", 0)])
def test_without_a_filter_a_push_to_the_source_s_branch_starts_the_pipeline(
    delivery: Delivery, repository: Path, branch: str, starts: int
) -> None:
    listens(delivery)
    committed(repository, {"a.txt": "b"}, branch=branch)
    assert started(delivery, branch) == starts


@pytest.mark.parametrize(
    ("branch", "starts"), [("release/1", 1), ("release/old/1", 0), ("main", 0), ("release/broken", 0)]
)
def test_a_branch_filter_includes_and_excludes(
    delivery: Delivery, repository: Path, branch: str, starts: int
) -> None:
    listens(delivery, push=[{"branches": {"includes": ["release/*"], "excludes": ["**/broken"]}}])
    committed(repository, {"a.txt": "b"}, branch=branch)
    assert started(delivery, branch) == starts


@pytest.mark.parametrize(
    ("changed", "starts"),
    [
        (["training/model.py"], 1),
        (["docs/a.md"], 0),
        (["training/notes/a.md"], 0),
        (["training/notes/a.md", "training/b.py"], 1),
    ],
)
def test_a_path_filter_asks_what_the_push_touches(
    delivery: Delivery, repository: Path, changed: list[str], starts: int
) -> None:
    paths = {"includes": ["training/**"], "excludes": ["**/notes/**"]}
    listens(delivery, push=[{"branches": {"includes": ["main"]}, "filePaths": paths}])
    committed(repository, dict.fromkeys(changed, "x"))
    assert started(delivery) == starts


def test_a_push_touches_what_all_of_its_commits_touch(delivery: Delivery, repository: Path) -> None:
    listens(delivery, push=[{"filePaths": {"includes": ["training/**"]}}])
    committed(repository, {"training/model.py": "x"})
    committed(repository, {"docs/a.md": "x"})
    assert started(delivery) == 1


@pytest.mark.parametrize(
    ("event", "into", "changed", "starts"),
    [
        ("OPEN", "main", "training/model.py", 1),
        ("UPDATED", "main", "training/model.py", 1),
        ("CLOSED", "main", "training/model.py", 0),
        ("OPEN", "other", "training/model.py", 0),
        ("OPEN", "main", "docs/a.md", 0),
    ],
)
def test_a_pull_request_is_matched_by_event_target_branch_and_paths(
    delivery: Delivery, repository: Path, event: str, into: str, changed: str, starts: int
) -> None:
    paths = {"includes": ["training/**"]}
    request = {"events": ["OPEN", "UPDATED"], "branches": {"includes": ["main"]}, "filePaths": paths}
    listens(delivery, pullRequest=[request])
    committed(repository, {"b.txt": "b"}, branch="other")
    committed(repository, {changed: "x"}, branch="idea")
    asked = pipelines.pull_request(delivery.account, "acme/model", event, branch="idea", into=into)
    assert len(asked) == starts


def test_a_pull_request_is_no_push_and_a_push_no_pull_request(delivery: Delivery, repository: Path) -> None:
    listens(delivery, pullRequest=[{"branches": {"includes": ["main"]}}])
    delivery.pipeline({"name": "Wait", "actions": [approval()]}, source=BEHIND_A_CONNECTION, name="pushes")
    committed(repository, {"a.txt": "b"}, branch="idea")
    account = delivery.account
    (asked,) = pipelines.pull_request(account, "acme/model", "OPEN", branch="idea", into="main")
    committed(repository, {"a.txt": "c"})
    (pushed,) = pipelines.push(account, "acme/model", "main")
    assert pipelines.execution(account, "push", asked).source["branch"] == "idea"
    assert pipelines.execution(account, "pushes", pushed).source["branch"] == "main"


@pytest.mark.parametrize(
    ("glob", "value", "fits"),
    [
        ("*.py", "model.py", True),
        ("*.py", "training/model.py", False),
        ("**.py", "training/model.py", True),
        ("training/*", "training/notes/a.md", False),
        ("training/**", "training/notes/a.md", True),
        ("**/README.md", "docs/README.md", True),
        ("**/README.md", "README.md", False),
        ("common/**/*.js", "common/a/b/c.js", True),
        ("foo.?", "foo.c", True),
        ("foo.?", "foo./", False),
        ("*.{py,txt}", "a.txt", True),
        ("*.{py,txt}", "a.md", False),
        ("[a-c].md", "b.md", True),
        ("[!a-c].md", "b.md", False),
        ("[*].md", "*.md", True),
        (r"\*.md", "*.md", True),
        (r"\*.md", "a.md", False),
        ("a,b", "a,b", True),
        ("a.b", "axb", False),
    ],
)
def test_a_glob_means_what_the_user_guide_says(glob: str, value: str, fits: bool) -> None:
    assert matches_any([glob], value) == fits


def test_the_commit_of_a_connection_is_what_is_built(delivery: Delivery, repository: Path) -> None:
    delivery.project("check", "grep -q new a.txt")
    delivery.pipeline({"name": "Verify", "actions": [build("check")]}, source=BEHIND_A_CONNECTION)
    committed(repository, {"a.txt": "new"})
    (execution,) = pipelines.push(delivery.account, "acme/model", "main")
    committed(repository, {"a.txt": "later"})
    delivery.account.pump()
    assert delivery.status(execution) == "Succeeded"


@pytest.mark.parametrize(("command", "ends"), [("./run", "Failed"), ("sh ./run", "Succeeded")])
def test_nothing_in_the_zip_of_a_connection_is_executable(
    delivery: Delivery, repository: Path, command: str, ends: str
) -> None:
    delivery.project("check", command)
    delivery.pipeline({"name": "Verify", "actions": [build("check")]}, source=BEHIND_A_CONNECTION)
    committed(repository, {"run": "#!/bin/sh\ntrue\n"})
    (repository / "run").chmod(0o755)
    committed(repository, {"a.txt": "the mode too"})
    (execution,) = pipelines.push(delivery.account, "acme/model", "main")
    delivery.account.pump()
    assert delivery.status(execution) == ends


def test_a_role_that_may_not_use_the_connection_fails_the_source(
    delivery: Delivery, repository: Path
) -> None:
    statement = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    delivery.roles["pipeline"] = World(delivery.account).role(
        "narrow", trusts="codepipeline.amazonaws.com", statements=[statement]
    )
    listens(delivery)
    committed(repository, {"a.txt": "b"})
    (execution,) = pipelines.push(delivery.account, "acme/model", "main")
    delivery.account.pump()
    assert delivery.status(execution) == "Failed"
    (action,) = delivery.state("Source")["actionStates"]
    assert "codeconnections:UseConnection" in action["latestExecution"]["errorDetails"]["message"]


def test_a_push_to_codecommit_tells_the_event_bus(delivery: Delivery, tmp_path: Path) -> None:
    repositories.register(delivery.account, "model", tmp_path / "repository")
    for text in "ab":
        committed(tmp_path / "repository", {"a.txt": text})
        assert pipelines.push(delivery.account, "model", "main") == []
    told = [e.facts for e in delivery.account.journal.of("event") if "CodeCommit" in e.facts["detail_type"]]
    assert [one["detail"]["event"] for one in told] == ["referenceCreated", "referenceUpdated"]
    assert told[1]["detail"]["oldCommitId"] == told[0]["detail"]["commitId"]
    assert told[1]["resources"] == ["arn:aws:codecommit:us-east-1:123456789012:model"]
    assert told[1]["detail"]["referenceName"] == "main"
