"""The ledger's half of releases: the champion, the one release in flight, what waits, and how each release ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from typing import Any

from domain.events import iso
from domain.releases import Champion, ReleaseRecord, held_release
from domain.returning import Rejected
from lambdas.table import ONLY_NEW, Table, item, still

TRIES = 5
"""How often a change that others overtook is made anew."""


class ReleaseLedger(Table):
    """Of releases; each is opened under one lease and kept when it is closed."""

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
