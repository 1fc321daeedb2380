"""The deployments that these tests look at, each synthesised once a session."""

import pytest

from tests.stacks import synthesis
from tests.stacks.synthesis import Deployment


@pytest.fixture(scope="session")
def dev() -> Deployment:
    return synthesis.synthesise(synthesis.DEV)


@pytest.fixture(scope="session")
def prod() -> Deployment:
    return synthesis.synthesise(synthesis.PROD)


@pytest.fixture(scope="session")
def nightly() -> Deployment:
    """Served by batch."""
    return synthesis.synthesise(synthesis.NIGHTLY)
