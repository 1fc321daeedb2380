"""The ledger: one DynamoDB table of decisions, claims, budgets and the champion. Decisions are only ever added."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from domain.decision import Decision
from domain.events import iso, month_of
from domain.job_record import JobRecord
from domain.names import DECIDED
from domain.releases import Champion, ReleaseRecord, held_release
from domain.returning import Rejected
from domain.training_run import Plan
from lambdas import aws
from lambdas.table import ONLY_NEW, Table, item, key, still

TRIES = 5
"""How often a change that others overtook is made anew."""


class Ledger(Table):
    """Each item has a `body`; what a condition looks at is an attribute of its own."""

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

    # releases ------------------------------------------------------------------------------------------------
    def champion(self) -> Champion | None:
        body = self._body("CHAMPION", "live")
        return None if body is None else Champion(**body)

    def crown(self, champion: Champion) -> None:
        self._put("CHAMPION", "live", asdict(champion))

    def open_release(self, record: ReleaseRecord, facts: dict[str, Any], *, now: datetime) -> bool:
        """Take the one release lease; False if another release holds it."""
        body = {
            "release_id": record.release_id,
            "parameter": record.to_parameter(),
            **facts,
            "opened_at": iso(now),
        }
        return self._put_if(Item=item("LEASE", "release", body), **ONLY_NEW)

    def open_release_body(self) -> dict[str, Any] | None:
        return self._body("LEASE", "release")

    def change_open_release(
        self, release_id: str, change: Callable[[dict[str, Any]], dict[str, Any]]
    ) -> dict[str, Any] | None:
        """Add to the open release what `change` makes of its body, anew if somebody else was faster.

        Returns its new body; None if this release is not open. Raises RuntimeError if others always were faster.
        """
        for _ in range(TRIES):
            body = self.open_release_body()
            if body is None or body["release_id"] != release_id:
                return None
            changed = {**body, **change(body)}
            if changed == body or self._put_if(Item=item("LEASE", "release", changed), **still(body)):
                return changed
        raise RuntimeError(f"release {release_id} was changed by others {TRIES} times in between; try again")

    def close_release(self, body: dict[str, Any], *, outcome: str, now: datetime) -> None:
        """Keep how the release ended, and free its lease, whatever was added to it meanwhile."""
        self.keep_release(body, outcome=outcome, now=now)
        for _ in range(TRIES):
            opened = self.open_release_body()
            if opened is None or opened["release_id"] != body["release_id"]:
                return
            if self._delete_if("LEASE", "release", **still(opened)):
                return
        raise RuntimeError(
            f"release {body['release_id']} was changed by others {TRIES} times in between; try again"
        )

    def keep_release(self, body: dict[str, Any], *, outcome: str, now: datetime) -> None:
        """One that was held serves since then; `proved_at` is when it was found to be good."""
        since = {"closed_at": iso(now)} if "closed_at" not in body else {"proved_at": iso(now)}
        self._put("RELEASE", body["release_id"], {**body, "outcome": outcome, **since})

    def held_release(self) -> dict[str, Any] | None:
        """The release that serves without having proved itself."""
        found = held_release(self.releases())
        return None if found is None else dict(found)

    def serving(self) -> tuple[str, str] | None:
        """Release and package that should serve: the one on hold, else the champion."""
        held, champion = self.held_release(), self.champion()
        if held:
            return held["release_id"], held["package_arn"]
        return (champion.release_id, champion.package_arn) if champion else None

    def let_wait(
        self,
        package_arn: str,
        *,
        because: str,
        now: datetime,
        approved_at: datetime | None = None,
        in_place_of: Rejected | None = None,
        not_before: datetime | None = None,
    ) -> None:
        """Keep an approved package that cannot be released now, and why. One that waits already and was approved
        again waits since then; by any other look it waits for as long as before, and for the same.

        `in_place_of` is the rejected package from which it is the way back; until `not_before` it is left alone.
        """
        was = self._body("WAITING", package_arn)
        since = max(was["since"] if was else "", iso(approved_at) if approved_at else "") or iso(now)
        body = {"package_arn": package_arn, "because": because, "since": since}
        in_place_of = Rejected.of(was) if was else in_place_of
        if in_place_of and not approved_at:
            body |= in_place_of.to_json()
        if not_before:
            body["not_before"] = iso(not_before)
        self._put_if(Item=item("WAITING", package_arn, body), **(still(was) if was else ONLY_NEW))

    def waiting(self) -> list[dict[str, Any]]:
        return self._bodies("WAITING")

    def waits_since(self, package_arn: str) -> str:
        """When the package was approved that waits; "" for one that does not."""
        return str((self._body("WAITING", package_arn) or {}).get("since", ""))

    def stop_waiting(self, package_arn: str) -> None:
        self._delete("WAITING", package_arn)

    def releases(self) -> list[dict[str, Any]]:
        return self._bodies("RELEASE")

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
