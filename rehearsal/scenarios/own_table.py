"""Anyone's own table as a scenario: what is made of it is told before it is played."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from config.schema import Config, load
from domain.counted import counted
from rehearsal.scenarios.project import lay_out
from rehearsal.scenarios.turn import Scenario
from rehearsal.table.prepare import Prepared
from rehearsal.table.workspace import HISTORY, files, write_tables


def ready(prepared: Prepared, base: Config, out: Path, console: Console) -> tuple[Scenario, Path]:
    """Lay out the table and a repository for it under `out`, and tell what was inferred."""
    repository, tables = out / "own" / "repository", out / "own" / "tables"
    lay_out(repository, files(prepared, base))
    write_tables(prepared, tables)
    _tell(prepared, load(repository / "config" / f"{base.environment}.yaml"), repository, console)
    (out / "inference.json").write_text(json.dumps(_told(prepared), indent=1))
    pace = prepared.pace
    scenario = Scenario(
        name=prepared.name,
        tables=tables,
        history=(str(HISTORY),),
        start=pace.start,
        end=pace.end,
        retrains=0,
    )
    return scenario, repository


def _told(prepared: Prepared) -> dict[str, Any]:
    columns = [
        {"column": c.source, "feature": c.name or None, "kind": c.kind or None, "why": c.why}
        for c in prepared.columns
    ]
    return {"notes": prepared.notes, "columns": columns}


def _tell(prepared: Prepared, config: Config, repository: Path, console: Console) -> None:
    for note in prepared.notes:
        console.print(note, markup=False, highlight=False)
    table = Table("column", "feature", "kind", "", box=None)
    for column in prepared.columns:
        table.add_row(_plain(column.source), column.name or "-", column.kind or "left out", column.why)
    console.print(table, markup=False, highlight=False)
    watch = config.monitoring
    console.print(
        f"held out {counted(config.gate.holdout_days, 'day')}; a day is judged from "
        f"{counted(watch.min_rows, 'labelled row')} on, fewer wait for the next; red at "
        f"{watch.false_alarms_per_year:g} false alarms a year\n"
        f"Its model.py and configuration: {repository / 'training' / 'model.py'}, {repository / 'config'}\n",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )


def _plain(text: str) -> str:
    """A name from a stranger's file, fit for a terminal."""
    return "".join(character if character.isprintable() else " " for character in text)[:40]
