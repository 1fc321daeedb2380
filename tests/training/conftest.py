"""The fixtures of these tests: a job's directory, and one with a trained model in it."""

from pathlib import Path

import pytest

from tests.training.job import Job


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Job:
    return Job(tmp_path / "ml", monkeypatch)


@pytest.fixture(scope="module")
def trained_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base directory with a trained model in it, shared by a module."""
    base = tmp_path_factory.mktemp("ml")
    with pytest.MonkeyPatch.context() as monkeypatch:
        Job(base, monkeypatch).trained()
    return base
