"""`./tideline changes`: two commits' own templates side by side."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from cli import __main__ as cli
from cli import changes
from cli.source import CommandError
from domain.changes import Changes, Grant

AS = ("-c", "user.name=a", "-c", "user.email=a@example.com")
SYNTH = """
import json, os
out = os.environ["CDK_OUTDIR"]
statement = {"Effect": "Allow", "Action": ACTION, "Resource": "*"}
policy = {"Type": "AWS::IAM::Policy", "Properties": {"Roles": ["r"], "PolicyDocument": {"Statement": [statement]}}}
stack = {"type": "aws:cloudformation:stack", "properties": {"stackName": "own", "templateFile": "own.template.json"}}
json.dump({"artifacts": {"own": stack}}, open(f"{out}/manifest.json", "w"))
json.dump({"Resources": {"P": policy}}, open(f"{out}/own.template.json", "w"))
"""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A commit that grants one action, and a tree that grants another."""
    (tmp_path / "cdk.json").write_text('{"context": {}}')
    (tmp_path / "app.py").write_text(f"ACTION = 's3:GetObject'{SYNTH}")
    for command in (["init", "-q"], ["add", "-A"], [*AS, "commit", "-qm", "then"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    (tmp_path / "app.py").write_text(f"ACTION = 's3:PutObject'{SYNTH}")
    return tmp_path


def test_each_commit_is_synthesised_by_its_own_code(repository: Path) -> None:
    found = changes.against("HEAD", repository)
    assert [grant.action for grant in found.broader] == ["s3:PutObject"]
    assert [grant.action for grant in found.narrower] == ["s3:GetObject"]


def test_a_tree_that_cannot_be_synthesised_says_why(repository: Path) -> None:
    (repository / "app.py").write_text("raise SystemExit('tideline: config/dev.yaml: name: missing')")
    with pytest.raises(CommandError, match=r"this tree cannot be synthesised.*name: missing"):
        changes.against("HEAD", repository)


@pytest.mark.parametrize(
    ("found", "code"),
    [
        (Changes((), (), ()), 0),
        (Changes((), (Grant("own/r", "Allow", "a:B", "*", "", ""),), ()), 0),
        (Changes((Grant("own/r", "Allow", "a:B", "[red]*", "", ""),), (), ()), 3),
        (Changes((), (), ("own/T would be deleted",)), 3),
    ],
)
def test_the_exit_code_is_for_what_is_broader_or_lost(
    found: Changes, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(changes, "against", lambda revision: found)
    assert cli.main(["changes", "--against", "HEAD"]) == code
    told = capsys.readouterr().out
    assert all(str(grant) in told for grant in (*found.broader, *found.narrower))
    assert all(sentence in told for sentence in found.lost)
