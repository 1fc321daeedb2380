"""The docs name what there is: whatever people can type, set, see or be woken by, and no link leads nowhere."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from cli.__main__ import parser
from config import reference
from config.delivery import Delivery
from config.schema import PRICES, ROOT, Config, load
from domain import events
from domain.idle_cost import PRICES_AS_OF, Standing, idle_cost
from domain.instances import Workload, choose
from domain.names import METRIC_NAMESPACE, METRIC_UNITS
from domain.prices import parse_prices
from domain.training_run import CAUSES

PAGES = sorted(
    [
        *(ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md")),
        *(ROOT / "docs").rglob("*.md"),
    ]
)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^ *```.*?^ *```", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`([^`\n]+)`")
README_LINES = 250
SHARED_BY_HANDLERS = {
    *("__init__", "approvals", "aws", "endpoint", "ledger", "model_cards", "packages", "people", "scaling"),
    *("release_ledger", "serving", "table", "transforms"),
}
OF_A_BATCH = {"start_transform", "record_transform"}
"""Functions that a deployment with an endpoint does not have."""


def text(name: str) -> str:
    return (ROOT / name).read_text()


def code_of(page: str) -> str:
    """All that stands in code, inline or in a block, a line each."""
    return "\n".join([*CODE.findall(FENCE.sub("", page)), *FENCE.findall(page)])


def named(word: str, page: str) -> bool:
    """Does the page have the word in code, alone or with something around it?"""
    return re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", code_of(page)) is not None


def make_targets() -> list[str]:
    return re.findall(r"^([a-z-]+):", text("Makefile"), re.MULTILINE)


def commands() -> dict[str, argparse.ArgumentParser]:
    actions = parser()._actions
    return dict(next(a for a in actions if isinstance(a, argparse._SubParsersAction)).choices)


def handlers() -> list[str]:
    return sorted({path.stem for path in (ROOT / "lambdas").glob("*.py")} - SHARED_BY_HANDLERS)


def stacks_source() -> str:
    return "\n".join(path.read_text() for path in sorted((ROOT / "stacks").glob("*.py")))


@pytest.mark.parametrize("target", make_targets())
def test_the_readme_names_every_make_target(target: str) -> None:
    assert named(target, text("README.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_tells_nobody_to_make_what_there_is_not(page: Path) -> None:
    told = re.findall(r"^ *make ([a-z-]+)\b", code_of(page.read_text()), re.MULTILINE)
    assert set(told) <= set(make_targets())


@pytest.mark.parametrize("command", commands())
def test_the_readme_names_every_command_and_each_of_its_options(command: str) -> None:
    readme = text("README.md")
    assert named(command, readme)
    needed = [a for a in commands()[command]._actions if a.option_strings and a.required]
    assert [a.option_strings for a in needed if not named(a.option_strings[-1], readme)] == []


def test_a_page_uses_only_commands_that_parse() -> None:
    argument = r"(?: +(?:--?[\w-]+|\"[^\"]*\"|[\w./]+))+"
    used = {
        line for page in PAGES for line in re.findall(rf"\./tideline({argument})", code_of(page.read_text()))
    }
    assert len(used) > 10
    for line in sorted(used):
        words = [word.strip('"') for word in re.findall(r"\"[^\"]*\"|\S+", line)]
        if words not in (
            ["retrain"],
            ["approve"],
            ["train"],
            ["rollback"],
        ):  # the bare name of a command, in prose
            assert parser().parse_args(words).command in commands(), line


def test_the_page_of_the_configuration_is_what_the_schemas_say() -> None:
    assert reference.PAGE.read_text() == reference.page(), "run `python -m config.reference`"


@pytest.mark.parametrize("model", [Config, Delivery])
def test_every_key_says_what_it_does(model: type[BaseModel]) -> None:
    told = {one.name: one.does for one in reference.keys(model)}
    assert len(told) > 8
    assert [name for name, does in told.items() if not does] == []


def test_the_page_states_default_and_bounds_of_a_key() -> None:
    told = {one.name: one for one in reference.keys(Config)}
    assert (told["name"].default, told["bring.kms_key_arn"].default) == ("required", "none")
    budget, bake, shift = (
        told[name]
        for name in ("budget_usd_per_month", "serving.release.bake_minutes", "serving.release.shift")
    )
    assert (budget.default, budget.allowed) == ("25", "above 0")
    assert (bake.default, bake.allowed) == ("10", "whole, from 4 to 60")
    assert (shift.default, shift.allowed) == ("canary", "`canary`, `linear`")


def test_what_the_readme_tells_of_a_key_is_its_name_and_default() -> None:
    told = {one.name: one.default for one in reference.keys(Config)}
    rows = re.findall(r"^\| `([a-z_.`, ]+)` \| ([^|]+) \|", text("README.md"), re.MULTILINE)
    stated = {
        name: default
        for names, defaults in rows
        for name, default in zip(names.split("`, `"), defaults.strip().split(", "), strict=False)
        if name in told
    }
    assert len(stated) > 5
    assert stated == {name: told[name] for name in stated}


@pytest.mark.parametrize("handler", handlers())
def test_the_architecture_names_every_function(handler: str) -> None:
    assert re.search(rf"^\| `{handler}` \|", text("docs/architecture.md"), re.MULTILINE)


def test_the_architecture_names_the_python_of_the_functions() -> None:
    [version] = set(re.findall(r"Runtime\.PYTHON_(\d_\d+)", stacks_source()))
    assert f"Python {version.replace('_', '.')} on arm64" in text("docs/architecture.md")


@pytest.mark.parametrize("metric", METRIC_UNITS)
def test_the_architecture_says_what_every_metric_is(metric: str) -> None:
    architecture = text("docs/architecture.md")
    assert re.search(rf"^\| `{metric}` \| \w", architecture, re.MULTILINE)
    assert f"`{METRIC_NAMESPACE}`" in architecture


def test_the_architecture_names_every_alarm_and_its_runbook() -> None:
    architecture, source = text("docs/architecture.md"), stacks_source()
    suffixes = re.findall(r"alarm_name=f\"\{self\.names\.deployment\}-([\w-]+)\"", source)
    assert len(suffixes) == 6
    for suffix in suffixes:
        row = rf"^\| `<name>-<environment>-{suffix}` \|.*\(runbooks/{suffix}\.md\)"
        assert re.search(row, architecture, re.MULTILINE), suffix
    assert "(runbooks/dead-letters.md)" in architecture


def test_every_alarm_and_approval_names_a_runbook_that_is_there_and_every_runbook_has_its_own() -> None:
    source = stacks_source()
    runbooks = set(re.findall(r"Runbook: (docs/runbooks/[\w-]+\.md)", source))
    alarms = len(re.findall(r"cloudwatch\.(?:Cfn)?Alarm\(", source))
    alarms += max(0, source.count("self._daily_alarm(") - 1)  # several by one constructor
    assert alarms + source.count('"provider": "Manual"') == source.count("Runbook: ")
    told = set(
        re.findall(
            r"see (docs/runbooks/[\w-]+\.md)", text("domain/transforms.py") + text("lambdas/packages.py")
        )
    )
    there = {str(path.relative_to(ROOT)) for path in (ROOT / "docs" / "runbooks").glob("*.md")}
    assert runbooks | told == there


def test_the_runbook_of_dead_letters_names_every_function() -> None:
    page = text("docs/runbooks/dead-letters.md")
    assert [
        handler for handler in handlers() if "".join(map(str.title, handler.split("_"))) not in page
    ] == []


def test_the_architecture_names_every_rule() -> None:
    rules = set(re.findall(r"\"(On[A-Z]\w+)\"", stacks_source()))
    assert len(rules) == 10
    assert {rule for rule in rules if f"| `{rule}` |" not in text("docs/architecture.md")} == set()
    parsers = [name for name in dir(events) if name.startswith("parse_")]
    assert len(parsers) == len(
        rules - {"OnPush", "OnFailure", "OnCheckFailure"}
    )  # a pipeline and people, no handler


def test_the_architecture_names_every_partition_of_the_ledger() -> None:
    ledger = "".join(text(f"lambdas/{name}.py") for name in ("ledger", "release_ledger", "transforms"))
    partitions = set(
        re.findall(r"(?:item|key|_put|_body|_bodies|_get|_delete|_delete_if)\(\s*\"([A-Z]+)\"", ledger)
    )
    assert len(partitions) == 14
    table = re.findall(r"^\| `([A-Z]+)` \|", text("docs/architecture.md"), re.MULTILINE)
    assert set(table) == partitions


def slugs(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in LINK.findall(FENCE.sub("", page.read_text())):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in slugs(target), link


def test_every_decision_has_its_page_and_every_page_its_three_parts() -> None:
    pages = sorted((ROOT / "docs" / "adr").glob("0*.md"))
    index = text("docs/adr/README.md")
    for number, page in enumerate(pages, start=1):
        body = page.read_text()
        assert page.name.startswith(f"{number:04d}-")
        assert body.startswith(f"# {number}. ")
        assert body.splitlines()[0].removeprefix(f"# {number}. ") in index
        assert f"({page.name})" in index
        assert [part for part in ("Context", "Decision", "Consequences") if f"**{part}.**" not in body] == []


def test_the_glossary_has_each_word_once_and_the_words_of_the_code() -> None:
    words = re.findall(r"^\| \*\*([\w -]+)\*\* \| \w", text("docs/glossary.md"), re.MULTILINE)
    assert len(words) == len(set(words)) >= 15
    code = "\n".join(
        path.read_text().lower()
        for folder in ("domain", "lambdas", "training", "stacks", "rehearsal")
        for path in (ROOT / folder).rglob("*.py")
    )
    assert [word for word in words if not re.search(re.sub("[- ]", "[- _]?", word), code)] == []
    assert {"champion", "challenger", "snapshot", "release record", "ledger", "gate"} <= set(words)
    assert "operator" in CAUSES


def test_the_readme_is_short_and_its_picture_is_there() -> None:
    readme = text("README.md")
    assert len(readme.splitlines()) <= README_LINES
    assert "docs/loop.svg" in readme
    assert text("docs/loop.svg").startswith("<svg")


def test_the_pages_call_an_emulation_an_emulation() -> None:
    for name in ("README.md", "docs/fidelity.md", "docs/architecture.md"):
        assert "an emulation, not AWS" in re.sub(r"\s+", " ", text(name)), name
    assert [page.name for page in PAGES if "the truth about AWS" in page.read_text()] == []


@pytest.mark.parametrize("column, environment", enumerate(("dev", "prod"), start=1))
def test_the_readme_states_what_an_environment_costs_at_rest(column: int, environment: str) -> None:
    config = load(ROOT / "config" / f"{environment}.yaml")
    instance = choose(
        parse_prices((PRICES / f"{config.region}.csv").read_text(), config.region),
        Workload("Hosting", memory_gib=config.serving.memory_gib, vcpus=config.serving.vcpus),
    ).winner
    of_a_release = 2 if config.serving.instance_count == 1 else 2 + 4  # the shift compares four metrics
    and_the_alarms_queue = 1
    alarms = (
        len(re.findall(r"alarm_name=f", stacks_source()))
        + len(handlers())
        - len(OF_A_BATCH)
        + and_the_alarms_queue
        + of_a_release
    )
    standing = Standing(
        instance.usd_per_hour, config.serving.instance_count, new_keys=2, alarms=alarms,
        custom_metrics=len(METRIC_UNITS), dashboards=1, polled_queues=1,
    )  # fmt: skip
    cost = idle_cost(standing)
    readme = text("README.md")
    wanted = {
        f"`{instance.instance_type}`": cost.endpoint_usd,
        "alarms at 0.10": cost.watch_usd,
        "two KMS keys": cost.key_usd,
        "polling": cost.queue_usd,
        "**idle**": cost.total_usd,
        "`budget_usd_per_month`": config.budget_usd_per_month,
        "**ceiling**": cost.ceiling_usd(config.budget_usd_per_month),
    }
    assert re.search(rf"^\| (\d+ and )?{alarms}( and \d+)? alarms at 0.10", readme, re.MULTILINE)
    table = [line.split("|") for line in readme.splitlines() if re.search(r"\d\.\d\d\*{0,2} \|$", line)]
    for name, usd in wanted.items():
        [row] = [cells for cells in table if name in cells[1]]
        assert row[1 + column].strip(" *") == f"{usd:.2f}", name
    assert f"list prices of {PRICES_AS_OF}" in readme
