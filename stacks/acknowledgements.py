"""Findings of the conformance rules that stand, each on the one construct that it is about, and why."""

from __future__ import annotations

import aws_cdk as cdk
from constructs import IConstruct


def acknowledge(construct: IConstruct, finding: str, reason: str) -> None:
    """Let a finding stand, such as `Serverless-SQSRedrivePolicy`; the report keeps it together with the reason.

    The rule pack's name goes before the id: without it the finding would vanish from the report.
    """
    pack = finding.split("-", maxsplit=1)[0]
    cdk.Validations.of(construct).acknowledge(cdk.Acknowledgment(id=f"{pack}::{finding}", reason=reason))
