"""The record of one decision: what was decided, by which rule, why, and on what. The ledger keeps them all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Decision:
    """One decision. `kind` is instance, training, retrain, gate, release, transform or delivery."""

    kind: str
    verdict: str
    rule: str
    reasons: tuple[str, ...]
    inputs: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "verdict": self.verdict,
            "rule": self.rule,
            "reasons": list(self.reasons),
            "inputs": dict(self.inputs),
        }

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Decision:
        return cls(raw["kind"], raw["verdict"], raw["rule"], tuple(raw["reasons"]), raw["inputs"])
