"""Anyone's own table as a scenario: what is made of it is told before it is played."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from config.schema import Config, load
from rehearsal.scenarios.turn import Scenario
from rehearsal.table.prepare import Prepared
from rehearsal.table.workspace import HISTORY, Workspace, lay_out


def ready(prepared: Prepared, base: Config, out: Path, console: Console) -> tuple[Scenario, Workspace]:
    """Lay out the repository for the table, and tell what was inferred."""
    workspace = lay_out(prepared, base, out / "own")
    _tell(prepared, workspace, console)
    (out / "inference.json").write_text(json.dumps(_told(prepared), indent=1))
    return _scenario(prepared, workspace), workspace


def _scenario(prepared: Prepared, workspace: Workspace) -> Scenario:
    pace = prepared.pace
    return Scenario(
        name=prepared.name,
        tables=workspace.tables,
        history=(str(HISTORY),),
        start=pace.start,
        end=pace.end,
        retrains=0,
    )


def _told(prepared: Prepared) -> dict[str, Any]:
    columns = [
        {"column": c.source, "feature": c.name or None, "kind": c.kind or None, "why": c.why}
        for c in prepared.columns
    ]
    return {"notes": prepared.notes, "columns": columns}


def _tell(prepared: Prepared, workspace: Workspace, console: Console) -> None:
    for note in prepared.notes:
        console.print(note, markup=False, highlight=False)
    table = Table("column", "feature", "kind", "", box=None)
    for column in prepared.columns:
        table.add_row(_plain(column.source), column.name or "-", column.kind or "left out", column.why)
    console.print(table, markup=False, highlight=False)
    config = load(workspace.config)
    watch = config.monitoring
    console.print(
        f"held out {config.gate.holdout_days} days; measured loss over {watch.window_days} days with labels, from "
        f"{watch.min_rows} rows on; red above {watch.loss_ratio_threshold} times the held-out loss\n"
        f"Its model.py and configuration: {workspace.root / 'training' / 'model.py'}, {workspace.config}\n",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )


def _plain(text: str) -> str:
    """A name from a stranger's file, fit for a terminal."""
    return "".join(character if character.isprintable() else " " for character in text)[:40]
