"""Local git repositories in the place of hosted ones: a commit that is pushed starts what waits for it."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
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

    def commit_of(self, revision: str) -> str:
        return self._git("rev-parse", f"{revision}^{{commit}}").decode().strip()

    def message(self, commit: str) -> str:
        return self._git("log", "-1", "--format=%s", commit).decode().strip()

    def archive(self, commit: str) -> bytes:
        return self._git("archive", "--format=zip", commit)

    def changed_paths(self, commit: str) -> list[str]:
        """The files that the commit touches, against its first parent."""
        listed = self._git("show", "--first-parent", "--name-only", "--format=", commit)
        return listed.decode().split("\n")[:-1]

    def _git(self, *command: str) -> bytes:
        done = subprocess.run(["git", *command], cwd=self.path, capture_output=True, check=False)
        if done.returncode:
            raise RepositoryError(f"{self.name}: git {command[0]}: {done.stderr.decode().strip()}")
        return done.stdout


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
