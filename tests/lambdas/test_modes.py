"""How a release ends where the model is served by batch or without instances."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import pytest

from lambdas import record_release
from tests.lambdas.local import Local
from tests.lambdas.recording_world import SETTINGS, approval, outcomes
from tests.lambdas.serving_world import Serving, answered, config_name, endpoint_runs, make_release

Mode = Literal["serverless", "batch"]


def settle(local: Local, mode: Mode) -> dict[str, Any]:
    least = 0 if mode == "batch" else 10
    settings = replace(SETTINGS, topic_arn=local.topic_arn, mode=mode, min_requests=least)
    return local.run(record_release, settings, {"cause": "reconcile"})


@pytest.fixture
def batch(serving: Serving, package: str) -> Serving:
    """Release 000001 runs, and 000002 is in flight."""
    make_release("000001", run=1)
    make_release("000002", run=2)
    return serving


def test_a_batch_is_live_as_soon_as_its_model_is_there(local: Local, batch: Serving, package: str) -> None:
    batch.model = config_name("000002")
    decided = settle(local, "batch")
    assert (decided["verdict"], decided["reasons"]) == (
        "live",
        ["the batch is InService and runs tideline-dev/1"],
    )
    assert outcomes(local) == [("000002", "live")]
    champion = local.ledger.champion()
    assert champion is not None
    assert champion.package_arn == package


def test_a_batch_whose_stack_went_back_runs_the_model_before(
    local: Local, batch: Serving, package: str
) -> None:
    batch.model, batch.status = config_name("000001"), "UPDATE_ROLLBACK_COMPLETE"
    assert settle(local, "batch")["verdict"] == "rolled-back"
    assert (outcomes(local), approval(package)) == ([("000002", "rolled-back")], "Rejected")


def test_a_batch_without_a_model_has_failed(local: Local, batch: Serving) -> None:
    assert settle(local, "batch")["verdict"] == "failed"


def test_what_a_serverless_endpoint_was_asked_counts_whatever_its_configuration(
    local: Local, serving: Serving, package: str
) -> None:
    endpoint_runs("000002", run=2)
    answered(None, 9)
    assert settle(local, "serverless")["verdict"] == "hold"
    answered(None, 1)
    assert settle(local, "serverless")["verdict"] == "live"
