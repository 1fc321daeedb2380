"""`./tideline explain`: decisions and their reasons, where a version comes from, and what is wrong with the traffic."""

from __future__ import annotations

import json
from typing import Any

from cli import show
from cli.source import CommandError, Source
from domain.lineage import lineage

WATCHED_ALARMS = ("invalid", "traffic")
"""Those on which no decision hangs."""


def explained(source: Source, what: str | None, *, as_json: bool) -> str:
    """All that is known of `what`; of the last decision without. Raises CommandError if there is nothing."""
    if what in WATCHED_ALARMS:  # no decision hangs on these
        watched = show.watched(source.bodies)
        lines = show.watched_lines(watched) or ["nothing was checked yet since the last release"]
        return json.dumps(watched, indent=1) if as_json else "\n".join(lines)
    decisions = source.bodies("DECISION")
    if what and what.isdecimal():
        return _model(source, what, decisions, as_json=as_json)
    found = [d for d in decisions if what in f"{d['kind']} {d['subject']}"] if what else decisions[-1:]
    if not found:
        known = ", ".join(sorted({d["subject"] for d in decisions})) or "none yet"
        raise CommandError(f"no decision about {what!r}; there are decisions about: {known}")
    return json.dumps(found, indent=1) if as_json else "\n\n".join(show.decision_text(d) for d in found)


def _model(source: Source, version: str, decisions: list[dict[str, Any]], *, as_json: bool) -> str:
    """Where the model package of this version comes from, and what was decided about it."""
    origin = lineage(version, source.bodies("RELEASE"), decisions, source.bodies("RUN"))
    if origin is None:
        raise CommandError(f"no release of version {version} was decided yet; the registry alone knows it")
    about = [
        d for d in decisions if d["subject"].endswith(f"/{version}") or str(origin["run"]) in d["subject"]
    ]
    if as_json:
        return json.dumps({"lineage": origin, "decisions": about}, indent=1)
    return "\n\n".join([show.lineage_text(origin), *(show.decision_text(d) for d in about)])
