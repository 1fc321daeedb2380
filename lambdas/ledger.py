"""The ledger: one DynamoDB table of decisions, runs, budgets and releases. Decisions are only ever added."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from domain.decision import Decision
from domain.events import iso, month_of
from domain.job_record import JobRecord
from domain.names import DECIDED
from domain.training_run import Plan
from lambdas import aws
from lambdas.release_ledger import ReleaseLedger
from lambdas.table import ONLY_NEW, item, key, still


class Ledger(ReleaseLedger):
    """Each item has a `body`; what a condition looks at is an attribute of its own. Releases: `release_ledger.py`."""

    # decisions -----------------------------------------------------------------------------------------------
    def record(self, decision: Decision, *, subject: str, now: datetime) -> bool:
        """Add a decision. The same kind, subject and rule are recorded once; False if they were already."""
        sk = f"{decision.kind}#{subject}#{decision.rule}"
        body = {**decision.to_json(), "subject": subject, "at": iso(now)}
        is_new = self._transact(
            {"Put": {"Item": item("DECIDED", sk, {"at": iso(now)}), **ONLY_NEW}},
            {"Put": {"Item": item("DECISION", f"{iso(now)}#{sk}", body), **ONLY_NEW}},
        )
        if is_new:
            about = {"kind": decision.kind, "verdict": decision.verdict, "rule": decision.rule}
            aws.log(DECIDED, **about, subject=subject, why="; ".join(decision.reasons))
        return is_new

    def decisions(self) -> list[dict[str, Any]]:
        return self._bodies("DECISION")

    def was_told(self, about: str) -> bool:
        return self._get("TOLD", about) is not None

    def mark_told(self, about: str) -> None:
        self._put("TOLD", about, {})

    # the switch ----------------------------------------------------------------------------------------------
    def paused(self) -> bool:
        """What `./tideline pause` wrote."""
        return (self._body("CONTROL", "paused") or {"paused": False})["paused"] is True

    # snapshots -----------------------------------------------------------------------------------------------
    def latest_snapshot(self) -> dict[str, Any] | None:
        return self._body("SNAPSHOT", "latest")

    def set_latest_snapshot(self, body: dict[str, Any]) -> None:
        self._put("SNAPSHOT", "latest", body)

    # the watch -----------------------------------------------------------------------------------------------
    def watched(self, release_id: str) -> list[dict[str, Any]]:
        """The days of a release that `check_drift` has counted, in order."""
        return [json.loads(found["body"]["S"]) for found in self._query("WATCH", prefix=f"{release_id}#")]

    def keep_watched(self, release_id: str, body: dict[str, Any]) -> None:
        """Keep what a day came to; counted again it is the same day."""
        self._put("WATCH", f"{release_id}#{body['day']}", body)

    # training runs -------------------------------------------------------------------------------------------
    def running(self, now: datetime) -> str | None:
        """The run that holds the lease, unless the lease ran out."""
        lease = self._get("LEASE", "training")
        if lease is None or float(lease["expires_at"]["N"]) <= now.timestamp():
            return None
        return str(lease["run_id"]["S"])

    def run(self, run_id: str) -> dict[str, Any] | None:
        """{plan, status, started_at, execution_arn}; status is CLAIMED, STARTED or SETTLED."""
        return self._body("RUN", run_id)

    def runs(self) -> list[dict[str, Any]]:
        return self._bodies("RUN")

    def remaining_micro_usd(self, month: str, *, budget_micro_usd: int) -> int:
        """What is left of a month's budget."""
        found = self._get("BUDGET", month)
        return budget_micro_usd - (int(found["reserved"]["N"]) if found else 0)

    def claim(self, plan: Plan, *, now: datetime, budget_micro_usd: int) -> bool:
        """Claim the run, take the lease and reserve the whole cost, all or nothing. False if any is not free."""
        room = budget_micro_usd - plan.reserved_micro_usd
        if room < 0:
            return False
        body = {"plan": plan.to_json(), "status": "CLAIMED", "claimed_at": iso(now)}
        return self._transact(
            {"Put": {"Item": item("RUN", plan.run_id, body), **ONLY_NEW}},
            {"Put": self._lease(plan, now)},
            {
                "Update": {
                    "Key": key("BUDGET", month_of(now)),
                    "UpdateExpression": "SET reserved = if_not_exists(reserved, :none) + :cost",
                    "ConditionExpression": "attribute_not_exists(reserved) OR reserved <= :room",
                    "ExpressionAttributeValues": {
                        ":none": {"N": "0"},
                        ":cost": {"N": str(plan.reserved_micro_usd)},
                        ":room": {"N": str(room)},
                    },
                }
            },
        )

    def _lease(self, plan: Plan, now: datetime) -> dict[str, Any]:
        """The put that takes the one training lease if it is free, ran out, or is this run's own."""
        lease = {"run_id": {"S": plan.run_id}, "expires_at": {"N": str(plan.lease_until(now).timestamp())}}
        return {
            "Item": {**key("LEASE", "training"), **lease},
            "ConditionExpression": "attribute_not_exists(pk) OR expires_at <= :now OR run_id = :run",
            "ExpressionAttributeValues": {":now": {"N": str(now.timestamp())}, ":run": lease["run_id"]},
        }

    def renew_lease(self, plan: Plan, *, now: datetime) -> bool:
        """Take the lease again for a run that was claimed before; False if another run holds it."""
        return self._put_if(**self._lease(plan, now))

    def mark_started(self, run_id: str, *, execution_arn: str, now: datetime) -> None:
        run = self.run(run_id)
        assert run is not None
        if run["status"] == "CLAIMED":
            started = {"status": "STARTED", "execution_arn": execution_arn, "started_at": iso(now)}
            self._put_if(Item=item("RUN", run_id, {**run, **started}), **still(run))

    def settle(
        self,
        run_id: str,
        *,
        outcome: str,
        spent_micro_usd: int,
        now: datetime,
        gate: str = "",
        jobs: Sequence[JobRecord] = (),
    ) -> bool:
        """Close a run with its jobs: give back what it did not spend, free the lease. False if it was closed before."""
        run = self.run(run_id)
        assert run is not None
        if run["status"] == "SETTLED":
            return False
        ended: dict[str, Any] = {
            "outcome": outcome,
            "spent_micro_usd": spent_micro_usd,
            "settled_at": iso(now),
            **({"gate": gate} if gate else {}),
            "jobs": [job.to_json() for job in jobs],
        }
        refund = run["plan"]["reserved_micro_usd"] - spent_micro_usd
        settled = self._transact(
            {
                "Put": {
                    "Item": item("RUN", run_id, {**run, "status": "SETTLED", **ended}),
                    **still(run),
                }
            },
            {
                "Update": {
                    "Key": key("BUDGET", run["claimed_at"][:7]),
                    "UpdateExpression": "SET reserved = reserved - :refund",
                    "ExpressionAttributeValues": {":refund": {"N": str(refund)}},
                }
            },
        )
        if settled:
            self._free_lease(run_id)
        return settled

    def _free_lease(self, run_id: str) -> None:
        own = {"ConditionExpression": "run_id = :run", "ExpressionAttributeValues": {":run": {"S": run_id}}}
        self._delete_if("LEASE", "training", **own)

    # deliveries ----------------------------------------------------------------------------------------------
    def wait_for_run(self, execution: str, run_id: str, *, now: datetime) -> None:
        """An execution of the delivery pipeline waits for this run; said twice, it is once."""
        body = {"execution": execution, "run_id": run_id, "asked_at": iso(now), "outcome": None}
        self._put_if(Item=item("DELIVERY", execution, body), **ONLY_NEW)

    def deliveries_waiting(self) -> list[dict[str, Any]]:
        return [body for body in self._bodies("DELIVERY") if body["outcome"] is None]

    def close_delivery(self, body: dict[str, Any], *, outcome: str) -> None:
        self._put("DELIVERY", body["execution"], {**body, "outcome": outcome})


def utc_now() -> datetime:
    return datetime.now(UTC)
