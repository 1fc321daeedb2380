"""Which push to a repository behind a connection starts a pipeline: its branch, and the filters of its triggers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from rehearsal.engine.account import Unsupported

CONNECTION = "CodeStarSourceConnection"


def check(pipeline: Mapping[str, Any]) -> None:
    """Refuse by name what a push would not be matched against here."""
    for trigger in pipeline.get("triggers", []):
        for push in trigger["gitConfiguration"].get("push", []):
            if push.get("tags"):
                raise Unsupported("a CodePipeline trigger on tags is not built")


def wants(pipeline: Mapping[str, Any], repository: str, branch: str, paths: Sequence[str]) -> bool:
    """Without a trigger the source's own branch decides; with triggers, one push filter must match."""
    for action in pipeline["stages"][0]["actions"]:
        configured = action["configuration"]
        if action["actionTypeId"]["provider"] != CONNECTION or configured["FullRepositoryId"] != repository:
            continue
        mine = [
            trigger["gitConfiguration"]
            for trigger in pipeline.get("triggers", [])
            if trigger["gitConfiguration"]["sourceActionName"] == action["name"]
        ]
        if not mine:
            return bool(configured["BranchName"] == branch)
        return any(_matches(push, branch, paths) for one in mine for push in one.get("push", []))
    return False


def _matches(push: Mapping[str, Any], branch: str, paths: Sequence[str]) -> bool:
    return _passes(push.get("branches"), [branch]) and _passes(push.get("filePaths"), paths)


def _passes(wanted: Mapping[str, Any] | None, values: Sequence[str]) -> bool:
    """Some value is included and not excluded; excludes win."""
    if not wanted:
        return True
    included, excluded = wanted.get("includes", ["**"]), wanted.get("excludes", [])
    return any(_any(included, value) and not _any(excluded, value) for value in values)


def _any(globs: Sequence[str], value: str) -> bool:
    return any(_pattern(glob).fullmatch(value) for glob in globs)


def _pattern(glob: str) -> re.Pattern[str]:
    """`*` stays within a folder, `**` does not."""
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", glob)
    translated = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return re.compile("".join(translated.get(part, re.escape(part)) for part in parts))
