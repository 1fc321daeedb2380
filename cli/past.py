"""The releases of a deployment as a table for people."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rich.table import Table

from cli.show import Bodies
from cli.terminal import console
from domain.history import Served, history


def releases(bodies: Bodies) -> tuple[Served, ...]:
    in_flight = next(iter(bodies("LEASE")), None)
    return history(bodies("RELEASE"), in_flight, bodies("RUN"), bodies("DECISION"))


def show(served: Sequence[Served]) -> None:
    """Print the table, or that there is nothing yet."""
    if not served:
        print("no release yet; `./tideline status` says what there is")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("release", "model", "served since", "until", "held-out loss", "outcome"):
        table.add_column(name, no_wrap=True, justify="right" if name == "held-out loss" else "left")
    table.add_column("trained because of", overflow="fold")
    for one in served:
        until = one.until or ("now" if one.since else "")
        loss = f"{one.heldout_loss:.4f}"
        why = re.sub(r"(sha256:\w{12})\w+", r"\1", one.why)
        table.add_row(one.release_id, one.model, one.since or "-", until, loss, one.outcome, why)
    console().print(table)
    for one in served:
        if one.outcome not in ("live", "held") and one.because:
            print(f"{one.release_id} {one.outcome}: {one.because}")
