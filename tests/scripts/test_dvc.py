"""DVC on a scientist's machine: the local training is reproduced; its artefacts go into the bucket and come back."""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from config import kept_account
from config.schema import ROOT
from rehearsal.engine import Account
from tests.engine.runtime_world import START
from tests.scripts.science import BIN, needs_science

NEEDED = ("domain", "training", "scripts", "dvc.yaml", ".dvc/config", ".dvcignore")
MONTHS = ("2013-01.csv.gz", "2013-02.csv.gz")


def copy_of_the_project(directory: Path) -> Path:
    """With a tenth of the example's rows, so that it trains in a second."""
    for name in NEEDED:
        target = directory / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, target)
    (directory / ".venv").symlink_to(ROOT / ".venv")
    tables = directory / "examples" / "flights"
    tables.mkdir(parents=True)
    for month in MONTHS:
        header, *rows = gzip.decompress((ROOT / "examples" / "flights" / month).read_bytes()).splitlines()
        (tables / month).write_bytes(gzip.compress(b"\n".join([header, *rows[::10]]) + b"\n"))
    return directory


def dvc(project: Path, account: Account, *command: str) -> str:
    variables = kept_account.environment(account.endpoint_url, account.region)
    environment = {**os.environ, **variables, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [BIN / "dvc", *command],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_what_the_stages_read_and_write_is_there() -> None:
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    assert all((ROOT / path).exists() for stage in stages.values() for path in stage["deps"])
    assert [next(iter(one)) for one in stages["table"]["outs"]] == [
        f"examples/flights/{month}" for month in MONTHS
    ]
    assert stages["train"]["cmd"].startswith(
        ".venv/bin/python -m scripts.local_run build/runs/local examples"
    )


@needs_science
@pytest.mark.slow
def test_a_local_training_is_reproduced_and_its_artefacts_go_through_the_bucket(tmp_path: Path) -> None:
    project = copy_of_the_project(tmp_path / "project")
    subprocess.run(["git", "init", "--quiet", "."], cwd=project, check=True)
    (project / ".dvc" / "config.local").write_text(
        "[core]\n    remote = data\n['remote \"data\"']\n    url = s3://the-data-bucket/dvc\n"
    )
    with Account(start=START, directory=tmp_path / "account") as account:
        s3 = account.client("s3")
        s3.create_bucket(Bucket="the-data-bucket")
        dvc(project, account, "repro", "--single-item", "train")
        model = project / "build" / "runs" / "local" / "model" / "model.tar.gz"
        report = project / "build" / "runs" / "local" / "report" / "report.json"
        made = model.read_bytes(), report.read_bytes()
        dvc(project, account, "push", "train")
        keys = [one["Key"] for one in s3.list_objects_v2(Bucket="the-data-bucket")["Contents"]]
        assert keys
        assert all(key.startswith("dvc/") for key in keys)
        shutil.rmtree(project / "build")
        shutil.rmtree(project / ".dvc" / "cache")
        dvc(project, account, "pull", "train")
    assert (model.read_bytes(), report.read_bytes()) == made
