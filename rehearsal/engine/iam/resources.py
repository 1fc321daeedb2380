"""The ARNs of the resources that a call is about, from its parameters and the reference's forms."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from rehearsal.engine.iam import reference
from rehearsal.engine.iam.reference import ResourceKind

Parameters = Mapping[str, Any]
VARIABLE = re.compile(r"\$\{(\w+)\}")
ALIASES = {
    "parameternamewithoutleadingslash": ("name", "names"),
    "queuename": ("queueurl",),
    "rulename": ("name", "rule"),
    "rolenamewithpath": ("rolename",),
    "policynamewithpath": ("policyname",),
    "topicname": ("name",),
    "pipelinename": ("name",),
    "loggroupname": ("loggroupname",),
    "functionid": ("functionname",),
}
"""Parameters that hold a variable of another name."""
DRAWN_BY_AWS = {"id"}
"""Variables that no caller gives: AWS writes * for them."""


@dataclass(frozen=True)
class Where:
    """The account and region of a call."""

    account: str
    region: str


def addressed(action: str, parameters: Parameters, where: Where) -> list[str]:
    """Every ARN that `action` must be allowed on; "*" where the call names none."""
    special = SPECIAL.get(action.partition(":")[0])
    found = list(special(action, parameters, where)) if special else []
    return found or sorted(set(_by_reference(action, parameters, where))) or ["*"]


def _by_reference(action: str, parameters: Parameters, where: Where) -> Iterator[str]:
    known = reference.find(action)
    given = {name.lower(): value for name, value in parameters.items()}
    for kind in known.resources if known else ():
        arns = list(_arns(kind, given, where))
        yield from arns or (["*"] if kind.is_required else [])


def _arns(kind: ResourceKind, given: Mapping[str, Any], where: Where) -> Iterator[str]:
    """Those of one kind: an ARN among the parameters that has its form, or the form filled in."""
    whole = [value for value in given.values() if isinstance(value, str) and _form(kind.arn).fullmatch(value)]
    if whole:
        yield from whole
        return
    variables = [
        name for name in VARIABLE.findall(kind.arn) if name not in ("Partition", "Region", "Account")
    ]
    texts = [list(_values(name.lower(), given)) for name in variables]
    drawn = [
        not values and name.lower() in DRAWN_BY_AWS for name, values in zip(variables, texts, strict=True)
    ]
    if all(drawn) or not all(values or free for values, free in zip(texts, drawn, strict=True)):
        return
    for index in range(max(len(values) for values in texts)):
        arn = kind.arn
        for name, values in zip(variables, texts, strict=True):
            arn = arn.replace(f"${{{name}}}", values[min(index, len(values) - 1)] if values else "*")
        yield _located(arn, where)


def _values(variable: str, given: Mapping[str, Any]) -> Iterator[str]:
    for name in (variable, f"{variable}s", *ALIASES.get(variable, ())):
        value = given.get(name)
        for text in value if isinstance(value, list | tuple) else [value] if value else []:
            if isinstance(text, str) and not text.startswith("arn:"):
                yield text.rsplit("/", 1)[-1] if name == "queueurl" else text.removeprefix("/")
        if value:
            return


def _located(arn: str, where: Where) -> str:
    for name, value in (("Partition", "aws"), ("Region", where.region), ("Account", where.account)):
        arn = arn.replace(f"${{{name}}}", value)
    return arn


@cache
def _form(arn: str) -> re.Pattern[str]:
    return re.compile(VARIABLE.sub(".+", re.sub(r"([^\w${}])", r"\\\1", arn)))


def _of_s3(_: str, parameters: Parameters, __: Where) -> Iterator[str]:
    if parameters.get("Bucket"):
        key = parameters.get("Key")
        yield f"arn:aws:s3:::{parameters['Bucket']}" + (f"/{key}" if key else "")


def _of_logs(_: str, parameters: Parameters, where: Where) -> Iterator[str]:
    """CloudWatch Logs always asks about a stream, with an empty name where there is none."""
    group, stream = parameters.get("logGroupName"), parameters.get("logStreamName", "")
    if group:
        yield f"arn:aws:logs:{where.region}:{where.account}:log-group:{group}:log-stream:{stream}"


def _of_sagemaker(action: str, parameters: Parameters, where: Where) -> Iterator[str]:
    """A new version is checked as a package of its group and as an addition to the group."""
    if action == "sagemaker:CreateModelPackage" and "ModelPackageGroupName" in parameters:
        group = str(parameters["ModelPackageGroupName"]).rsplit("/", 1)[-1]
        base = f"arn:aws:sagemaker:{where.region}:{where.account}"
        yield from (f"{base}:model-package-group/{group}", f"{base}:model-package/{group}/*")


SPECIAL: dict[str, Callable[[str, Parameters, Where], Iterator[str]]] = {
    "s3": _of_s3,
    "logs": _of_logs,
    "sagemaker": _of_sagemaker,
}
"""Services whose calls do not follow the reference's forms."""
