"""Synthesis: the same bytes every time, no network, and nothing that two deployments in an account would share."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from config.schema import ROOT
from tests.stacks import synthesis
from tests.stacks.synthesis import Deployment, Resource

SYNTHESISE = [
    sys.executable,
    "-c",
    "import sys, json, pathlib; from config.schema import ROOT; from stacks.app import build;"
    "context = json.loads((ROOT / 'cdk.json').read_text())['context'];"
    "build(outdir=pathlib.Path(sys.argv[1]), context=context).synth()",
]


def run(outdir: Path, *prefix: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*prefix, *SYNTHESISE, str(outdir)],
        cwd=ROOT,
        env={**os.environ, "CDK_VALIDATION": "false", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def digests(directory: Path) -> dict[str, str]:
    return {
        str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


def test_two_processes_write_the_same_bytes_and_nothing_to_the_terminal(tmp_path: Path) -> None:
    """No banner of an old Node, no deprecation, no missing feature flag."""
    for seed in ("1", "2"):
        done = run(tmp_path / seed, PYTHONHASHSEED=seed)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    first, second = digests(tmp_path / "1"), digests(tmp_path / "2")
    assert any(name.endswith(".template.json") for name in first)
    assert first == second


def may_unshare_network() -> bool:
    return (
        bool(shutil.which("unshare"))
        and subprocess.run(["unshare", "-rn", "true"], check=False).returncode == 0
    )


@pytest.mark.skipif(
    not may_unshare_network(), reason="this machine lets nobody take the network away (unshare -rn)"
)
def test_a_synth_needs_no_network(tmp_path: Path) -> None:
    done = run(tmp_path / "out", "unshare", "-rn")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "assembly-dev").is_dir()


def names_of(resource: Resource) -> set[str]:
    """The physical names that a resource's properties give it; an inline policy's is unique within its role."""
    kind, properties = resource.kind.rsplit("::", 1)[1], resource.properties
    if kind == "Policy":
        return {f"{role}/{properties['PolicyName']}" for role in properties["Roles"]}
    return {str(properties[name]) for name in (f"{kind}Name", "Name", "RoleName") if name in properties}


def own_names(deployment: Deployment) -> set[str]:
    names = {name for resource in deployment.resources for name in names_of(resource)}
    exports = {
        output["Export"]["Name"]
        for template in deployment.templates.values()
        for output in template.get("Outputs", {}).values()
        if "Export" in output
    }
    return names | exports | {deployment.stack_name(part) for part in deployment.templates}


@pytest.mark.parametrize("other", ["NEIGHBOUR", "PROD"])
def test_two_deployments_in_one_account_share_no_name(dev: Deployment, other: str) -> None:
    neighbour = synthesis.synthesise(getattr(synthesis, other))
    mine, theirs = own_names(dev), own_names(neighbour)
    assert len(mine) > 40
    assert mine & theirs == set()


def test_nothing_of_a_deployment_speaks_of_another(dev: Deployment) -> None:
    """Rendered in full, the neighbour's templates do not hold this deployment's name."""
    neighbour = synthesis.synthesise(synthesis.NEIGHBOUR)
    for resource in neighbour.resources:
        assert "tideline-dev" not in str(resource.properties), resource.logical_id


def test_every_resource_that_takes_tags_has_them(deployment: Deployment) -> None:
    wanted = {"project": "tideline", "environment": deployment.config.environment, "managed-by": "tideline"}
    tagged = [r for r in deployment.resources if isinstance(r.properties.get("Tags"), list)]
    assert len(tagged) > 30
    for resource in tagged:
        assert {tag["Key"]: tag["Value"] for tag in resource.properties["Tags"]} == wanted, (
            resource.logical_id
        )


def test_the_stacks_of_an_environment_are_named_after_it(dev: Deployment) -> None:
    assert sorted(dev.templates) == ["monitoring", "retraining", "serving", "storage", "training"]
