"""Where SageMaker mounts a container's inputs and collects its outputs."""

import os
from pathlib import Path


def base() -> Path:
    """/opt/ml, or the directory that SM_BASE_DIR names where nobody may write to /opt."""
    return Path(os.environ.get("SM_BASE_DIR", "/opt/ml"))


def processing(*parts: str) -> Path:
    return base().joinpath("processing", *parts)


def channel(name: str) -> Path:
    return base() / "input" / "data" / name


def model() -> Path:
    return base() / "model"


def output(name: str) -> Path:
    """The file for a processing job's exit `message` or a training job's `failure`."""
    return base() / "output" / name
