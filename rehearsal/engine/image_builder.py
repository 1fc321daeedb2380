"""Carries out a Dockerfile's steps into a directory, stage by stage."""

from __future__ import annotations

import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rehearsal.engine import dockerfile as docker
from rehearsal.engine.dockerfile import Ignored, Instruction

HARMLESS_COPY_FLAGS = {"chown", "link", "from"}  # no owners here, and layers do not matter


@dataclass(frozen=True)
class Config:
    """What the Dockerfile says besides files."""

    environment: dict[str, str] = field(default_factory=dict)
    entrypoint: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)
    workdir: str = "/"
    user: str = ""
    ports: list[str] = field(default_factory=list)
    labels: dict[str, str] = field(default_factory=dict)


@dataclass
class Stage:
    """One FROM of a Dockerfile while it is being built."""

    root: Path
    config: Config
    variables: dict[str, str]
    name: str = ""
    commands: list[str] = field(default_factory=list)  # RUN steps that were not executed


class Builder:
    """Carries out instructions, stage by stage."""

    def __init__(self, context: Path, scratch: Path) -> None:
        self.notes: list[str] = []
        self._context = context
        self._ignored = Ignored(context)
        self._scratch = scratch
        self._stages: list[Stage] = []
        self._globals: dict[str, str] = {}

    def result(self, dockerfile: Path) -> Stage:
        if not self._stages:
            raise ValueError(f"{dockerfile} has no FROM; a Dockerfile starts with one")
        return self._stages[-1]

    def carry_out(self, instruction: Instruction) -> None:
        step = getattr(self, f"_do_{instruction.name.lower()}", None)
        if step is None:
            raise instruction.unsupported(f"the instruction {instruction.name}")
        if not self._stages and instruction.name not in ("FROM", "ARG"):
            raise instruction.unsupported(f"{instruction.name} before the first FROM")
        variables = self._stages[-1].variables if self._stages else self._globals
        if instruction.name == "FROM":
            variables = self._globals
        if instruction.name != "RUN":  # the shell would put in a RUN's variables
            text = docker.substitute(instruction.text, variables)
            instruction = Instruction(instruction.line, instruction.name, instruction.flags, text)
        step(instruction)

    def _do_from(self, instruction: Instruction) -> None:
        base, *alias = instruction.words()
        root = self._scratch / str(len(self._stages))
        earlier = self._stage(base)
        if earlier is None:
            root.mkdir()
            self._stages.append(Stage(root, Config(), {}))
            self.notes.append(f"FROM {base}: the running Python and system stand for it")
        else:
            shutil.copytree(earlier.root, root, symlinks=True)
            self._stages.append(Stage(root, earlier.config, dict(earlier.config.environment)))
        self._stages[-1].name = alias[1] if len(alias) == 2 else ""

    def _do_arg(self, instruction: Instruction) -> None:
        for word in instruction.words():
            name, given, default = word.partition("=")
            value = default if given else self._globals.get(name, "")
            target = self._stages[-1].variables if self._stages else self._globals
            target.setdefault(name, value)

    def _do_env(self, instruction: Instruction) -> None:
        stage = self._stages[-1]
        stage.variables.update(instruction.pairs())
        self._configure(environment={**stage.config.environment, **instruction.pairs()})

    def _do_workdir(self, instruction: Instruction) -> None:
        workdir = str(Path(self._stages[-1].config.workdir) / instruction.text)
        self._configure(workdir=workdir)
        self._inside(workdir).mkdir(parents=True, exist_ok=True)

    def _do_copy(self, instruction: Instruction) -> None:
        for flag in instruction.flags:
            if flag not in HARMLESS_COPY_FLAGS:
                raise instruction.unsupported(f"COPY --{flag}")
        *sources, target = instruction.words()
        destination = self._inside(str(Path(self._stages[-1].config.workdir) / target))
        into_directory = target.endswith("/") or len(sources) > 1 or destination.is_dir()
        for source in sources:
            for found in self._found(instruction, source):
                self._copy(found, destination, into_directory, from_context="from" not in instruction.flags)

    def _found(self, instruction: Instruction, source: str) -> list[Path]:
        """The files or directories that a COPY source names."""
        origin = self._context
        if "from" in instruction.flags:
            stage = self._stage(instruction.flags["from"])
            if stage is None:
                raise instruction.unsupported(
                    f"COPY --from={instruction.flags['from']}, an image from elsewhere"
                )
            origin = stage.root
        found = sorted(origin.glob(source.strip("/") or ".")) if source.strip("/.") else [origin]
        if "from" not in instruction.flags:
            found = [path for path in found if path == origin or not self._ignored(path.relative_to(origin))]
        elif not found and stage and stage.commands:
            self.notes.append(
                f"line {instruction.line}: {source} is made by RUN in stage {instruction.flags['from']!r}; "
                "taken from the running environment"
            )
            return []
        if not found:
            raise FileNotFoundError(
                f"Dockerfile line {instruction.line}: COPY {source}: no such file in {origin} "
                "(or .dockerignore leaves it out)"
            )
        return found

    def _copy(self, source: Path, destination: Path, into_directory: bool, *, from_context: bool) -> None:
        if not source.is_dir():
            target = destination / source.name if into_directory else destination
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target, follow_symlinks=False)
            return
        destination.mkdir(parents=True, exist_ok=True)
        for file in sorted(path for path in source.rglob("*") if not path.is_dir()):
            if from_context and self._ignored(file.relative_to(self._context)):
                continue
            target = destination / file.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file, target, follow_symlinks=False)

    def _do_run(self, instruction: Instruction) -> None:
        self._stages[-1].commands.append(instruction.text)
        self.notes.append(
            f"line {instruction.line}: RUN {instruction.text} was not executed; "
            "packages are those of the running environment"
        )

    def _do_user(self, instruction: Instruction) -> None:
        self._configure(user=instruction.text)

    def _do_expose(self, instruction: Instruction) -> None:
        self._configure(ports=[*self._stages[-1].config.ports, *instruction.words()])

    def _do_label(self, instruction: Instruction) -> None:
        self._configure(labels={**self._stages[-1].config.labels, **instruction.pairs()})

    def _do_entrypoint(self, instruction: Instruction) -> None:
        self._configure(entrypoint=instruction.exec_form())

    def _do_cmd(self, instruction: Instruction) -> None:
        self._configure(command=instruction.exec_form())

    def _configure(self, **changes: Any) -> None:
        stage = self._stages[-1]
        stage.config = Config(**{**asdict(stage.config), **changes})

    def _inside(self, path: str) -> Path:
        return self._stages[-1].root / path.lstrip("/")

    def _stage(self, name: str) -> Stage | None:
        if name.isdigit() and int(name) < len(self._stages):
            return self._stages[int(name)]
        return next((stage for stage in self._stages if stage.name and stage.name == name), None)
