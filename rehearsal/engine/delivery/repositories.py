"""Local git repositories in the place of hosted ones: a commit that is pushed starts what waits for it."""

from __future__ import annotations

import io
import subprocess
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from rehearsal.engine.account import Account


class RepositoryError(Exception):
    """There is no such repository, branch or commit."""


@dataclass(frozen=True)
class Repository:
    """A git repository on this machine, known to the account under a hosted one's name."""

    name: str
    path: Path
    pushed: dict[str, str] = field(default_factory=dict)
    """By branch: the commit that was pushed last."""

    @property
    def is_in_codecommit(self) -> bool:
        """Behind a connection a name is owner/name; CodeCommit's have no slash."""
        return "/" not in self.name

    def commit_of(self, revision: str) -> str:
        return self._git("rev-parse", f"{revision}^{{commit}}").decode().strip()

    def message(self, commit: str) -> str:
        return self._git("log", "-1", "--format=%s", commit).decode().strip()

    def archive(self, commit: str) -> bytes:
        return self._git("archive", "--format=zip", commit)

    def changed_paths(self, commit: str, before: str | None) -> list[str]:
        """The files that a push touches; without an earlier one, those of the commit against its first parent."""
        against = ["diff", before, commit] if before else ["show", "--first-parent", "--format=", commit]
        return self._names(*against)

    def paths_beyond(self, branch: str, commit: str) -> list[str]:
        """The files in which the commit differs from where it left the branch."""
        return self._names("diff", f"{branch}...{commit}")

    def _names(self, command: str, *arguments: str) -> list[str]:
        return self._git(command, "--name-only", "-z", *arguments).decode().split("\0")[:-1]

    def _git(self, *command: str) -> bytes:
        done = subprocess.run(["git", *command], cwd=self.path, capture_output=True, check=False)
        if done.returncode:
            raise RepositoryError(f"{self.name}: git {command[0]}: {done.stderr.decode().strip()}")
        return done.stdout


def without_modes(archive: bytes) -> bytes:
    """The same zip without external attributes: what comes out of it is no longer executable."""
    packed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as full, zipfile.ZipFile(packed, "w") as plain:
        for entry in full.infolist():
            bare = zipfile.ZipInfo(entry.filename, entry.date_time)
            bare.compress_type = zipfile.ZIP_DEFLATED
            bare.external_attr = 0
            plain.writestr(bare, full.read(entry))
    return packed.getvalue()


_repositories: WeakKeyDictionary[Account, dict[str, Repository]] = WeakKeyDictionary()


def install(account: Account) -> None:
    _repositories[account] = {}


def register(account: Account, name: str, path: Path) -> Repository:
    """Let a pipeline's source of this name be the repository at `path`."""
    repository = _repositories[account][name] = Repository(name, path)
    return repository


def find(account: Account, name: str) -> Repository:
    known = _repositories[account]
    if name not in known:
        raise RepositoryError(f"no repository {name}; registered are: {', '.join(sorted(known)) or 'none'}")
    return known[name]


def reference_event(
    account: Account, repository: Repository, branch: str, before: str | None
) -> tuple[str, dict[str, Any], list[str]]:
    """What CodeCommit tells of a pushed branch: detail type, detail, resources."""
    detail = {
        "event": "referenceUpdated" if before else "referenceCreated",
        "repositoryName": repository.name,
        "referenceType": "branch",
        "referenceName": branch,
        "referenceFullName": f"refs/heads/{branch}",
        "commitId": repository.commit_of(branch),
        **({"oldCommitId": before} if before else {}),
    }
    arn = f"arn:aws:codecommit:{account.region}:{account.id}:{repository.name}"
    return "CodeCommit Repository State Change", detail, [arn]
