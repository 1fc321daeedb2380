"""The journal as a file: JSON Lines, without what this machine measured."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from rehearsal.engine import Account
from rehearsal.scenarios.record import write_journal


def test_a_latency_is_left_out_of_every_form_in_which_an_alarm_tells_it(tmp_path: Path) -> None:
    reason = "Threshold Crossed: 1 datapoint [251000.5 (25/04/13 15:17:00)] was greater than the threshold (250000.0)."
    points = {"recentDatapoints": [251000.5], "evaluatedDatapoints": [{"value": 251000.5}]}
    data = json.dumps(points, separators=(",", ":"))
    with Account(start=datetime(2026, 1, 1, tzinfo=UTC), directory=tmp_path / "account") as account:
        account.journal.write(
            "alarm", alarm="x-rollback-latency", reason=reason, value=251000.5, event={"reasonData": data}
        )
        write_journal(account, tmp_path / "journal.jsonl")
    (line,) = (tmp_path / "journal.jsonl").read_text().splitlines()
    assert "251000.5" not in line
    told = json.loads(line)["facts"]
    assert (told["alarm"], told["value"]) == ("x-rollback-latency", "(measured)")
    assert "greater than the threshold (250000.0)" in told["reason"]
