"""The gate on unused grants: a grant needs a use or a reason, and a reason needs its unused grant."""

from __future__ import annotations

import json

from rehearsal.engine.iam.grants import RoleGrant
from rehearsal.engine.iam.policies import Grant
from rehearsal.scenarios.unused_grants import REASONS, stale, unexplained

EXPLAINED = "codepipeline:GetPipelineExecution"
RECONCILE = "tideline-dev-retraining-ReconcileRole286C6F45-F2505D670B0D"


def found(role: str, action: str, *, used: bool) -> RoleGrant:
    statement = json.dumps({"Effect": "Allow", "Action": action, "Resource": "*"})
    return RoleGrant(role, Grant(statement, action), used)


def test_an_unused_grant_without_a_reason_is_named_by_role_and_action() -> None:
    report = [found(RECONCILE, "s3:DeleteObject", used=False), found(RECONCILE, "s3:GetObject", used=True)]
    assert unexplained(report) == [f"{RECONCILE} s3:DeleteObject"]


def test_an_unused_grant_with_a_reason_is_no_finding() -> None:
    assert unexplained([found(RECONCILE, EXPLAINED, used=False)]) == []


def test_a_reason_whose_grant_is_used_or_gone_is_stale() -> None:
    kept, used = (
        found(RECONCILE, EXPLAINED, used=False),
        found(RECONCILE, EXPLAINED, used=True),
    )
    assert f"retraining-ReconcileRole {EXPLAINED}" not in stale([kept])
    assert f"retraining-ReconcileRole {EXPLAINED}" in stale([used])
    assert len(stale([])) == sum(len(reason.actions) for reason in REASONS)
