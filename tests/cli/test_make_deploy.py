"""`make deploy` beside a release: it waits for the end and deploys again; its own failure stays a failure."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from config.schema import ROOT


class Made:
    """`make deploy` with commands in the place of the CDK, of `./tideline` and of sleep, each with its answers."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.calls = directory / "calls"
        self.calls.touch()

    def answers(self, name: str, *codes: int) -> Path:
        """A command whose calls are answered by these exit codes, the last one for good."""
        (self.directory / f"{name}.codes").write_text("\n".join(map(str, codes)) + "\n")
        script = self.directory / name
        script.write_text(
            f"""#!/bin/sh
case "$*" in
  *" names training") echo small-dev-training; exit 0;;
  *"cli.ready"*) exit 0;;
esac
echo "{name} $*" >> "{self.calls}"
code=$(head -1 "{self.directory}/{name}.codes")
[ $(wc -l < "{self.directory}/{name}.codes") -eq 1 ] || sed -i 1d "{self.directory}/{name}.codes"
exit $code
"""
        )
        script.chmod(0o755)
        return script

    def deploy(self, *, cdk: tuple[int, ...], busy: tuple[int, ...]) -> int:
        self.answers("sleep", 0)
        command = ["make", "deploy", "-o", ".venv/ready", "-o", "node_modules/.ready"]
        command += ["-o", "build/assets/lambda/requirements.txt", "IMAGE=sha256:1"]
        command += [f"CDK={self.answers('cdk', *cdk)}", f"PY={self.answers('python', *busy)}"]
        environment = {"PATH": f"{self.directory}{os.pathsep}{os.environ['PATH']}"}
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        return done.returncode

    @property
    def order(self) -> list[str]:
        """Which commands were called, in order."""
        return [line.split()[0] for line in self.calls.read_text().splitlines()]


@pytest.fixture
def made(tmp_path: Path) -> Made:
    return Made(tmp_path)


def test_a_deploy_that_cloudformation_takes_looks_at_nothing_else(made: Made) -> None:
    assert made.deploy(cdk=(0,), busy=(1,)) == 0
    assert made.order == ["cdk"]
    assert "--parameters small-dev-training:Image=sha256:1" in made.calls.read_text()


def test_a_deploy_beside_a_release_waits_for_its_end_and_is_tried_again(made: Made) -> None:
    assert made.deploy(cdk=(1, 0), busy=(0, 0, 0, 3)) == 0
    assert made.order == ["cdk", "python", "python", "sleep", "python", "sleep", "python", "cdk"]


def test_a_release_that_comes_in_between_is_waited_for_too(made: Made) -> None:
    assert made.deploy(cdk=(1, 1, 0), busy=(0, 3, 0, 3)) == 0
    assert made.order == ["cdk", "python", "python", "cdk", "python", "python", "cdk"]


@pytest.mark.parametrize("code", [3, 2])
def test_a_deploy_that_fails_while_nothing_goes_on_has_failed(made: Made, code: int) -> None:
    """3: Serving is at rest; 2: nobody can tell, such as without credentials."""
    assert made.deploy(cdk=(1,), busy=(code,)) != 0
    assert made.order == ["cdk", "python"]
