"""A person's clone of this project, and what a push from it brings about in the local account."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from domain.names import WITHOUT_WHEELS
from rehearsal.engine import Account, warm_python
from rehearsal.engine.delivery import builds, cdk, docker, sleep
from rehearsal.engine.delivery.build_run import Machine
from rehearsal.engine.delivery.cdk import App

ROOT = Path(__file__).resolve().parents[2]
LEFT_OUT = {".git", ".venv", "node_modules", "build", "cdk.out", "__pycache__"}
PYTHON = Path("bin", "python")
AUTHOR = {"NAME": "rehearsal", "EMAIL": "rehearsal@example.com"}
NOT_RUN = {
    "make test": "it takes minutes and was the machine's own to run before; its result is not known here"
}
SYNTH = {
    "CDK_VALIDATION": "false",
    WITHOUT_WHEELS: "yes",
    "JSII_RUNTIME_PACKAGE_CACHE_ROOT": os.environ.get(
        "JSII_RUNTIME_PACKAGE_CACHE_ROOT", str(Path.home() / ".cache" / "aws" / "jsii" / "package-cache")
    ),
}
"""The rules of a synth take longer than all else in a push; `make test` runs them. So would the CDK, unpacked anew."""
APP = App(files=("app.py", "cdk.json", "config", "domain", "lambdas", "stacks"), variables=tuple(SYNTH))
"""A push that changes none of these is deployed from the assembly that is there already."""
CDK_OF_NODE = "require('child_process').spawnSync('cdk', process.argv.slice(2), {stdio: 'inherit'}).status"


@dataclass(frozen=True)
class Workplace:
    """A clone in which a person changes files, commits and pushes."""

    account: Account
    directory: Path

    @classmethod
    def clone(
        cls, account: Account, directory: Path, source: Path = ROOT, *, branch: str = "main"
    ) -> Workplace:
        """The project as it lies there, with what is not committed yet, as the first commit of a repository."""
        copy_project(directory, source)
        workplace = cls(account, directory)
        workplace._git("init", "--quiet", f"--initial-branch={branch}")
        workplace.commit("the project as it is")
        return workplace

    def change(self, files: Mapping[str, str | None]) -> None:
        """Write whole files; None takes one away."""
        for name, text in files.items():
            path = self.directory / name
            if text is None:
                path.unlink()
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)

    def commit(self, message: str) -> str:
        """Returns the commit's id; the same files and times give the same one."""
        self._git("add", "--all", "--force")
        self._git("commit", "--quiet", "--allow-empty", f"--message={message}")
        return self._git("rev-parse", "HEAD").strip()

    def archive(self) -> bytes:
        done = subprocess.run(
            ["git", "archive", "--format=zip", "-0", "HEAD"],  # unpacked in each of its builds
            cwd=self.directory,
            capture_output=True,
            check=True,
        )
        return done.stdout

    def _git(self, *command: str) -> str:
        now = self.account.clock.now().isoformat()
        who = {
            f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in AUTHOR.items()
        }
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.directory),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_AUTHOR_DATE": now,
            "GIT_COMMITTER_DATE": now,
            **who,
        }
        done = subprocess.run(
            ["git", *command],
            cwd=self.directory,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"git {command[0]}: {done.stderr.strip()}")
        return done.stdout


def copy_project(directory: Path, source: Path = ROOT) -> None:
    for path in files_of(source):
        target = directory / path.relative_to(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, target)


def files_of(source: Path) -> list[Path]:
    """What belongs to the project: what git would commit, or without git all but what was built or installed."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=source,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.stdout:  # nothing is listed in a folder that the repository around it ignores
        return [path for name in listed.stdout.split("\0")[:-1] if (path := source / name).is_file()]
    found = (path for path in source.rglob("*") if path.is_file())
    return [path for path in found if not LEFT_OUT & set(path.relative_to(source).parts)]


def use_this_machine(account: Account, engine: str = "") -> None:
    """Builds run here: with this machine's packages instead of an installation, docker and cdk by the account.

    `engine` is the path of a container engine that builds the images too.
    """
    builds.use_machine(
        account,
        Machine(
            tools={
                "docker": docker.tool(account, engine),
                "cdk": cdk.tool(account, APP),
                "sleep": sleep.tool(account),
            },
            prepare=lambda checkout: _install(account, checkout),
            not_run=NOT_RUN,
            environment=SYNTH,
        ),
    )


def _install(account: Account, checkout: Path) -> None:
    """What `make setup`, `npm ci` and `make assets` would install, from what is here already."""
    environment, installed = checkout / ".venv", Path(sys.prefix)
    (environment / "bin").mkdir(parents=True)
    here = [*installed.iterdir(), *(installed / "bin").iterdir()]
    for entry in {entry.relative_to(installed) for entry in here} - {Path("ready"), Path("bin"), PYTHON}:
        (environment / entry).symlink_to(installed / entry)
    (environment / PYTHON).write_text(warm_python.script(account, str(environment / "bin" / "python3")))
    (environment / PYTHON).chmod(0o755)
    (environment / "ready").touch()
    wheels, laid = checkout / "lambdas" / "requirements.txt", checkout / "build" / "assets" / "lambda"
    if wheels.exists():  # laid as if they were there: functions run with this machine's packages
        laid.mkdir(parents=True)
        shutil.copy(wheels, laid)
    command = checkout / "node_modules" / "aws-cdk" / "bin" / "cdk"
    command.parent.mkdir(parents=True)
    command.write_text(f"process.exit({CDK_OF_NODE})\n")
    (checkout / "node_modules" / ".ready").touch()
