"""Reads a Dockerfile and a .dockerignore: instructions by line, with variables put in."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from rehearsal.engine.account import Unsupported

VARIABLE = re.compile(r"\\\$|\$(?:\{([A-Za-z_]\w*)(?::([-+])([^}]*))?\}|([A-Za-z_]\w*))")


@dataclass(frozen=True)
class Instruction:
    """One instruction: `COPY --from=build /a /b` is name COPY, flags {"from": "build"}, text "/a /b"."""

    line: int
    name: str
    flags: Mapping[str, str]
    text: str

    def exec_form(self) -> list[str]:
        """The JSON list of an ENTRYPOINT or CMD; the shell form is refused, as SageMaker needs signals."""
        try:
            words = json.loads(self.text)
        except json.JSONDecodeError:
            words = None
        if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
            raise self.unsupported(
                f'{self.name} in shell form ("{self.text}"); write the exec form, ["a", "b"]'
            )
        return words

    def words(self) -> list[str]:
        if self.text.startswith("["):
            return self.exec_form()
        return self.text.split()

    def pairs(self) -> dict[str, str]:
        """`KEY=value KEY2="a b"`, or the old `KEY value`."""
        found = re.findall(r"""([^\s=]+)=((?:"[^"]*"|'[^']*'|\\.|[^\s"'])*)""", self.text)
        if not found:
            key, _, value = self.text.partition(" ")
            return {key: value.strip()}
        return {key: re.sub(r"""["']|\\(.)""", r"\1", value) for key, value in found}

    def unsupported(self, what: str) -> Unsupported:
        return Unsupported(f"Dockerfile line {self.line}: {what}; build it in rehearsal/engine/images.py")


def parse(text: str) -> Iterator[Instruction]:
    """The instructions in order; continued lines are joined, comments dropped."""
    joined, start = "", 0
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("#") or (not line.strip() and not joined):
            continue
        start = start or number
        if line.rstrip().endswith("\\"):
            joined += line.rstrip()[:-1] + " "
            continue
        yield _instruction(start, (joined + line).strip())
        joined, start = "", 0
    if joined.strip():
        yield _instruction(start, joined.strip())


def _instruction(line: int, text: str) -> Instruction:
    name, _, rest = text.partition(" ")
    flags = {}
    while match := re.match(r"--([a-z-]+)(?:=(\S+))?\s+", rest := rest.lstrip()):
        flags[match[1]] = match[2] or "true"
        rest = rest[match.end() :]
    instruction = Instruction(line, name.upper(), flags, rest.strip())
    if "<<" in rest and instruction.name in ("RUN", "COPY"):
        raise instruction.unsupported("a here-document")
    return instruction


def substitute(text: str, values: Mapping[str, str]) -> str:
    """Docker's `$NAME`, `${NAME}`, `${NAME:-default}` and `${NAME:+other}`."""

    def value(match: re.Match[str]) -> str:
        name = match[1] or match[4]
        if name is None:
            return "$"
        known = values.get(name, "")
        if match[2] == "-":
            return known or match[3]
        if match[2] == "+":
            return match[3] if known else ""
        return known

    return VARIABLE.sub(value, text)


class Ignored:
    """The .dockerignore of a build context: the last pattern that matches a path or its parent decides."""

    def __init__(self, context: Path) -> None:
        file = context / ".dockerignore"
        lines = file.read_text().splitlines() if file.exists() else []
        self._rules = [_rule(line.strip()) for line in lines if line.strip() and not line.startswith("#")]

    def __call__(self, path: Path) -> bool:
        """Is this path, relative to the context, left out?"""
        names = [path.as_posix(), *(parent.as_posix() for parent in path.parents if parent != Path("."))]
        left_out = False
        for pattern, leaves_out in self._rules:
            if any(pattern.fullmatch(name) for name in names):
                left_out = leaves_out
        return left_out


def _rule(line: str) -> tuple[re.Pattern[str], bool]:
    leaves_out = not line.startswith("!")
    text = line.lstrip("!").strip().strip("/")
    parts = re.split(r"(\*\*/|\*\*|\*|\?|\[[^\]]*\])", text)
    translated = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    pattern = "".join(
        translated.get(part, part if part.startswith("[") else re.escape(part)) for part in parts
    )
    return re.compile(pattern), leaves_out
