"""An endpoint leaves auto-scaling before its instance types change, and comes back with the release or without it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from domain.names import RELEASE_PARAMETER, SCALING_OFF, SCALING_ON, SCALING_PARAMETER
from domain.releases import ReleaseRecord
from domain.scaling import decide_coming_back, decide_leaving
from domain.settings import ReleaseModelSettings
from lambdas import aws, people, serving
from lambdas.ledger import Ledger


def leave(stack: str, ledger: Ledger, body: dict[str, Any], *, now: datetime) -> bool:
    """Ask Serving to end scaling, if this open release needs that; its end starts the release itself."""
    record, given = ReleaseRecord.from_parameter(body["parameter"]), serving.given(stack)
    decision = decide_leaving(
        given,
        release_key=given.get(RELEASE_PARAMETER),
        serving=_types_that_serve(ledger),
        wanted=record.instance_types,
    )
    if decision is None:
        return False
    ledger.record(decision, subject=f"{record.release_id}/{record.package_arn}", now=now)
    token = f"release-{record.release_id}-stop-scaling"
    ledger.change_open_release(record.release_id, lambda _: {"stops_scaling": True})
    serving.update(stack, {SCALING_PARAMETER: SCALING_OFF}, token=token)
    aws.log("the endpoint leaves auto-scaling", release=record.release_id, reasons=decision.reasons)
    return True


def come_back(settings: ReleaseModelSettings, ledger: Ledger, *, now: datetime) -> dict[str, Any] | None:
    """Where nothing waits and nothing is in flight: register the endpoint again, if it left for nothing."""
    given, last = serving.given(settings.serving_stack), [one["release_id"] for one in ledger.releases()][-1:]
    attempt = f"scale-again-{''.join(last)}-{now:%Y%m%d}"
    decision = decide_coming_back(
        given, release_key=given.get(RELEASE_PARAMETER), tried=ledger.was_told(attempt), now=now
    )
    if decision is None or ledger.open_release_body():
        return None
    ledger.record(decision, subject=attempt, now=now)
    if decision.verdict == "scale-again":
        ledger.mark_told(attempt)
        serving.update(settings.serving_stack, {SCALING_PARAMETER: SCALING_ON}, token=attempt)
    else:
        people.tell(
            ledger,
            settings.topic_arn,
            about=f"{attempt} page",
            subject=f"{settings.model_package_group}: the endpoint does not scale",
            message=f"{settings.model_package_group}: {'; '.join(decision.reasons)}",
        )
    return decision.to_json()


def _types_that_serve(ledger: Ledger) -> tuple[str, ...]:
    """Of the release that serves; nothing if the ledger does not know it."""
    known = ledger.serving()
    parameters = [one["parameter"] for one in ledger.releases() if known and one["release_id"] == known[0]]
    return ReleaseRecord.from_parameter(parameters[-1]).instance_types if parameters else ()
