"""What stops a person before a deployment begins: no credentials, no such environment, no docker, no pipeline."""

from __future__ import annotations

from pathlib import Path

import pytest
from moto import mock_aws

from cli import ready


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Credentials in the environment, and none anywhere else."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@mock_aws
def test_it_tells_where_a_deployment_goes_and_as_whom(capsys: pytest.CaptureFixture[str]) -> None:
    assert ready.main(["--env", "dev"]) == 0
    assert capsys.readouterr().err.startswith("account 123456789012, us-east-1, as arn:aws:sts::")


def test_without_credentials_it_says_how_to_log_in(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert ready.main([]) == 2
    assert "AWS does not know you: Unable to locate credentials; log in" in capsys.readouterr().err


def test_an_environment_without_a_file_is_refused_with_those_there_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert ready.main(["--env", "staging"]) == 2
    assert "there are: dev, prod" in capsys.readouterr().err


def test_without_a_pipeline_it_says_how_to_deploy(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(ready, "load_delivery", lambda *_: None)
    assert ready.main([]) == 2
    assert "`make deploy ENV=dev` deploys directly" in capsys.readouterr().err


def test_docker_is_missed_before_anything_is_deployed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(ready.shutil, "which", lambda _: None)
    assert ready.main(["--env", "dev", "--docker"]) == 2
    assert "docker is needed to build the image" in capsys.readouterr().err
