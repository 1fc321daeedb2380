"""Scenarios as files: what is read, checked and made ready to play. Errors are for the person who wrote the file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Self, TypeVar

import yaml
from pydantic import BeforeValidator, Field, ValidationError, model_validator

from config.schema import Config, ConfigError, read_yaml, sentence
from config.values import Part
from rehearsal.engine.job_faults import Fault, FaultKind
from rehearsal.scenarios.deployment import ROOT
from rehearsal.scenarios.expected import Expected, Later
from rehearsal.scenarios.kinds import Instant, Listed, exactly_one
from rehearsal.scenarios.pushes import End, Push
from rehearsal.scenarios.table_changes import Table, write_changed
from rehearsal.scenarios.turn import Scenario

SEASONS = Path(__file__).parent / "seasons"
STANDARD = "flights"
Model = TypeVar("Model", bound=Part)


class FileChange(Part):
    """What becomes of one file: exactly one of these."""

    text: str | None = None
    """Its whole new text; a bare text in the file of the scenario means this."""
    append: str | None = None
    """After what this project's own file says."""
    copy_of: str | None = None
    """Another file's text; the path counts from the folder of the scenario's file."""
    restore: bool = False
    """As it is in this project."""
    remove: bool = False

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        texts = {name: getattr(self, name) is not None for name in ("text", "append", "copy_of")}
        exactly_one({**texts, "restore": self.restore, "remove": self.remove})
        return self


def _bare_text(value: Any) -> Any:
    return {"text": value} if isinstance(value, str) else value


class PushEntry(Part):
    at: Instant
    message: Annotated[str, Field(min_length=1)]
    ends: End
    changes: Mapping[str, Annotated[FileChange, BeforeValidator(_bare_text)]] = {}
    """By path in the project."""


class FaultEntry(Part):
    what: FaultKind
    job: str
    """A step of the training pipeline: CheckData, Train or Evaluate."""
    skip: Annotated[int, Field(ge=0)] = 0
    times: Annotated[int, Field(ge=1)] = 1


class ScenarioFile(Part):
    """What a scenario's file may say."""

    title: Annotated[str, Field(min_length=1)]
    table: Table
    start: Instant
    end: Instant
    config: Mapping[str, Any] = {}
    """What differs from the environment's own file."""
    pushes: Listed[PushEntry] = ()
    """With any, everything comes by the delivery pipeline; without, it is deployed directly."""
    faults: Listed[FaultEntry] = ()
    expect: Expected
    later: Later | None = None


@dataclass(frozen=True)
class Loaded:
    """A scenario's file that was found good, and where it lies."""

    path: Path
    file: ScenarioFile

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def folder(self) -> Path:
        own, project = self.path.parent / self.file.table.folder, ROOT / self.file.table.folder
        return project if project.is_dir() else own

    def scenario(self, scratch: Path) -> Scenario:
        """Ready to play; a table that is to be changed is written under `scratch`. Raises ConfigError."""
        table, tables = self.file.table, self.folder
        if not table.is_as_it_is:
            tables = scratch / "tables"
            try:
                write_changed(table, self.folder, tables, end=self.file.end)
            except ValueError as error:
                raise ConfigError(f"{self.path}: table.changes: {error}") from None
        return Scenario(
            name=self.name,
            tables=tables,
            history=table.history,
            start=self.file.start,
            end=self.file.end,
            pushes=self.pushes(),
            retrains=self.file.expect.retrains.at_least,
            expected=self.file.expect,
            later=self.file.later,
            faults=tuple(Fault(one.what, one.job, one.skip, one.times) for one in self.file.faults),
            judges_grants=self.path == SEASONS / f"{STANDARD}.yaml",
        )

    def pushes(self) -> tuple[Push, ...]:
        return tuple(Push(one.at, one.message, one.ends, self._changes(one)) for one in self.file.pushes)

    def _changes(self, entry: PushEntry) -> dict[str, str | None]:
        return {name: self._text(name, change) for name, change in entry.changes.items()}

    def _text(self, name: str, change: FileChange) -> str | None:
        if change.remove or change.text is not None:
            return change.text
        source = self.path.parent / change.copy_of if change.copy_of else ROOT / name
        if not source.is_file():
            raise ConfigError(f"{self.path}: pushes: {name}: got {source}; allowed: a file that is there")
        return source.read_text() + (change.append or "")

    def config(self, base: Path) -> str:
        """The environment's file with what the scenario changes in it, as YAML. Raises ConfigError."""
        merged = _merged(read_yaml(base), self.file.config)
        _checked(Config, merged, self.path)
        return yaml.safe_dump(merged, sort_keys=False)


def find(name: str) -> Loaded:
    """A scenario by its name here, or by the path of a file. Raises ConfigError."""
    path = Path(name) if name.endswith((".yaml", ".yml")) else SEASONS / f"{name}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(one.stem for one in SEASONS.glob("*.yaml")))
        raise ConfigError(
            f"SCENARIO: got {name!r}; allowed: {known}, or the path of a file that ends in .yaml"
        )
    loaded = Loaded(path, _checked(ScenarioFile, read_yaml(path), path))
    _check_rest(loaded)
    return loaded


def _checked(model: type[Model], value: object, path: Path) -> Model:
    try:
        return model.model_validate(value)
    except ValidationError as error:
        keys = "config/schema.py" if model is Config else "rehearsal/scenarios/load.py"
        raise ConfigError("\n".join(sentence(path, one, keys) for one in error.errors())) from None


def _check_rest(loaded: Loaded) -> None:
    """What one key alone does not show."""
    file, path = loaded.file, loaded.path
    if file.end <= file.start:
        raise ConfigError(f"{path}: end: got {file.end}; allowed: later than start, {file.start}")
    missing = [name for name in file.table.history if not (loaded.folder / name).is_file()]
    if missing:
        raise ConfigError(f"{path}: table.history: got {missing[0]!r}; allowed: a file of {loaded.folder}")
    outside = [push.at for push in file.pushes if not file.start <= push.at < file.end]
    if outside:
        raise ConfigError(f"{path}: pushes: got one at {outside[0]}; allowed: between start and end")
    loaded.pushes()


def _merged(base: Any, changes: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in changes.items():
        known = merged.get(key)
        merged[key] = _merged(known or {}, value) if isinstance(value, Mapping) else value
    return merged
