"""The glob patterns of CodePipeline's filters, by its user guide, "Working with glob patterns in syntax"."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

TOKEN = re.compile(
    r"\\(?P<escaped>.)|(?P<wild>\*\*|\*|\?)|\[(?P<set>!?[^\]]+)\]|(?P<group>[{},])|(?P<plain>.)"
)
SPECIAL = re.compile(r"([\\^\[&~|])")
WILD = {"**": ".*", "*": "[^/]*", "?": "[^/]"}


def matches_any(globs: Sequence[str], value: str) -> bool:
    """`*` and `?` stay within a folder, `**` does not; `[a-c]`, `[!a]`, `{a,b}` and `\\*` as in a shell."""
    return any(_pattern(glob).fullmatch(value) for glob in globs)


@cache
def _pattern(glob: str) -> re.Pattern[str]:
    parts, inside = [], False
    for token in TOKEN.finditer(glob):
        if token["wild"]:
            parts.append(WILD[token["wild"]])
        elif token["set"]:
            members = SPECIAL.sub(r"\\\1", token["set"].removeprefix("!"))
            parts.append(f"[^{members}]" if token["set"].startswith("!") else f"[{members}]")
        elif token["group"] and (inside or token["group"] == "{"):
            parts.append({"{": "(?:", ",": "|", "}": ")"}[token["group"]])
            inside = token["group"] != "}"
        else:
            parts.append(re.escape(token["escaped"] or token[0]))
    return re.compile("".join(parts))
