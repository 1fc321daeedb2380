"""From a file and two column names to all that a rehearsal needs, or to one sentence that says why not."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from domain.classes import LEAST
from domain.counted import counted
from domain.job_settings import CheckLimits
from domain.loss import TASKS
from rehearsal.table import features, pace, reading, target, times
from rehearsal.table.features import Column
from rehearsal.table.pace import Pace
from rehearsal.table.target import Target
from rehearsal.table.unusable import Unusable, shown

TIME = "event_time"
COPY_CORRELATION = 0.999999
MIN_CLASS_ROWS = CheckLimits().min_class_rows


@dataclass(frozen=True)
class Question:
    """What somebody asks of a table."""

    data: Path
    target: str
    time: str
    task: str | None = None


@dataclass(frozen=True)
class Prepared:
    """The table as it is played: `rows` in the order of time, its columns TIME, the features and the target."""

    name: str
    task: str
    target: str
    columns: tuple[Column, ...]
    rows: pd.DataFrame
    pace: Pace
    notes: tuple[str, ...]
    classes: tuple[str, ...] = ()
    """Of a multiclass task, in alphabetical order."""

    @property
    def kinds(self) -> dict[str, str]:
        """The features by name, as model.py states them."""
        return {column.name: column.kind for column in self.columns if column.kind}

    @property
    def history(self) -> pd.DataFrame:
        return self.rows.iloc[: self.pace.first_played]

    @property
    def played(self) -> pd.DataFrame:
        return self.rows.iloc[self.pace.first_played :]


def question(data: Path, target: str | None, time: str | None, task: str | None) -> Question:
    """What was typed, if it is complete; raises Unusable."""
    missing = [label for label, given in (("TARGET", target), ("TIME", time)) if not given]
    if missing or not target or not time:
        columns = shown(list(reading.read(data).cells.columns))
        raise Unusable(
            f"{' and '.join(missing)} must name a column of {data.name}; its columns are: {columns}"
        )
    if task and task not in TASKS:
        raise Unusable(f"TASK is {task!r}, allowed are {', '.join(TASKS)}")
    return Question(data, target, time, task or None)


def prepare(question: Question) -> Prepared:
    """Read, order by time, infer, lay out; raises Unusable."""
    table = reading.read(question.data)
    time, wanted = _named(table.cells, question)
    if len(table.cells) < pace.MIN_ROWS:
        raise Unusable(f"{question.data} has {len(table.cells)} rows, at least {pace.MIN_ROWS} are needed")
    answer = target.infer(table.cells[wanted], wanted, question.task, decimal_comma=table.delimiter == ";")
    when = times.required(table.cells[time], time)
    notes = [f"delimiter {table.delimiter!r}, {len(table.cells):,} rows", *table.notes, *answer.notes]
    whole = (when.notna() & (answer.values != "")).to_numpy()
    if lost := int((~whole).sum()):
        notes.append(f"{lost:,} rows without a {wanted} or a {time} are left out")
    order = when[whole].sort_values(kind="stable").index
    if len(order) > pace.MAX_ROWS:
        notes.append(f"only the last {pace.MAX_ROWS:,} of {len(order):,} rows are taken")
        order = order[-pace.MAX_ROWS :]
    order = _without_rare_classes(order, when, answer, notes)
    when = when.loc[order].reset_index(drop=True)
    values = answer.values.loc[order].reset_index(drop=True)
    played = pace.pace(when)
    _require_variety(values, wanted, played)
    others = table.cells.loc[order].drop(columns=[time, wanted]).reset_index(drop=True)
    name = features.plain_name(wanted) or "target"
    name = "target" if name == TIME else name
    columns = _without_copies(
        features.infer(
            others,
            when=when,
            first_rows=played.first_played,
            target=name,
            decimal_comma=table.delimiter == ";",
        ),
        values,
        answer.task,
    )
    stamps = played.times.reset_index(drop=True).dt.strftime("%Y-%m-%dT%H:%M:%SZ")
    rows = pd.DataFrame({TIME: stamps, **{c.name: c.values for c in columns if c.kind}, name: values})
    return Prepared(
        _stem(question.data),
        answer.task,
        name,
        tuple(columns),
        rows,
        played,
        (*notes, played.note),
        tuple(sorted(set(values))) if answer.task == "multiclass" else (),
    )


def _learned(values: pd.Series, played: Pace) -> pd.Series:
    """What the first model is trained on: the days before the held-out ones."""
    stamps = played.times.iloc[: played.first_played]
    held_out = stamps.iloc[-1].normalize() - pd.Timedelta(days=pace.holdout_days(stamps) - 1)
    return values.iloc[: played.first_played][(stamps < held_out).to_numpy()]


def _without_rare_classes(order: pd.Index, when: pd.Series, answer: Target, notes: list[str]) -> pd.Index:
    """Leave out the rows of classes too rare for the first model to learn, until there are none."""
    while answer.task == "multiclass":
        values = answer.values.loc[order]
        counts = _learned(values, pace.pace(when.loc[order].reset_index(drop=True))).value_counts()
        kinds = sorted(set(values))
        rare = [one for one in kinds if counts.get(one, 0) < MIN_CLASS_ROWS]
        if len(kinds) - len(rare) < LEAST:
            raise Unusable(
                f"{len(kinds) - len(rare)} of {len(kinds)} classes have {MIN_CLASS_ROWS} rows or more among those "
                f"that the first model is trained on, at least {LEAST} are needed; put rare classes together"
            )
        if not rare:
            return order
        left = values.isin(rare)
        notes.append(
            f"{counted(int(left.sum()), 'row')} left out, of classes with fewer than {MIN_CLASS_ROWS} rows among those "
            f"that the first model is trained on: {shown(rare, most=5)}"
        )
        order = order[~left.to_numpy()]
    return order


def _named(cells: pd.DataFrame, question: Question) -> tuple[str, str]:
    """The columns that TIME and TARGET mean; another case will do if it means only one."""
    found = []
    for label, wanted in (("TIME", question.time), ("TARGET", question.target)):
        same = [name for name in cells.columns if name == wanted.strip()] or [
            name for name in cells.columns if name.casefold() == wanted.strip().casefold()
        ]
        if len(same) != 1:
            raise Unusable(
                f"{label} is {wanted!r}, which {question.data.name} has not; its columns are: "
                f"{shown(list(cells.columns))}"
            )
        found += same
    if found[0] == found[1]:
        raise Unusable(f"TARGET and TIME are both {found[0]!r}; name what is predicted, and what dates a row")
    return found[0], found[1]


def _require_variety(values: pd.Series, wanted: str, played: Pace) -> None:
    """The days before the held-out ones must show more than one value, or there is nothing to learn."""
    learned = _learned(values, played)
    if learned.nunique() < 2:
        only = learned.iloc[0] if len(learned) else "not there"
        raise Unusable(
            f"TARGET {wanted!r} is {only} in all of the first {len(learned)} rows by time, from which the first "
            "model is trained; it needs two different values there"
        )


def _is_copy(column: Column, values: pd.Series, task: str) -> bool:
    """Does the column say the same as the target, be it in other words or another unit?"""
    if column.values is None:
        return False
    if task == "multiclass" or values.nunique() == 2:
        return bool((pd.factorize(column.values)[0] == pd.factorize(values)[0]).all())
    if column.kind != "number" or column.values.nunique() < 2:
        return False
    return bool(abs(pd.to_numeric(column.values).corr(values.astype(float))) > COPY_CORRELATION)


def _without_copies(columns: list[Column], values: pd.Series, task: str) -> list[Column]:
    """A column that says the same as the target is the answer, not a question."""
    copies = {c.name for c in columns if c.kind and _is_copy(c, values, task)}
    left = [
        Column(c.source, "", "", "a copy of the target: it gives the answer away") if c.name in copies else c
        for c in columns
    ]
    if not any(column.kind for column in left):
        raise Unusable("every other column is a copy of the target; there is nothing to predict it from")
    return left


def _stem(path: Path) -> str:
    return path.name.split(".")[0] or "table"
