"""A measured claim, where results are kept, and the page that shows them all."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

HERE = Path(__file__).parent
RESULTS = HERE / "results"


@dataclass(frozen=True)
class Claim:
    """One claim in words, and both sides of it in the same unit."""

    claim: str
    ours: float
    peer: float
    peer_name: str
    unit: str
    date: str = ""

    @property
    def ratio(self) -> float | None:
        """Ours over the peer's; equal is 1, zero and zero too. None where the peer alone has nothing."""
        if self.ours == self.peer:
            return 1.0
        return round(self.ours / self.peer, 4) if self.peer else None


def write(name: str, claims: Sequence[Claim]) -> None:
    RESULTS.mkdir(exist_ok=True)
    today = datetime.now(UTC).strftime("%Y-%m-%d")
    rows = [{**asdict(claim), "ratio": claim.ratio, "date": claim.date or today} for claim in claims]
    (RESULTS / f"{name}.json").write_text(json.dumps(rows, indent=1) + "\n")


def render() -> str:
    """RESULTS.md from all results; nothing in it is written by hand."""
    lines = [
        "# Measured",
        "",
        "Each row is one claim, both sides measured in one run by `make bench NAME=...` on a machine with 2 cores.",
        "",
        "| benchmark | claim | ours | against | unit | ratio | date |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for path in sorted(RESULTS.glob("*.json")):
        for row in json.loads(path.read_text()):
            against = f"{row['peer']:g} ({row['peer_name']})"
            ratio = "-" if row["ratio"] is None else f"{row['ratio']:.2f}"
            lines.append(
                f"| {path.stem} | {row['claim']} | {row['ours']:g} | {against} | {row['unit']} | {ratio} "
                f"| {row['date']} |"
            )
    return "\n".join(lines) + "\n"
