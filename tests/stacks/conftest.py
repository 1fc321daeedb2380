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


@pytest.fixture(scope="session")
def brought() -> Deployment:
    """With a key, a data bucket and a permissions boundary that existed before."""
    return synthesis.synthesise(synthesis.BROUGHT)


@pytest.fixture(scope="session", params=["dev", "prod", "brought"])
def deployment(request: pytest.FixtureRequest) -> Deployment:
    """Each of them in turn."""
    return synthesis.synthesise(getattr(synthesis, request.param.upper()))
