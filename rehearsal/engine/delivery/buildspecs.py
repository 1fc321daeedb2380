"""Reads a buildspec of version 0.2, as far as it is built here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from rehearsal.engine.account import Unsupported

PHASES = ("install", "pre_build", "build", "post_build")
KNOWN = {
    "": {"version", "env", "phases"},
    "env": {"variables", "exported-variables", "shell"},
    "phase": {"commands", "runtime-versions"},
}


@dataclass(frozen=True)
class Buildspec:
    """Commands in order, with the phase of each; runtime versions are the machine's own and are not looked at."""

    commands: tuple[tuple[str, str], ...]
    variables: Mapping[str, str]
    exported: tuple[str, ...]


def parse(text: str) -> Buildspec:
    """Raises Unsupported naming what is not built."""
    spec = yaml.safe_load(text)
    if not isinstance(spec, dict) or str(spec.get("version")) != "0.2":
        raise Unsupported(f"a buildspec that is not of version 0.2: {text[:60]!r}")
    _check("", spec)
    environment, phases = spec.get("env", {}), spec.get("phases", {})
    _check("env", environment)
    strange = sorted(set(phases) - set(PHASES))
    if strange:
        raise _unsupported(f"phases.{strange[0]}")
    commands = []
    for phase in PHASES:
        _check("phase", phases.get(phase, {}))
        listed = phases.get(phase, {}).get("commands", [])
        commands += [(phase, str(one)) for one in ([listed] if isinstance(listed, str) else listed)]
    return Buildspec(
        tuple(commands),
        {name: str(value) for name, value in environment.get("variables", {}).items()},
        tuple(environment.get("exported-variables", ())),
    )


def _check(where: str, part: Mapping[str, Any]) -> None:
    for key in sorted(set(part) - KNOWN[where]):
        raise _unsupported(f"{where}.{key}".lstrip("."))


def _unsupported(what: str) -> Unsupported:
    return Unsupported(f"buildspec {what}: not built; build it in rehearsal/engine/delivery/buildspecs.py")
