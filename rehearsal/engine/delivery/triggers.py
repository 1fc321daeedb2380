"""Which change of a repository behind a connection starts a pipeline: its branch, and the filters of its triggers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rehearsal.engine.account import Unsupported
from rehearsal.engine.delivery.globs import matches_any

CONNECTION = "CodeStarSourceConnection"
PULL_REQUEST_EVENTS = ("OPEN", "UPDATED", "CLOSED")


@dataclass(frozen=True)
class Change:
    """A push to `branch`, or, if `pull_request` names an event, a pull request into it."""

    repository: str
    branch: str
    paths: Sequence[str]
    pull_request: str = ""


def check(pipeline: Mapping[str, Any]) -> None:
    """Refuse by name what a push would not be matched against here."""
    for trigger in pipeline.get("triggers", []):
        for push in trigger["gitConfiguration"].get("push", []):
            if push.get("tags"):
                raise Unsupported("a CodePipeline trigger on tags is not built")


def wants(pipeline: Mapping[str, Any], change: Change) -> bool:
    """Without a trigger a push to the source's own branch starts it; with triggers, one filter must match."""
    for action in pipeline["stages"][0]["actions"]:
        configured = action["configuration"]
        if (
            action["actionTypeId"]["provider"] == CONNECTION
            and configured["FullRepositoryId"] == change.repository
        ):
            mine = [
                trigger["gitConfiguration"]
                for trigger in pipeline.get("triggers", [])
                if trigger["gitConfiguration"]["sourceActionName"] == action["name"]
            ]
            if mine:
                return any(_matches(one, change) for one in mine)
            return not change.pull_request and bool(configured["BranchName"] == change.branch)
    return False


def _matches(git: Mapping[str, Any], change: Change) -> bool:
    filters = git.get("pullRequest" if change.pull_request else "push", [])
    return any(
        (not change.pull_request or change.pull_request in one.get("events", PULL_REQUEST_EVENTS))
        and _passes(one.get("branches"), [change.branch])
        and _passes(one.get("filePaths"), change.paths)
        for one in filters
    )


def _passes(wanted: Mapping[str, Any] | None, values: Sequence[str]) -> bool:
    """Some value is included and not excluded; excludes win."""
    if not wanted:
        return True
    included, excluded = wanted.get("includes", ["**"]), wanted.get("excludes", [])
    return any(matches_any(included, value) and not matches_any(excluded, value) for value in values)
