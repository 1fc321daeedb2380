"""What must hold before a deploy: each check judges what was seen, and says what to do about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from domain.instances import Choice
from domain.prices import freshness

OK, LOOK, STOP = "ok", "look", "stop"
BOOTSTRAP_VERSION = 6
"""The least that the stacks of aws-cdk-lib 2 ask for: `requiresBootstrapStackVersion` in their manifest."""
USAGES = {
    "Hosting": "endpoint usage",
    "Training": "training job usage",
    "Processing": "processing job usage",
    "Transform": "transform job usage",
}
"""How Service Quotas names a type's quota: `ml.c5.large for endpoint usage`."""


@dataclass(frozen=True)
class Finding:
    """One check: `ok`, `look` (it works, and is worth a look) or `stop` (a deploy or the loop would fail)."""

    check: str
    verdict: str
    found: str
    remedy: str = ""


def check_version(check: str, *, found: str, wanted: str, remedy: str) -> Finding:
    """The pinned version of a tool, exactly.

    >>> check_version("CDK CLI", found="2.1140.0", wanted="2.1148.1", remedy="make setup")
    Finding(check='CDK CLI', verdict='stop', found='2.1140.0, and 2.1148.1 is pinned', remedy='make setup')
    """
    if found == wanted:
        return Finding(check, OK, found)
    return Finding(check, STOP, f"{found or 'not there'}, and {wanted} is pinned", remedy)


def check_bootstrap(version: str | None, *, account: str, region: str) -> Finding:
    """The CDK's own stack in this account and region."""
    remedy = f"make bootstrap ARGS=aws://{account}/{region}"
    if version is None:
        return Finding("bootstrap", STOP, f"{region} is not prepared for the CDK", remedy)
    if not version.isdigit() or int(version) < BOOTSTRAP_VERSION:
        return Finding("bootstrap", STOP, f"version {version}, and {BOOTSTRAP_VERSION} is needed", remedy)
    return Finding("bootstrap", OK, f"version {version}")


def check_prices(as_of: date, *, region: str, today: date) -> Finding:
    age = freshness(as_of, today)
    verdict = OK if age.verdict == "fresh" else LOOK
    return Finding(f"prices of {region}", verdict, age.reason or f"of {as_of}, {age.age_days} days old")


def quota_name(instance_type: str, component: str) -> str:
    return f"{instance_type} for {USAGES[component]}"


def check_quota(choice: Choice, component: str, quotas: Mapping[str, float], *, needed: int) -> Finding:
    """Does the account's quota let the chosen type run `needed` times at once? One that is unknown is asked for.

    The remedy names the cheapest other type whose quota is enough.
    """
    chosen = choice.winner.instance_type
    name = quota_name(chosen, component)
    check = f"quota: {component}"
    allowed = quotas.get(name)
    if allowed is not None and allowed >= needed:
        return Finding(check, OK, f"{name}: {allowed:g}, needed {needed}")
    found = f"{name}: {'unknown' if allowed is None else f'{allowed:g}'}, needed {needed}"
    enough = (
        one.instance_type
        for one in choice.candidates
        if quotas.get(quota_name(one.instance_type, component), 0) >= needed
    )
    other = next(enough, None)
    instead = (
        f"; until then {other} has enough: it is chosen once the price table has no {chosen}" if other else ""
    )
    remedy = f"ask for it in Service Quotas, SageMaker: {name!r} at least {needed}{instead}"
    return Finding(check, LOOK if allowed is None else STOP, found, remedy)


def check_connection(status: str) -> Finding:
    """A connection to a repository must have been completed by a person in the console."""
    if status == "AVAILABLE":
        return Finding("connection", OK, status)
    remedy = "complete it in the console: Developer Tools, Settings, Connections"
    return Finding("connection", STOP, f"{status}: no push starts the pipeline", remedy)


def check_people(email: str | None, pending: Sequence[str]) -> Finding:
    """Somebody must hear what the topic says; `pending` are addresses that have not confirmed."""
    if pending:
        remedy = "open the mail of AWS Notifications and confirm"
        return Finding("people", LOOK, f"{', '.join(pending)} has not confirmed the subscription", remedy)
    if email is None:
        return Finding("people", LOOK, "notify_email is not set: nobody is told", "set it in config/")
    return Finding("people", OK, email)


def worst(findings: Iterable[Finding]) -> str:
    """The gravest verdict.

    >>> worst([Finding("a", OK, ""), Finding("b", LOOK, "")]), worst([])
    ('look', 'ok')
    """
    order = (OK, LOOK, STOP)
    return max((one.verdict for one in findings), key=order.index, default=OK)


def check_mode(live: str | None, *, wanted: str) -> Finding:
    """What a live deployment serves by, None before the first, against serving.mode of the configuration.

    >>> check_mode("realtime", wanted="batch").verdict
    'stop'
    """
    check = "serving.mode"
    if live in (None, wanted):
        return Finding(check, OK, f"{wanted}, as before" if live else wanted)
    return Finding(
        check,
        STOP,
        f"{live} is live, and the configuration says {wanted}: CloudFormation refuses the deploy of Serving",
        "deploy the other mode under another name or environment, move the callers, then remove this one",
    )
