"""Switches on every service of the local account, in one order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rehearsal.engine import (
    alarms,
    cloudformation,
    endpoints,
    functions,
    jobs,
    model_cards,
    pipelines,
    queues,
    registry,
    routing,
    schedules,
    service_metrics,
    service_quotas,
    transform_jobs,
)
from rehearsal.engine.delivery import builds, repositories
from rehearsal.engine.delivery import pipelines as code_pipelines
from rehearsal.engine.iam import gate

if TYPE_CHECKING:
    from rehearsal.engine.account import Account

SERVICES = (
    *(gate, cloudformation, functions, routing, queues, schedules, alarms, service_metrics),
    *(registry, model_cards, jobs, pipelines, endpoints, transform_jobs, service_quotas),
    *(repositories, builds, code_pipelines),
)


def install(account: Account) -> None:
    """Patch moto for `account`; everything is undone when the account closes."""
    for service in SERVICES:
        service.install(account)
