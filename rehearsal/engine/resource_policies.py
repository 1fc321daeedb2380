"""Whether a resource policy lets an AWS service act: functions, queues and topics ask here."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any

from rehearsal.engine.account import Unsupported

Statement = Mapping[str, Any]


def allows(
    statements: Iterable[Statement], *, service: str, action: str, resource: str, context: Mapping[str, str]
) -> bool:
    """True when a statement allows `service` to do `action` on `resource`, and none denies it.

    `context` holds the condition keys that AWS fills in for this request, such as aws:SourceArn.
    """
    known = {key.lower(): value for key, value in context.items()}
    effects = {
        statement["Effect"]
        for statement in statements
        if _names_principal(statement.get("Principal"), service)
        and _matches_any(action.lower(), [name.lower() for name in _listed(statement.get("Action"))])
        and _matches_any(resource, _listed(statement.get("Resource", "*")))
        and _conditions_hold(statement.get("Condition") or {}, known)
    }
    return "Allow" in effects and "Deny" not in effects


def parse(policy: str | Mapping[str, Any] | None) -> list[Statement]:
    """The statements of a policy document, given as text or as an object."""
    document = json.loads(policy) if isinstance(policy, str) else policy
    return _listed(document.get("Statement")) if document else []


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _matches_any(value: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(value, pattern.replace("[", "[[]")) for pattern in patterns)


def _names_principal(principal: Any, service: str) -> bool:
    if not isinstance(principal, Mapping):
        return principal in ("*", service)
    return service in _listed(principal.get("Service")) or "*" in _listed(principal.get("AWS"))


def _conditions_hold(conditions: Mapping[str, Mapping[str, Any]], known: Mapping[str, str]) -> bool:
    return all(
        _condition_holds(operator, known.get(key.lower()), [str(item) for item in _listed(expected)])
        for operator, keys in conditions.items()
        for key, expected in keys.items()
    )


def _condition_holds(operator: str, actual: str | None, expected: list[str]) -> bool:
    """One condition; a key that the request does not carry fulfils only the negated and IfExists operators."""
    name = operator.removesuffix("IfExists")
    if name == "Null":
        return (actual is None) == (expected[0].lower() == "true")
    negated = "Not" in name
    if actual is None:
        return negated or operator.endswith("IfExists")
    kind = name.replace("Not", "")
    if kind in ("StringEquals", "ArnEquals", "ArnLike", "StringLike"):
        exact = kind == "StringEquals"
        held = actual in expected if exact else _matches_any(actual, expected)
    elif kind == "Bool":
        held = actual.lower() in [item.lower() for item in expected]
    else:
        raise Unsupported(
            f"the condition operator {operator} in a resource policy: the local account knows Arn*, String*, Bool and "
            "Null. Build it in rehearsal/engine/resource_policies.py."
        )
    return held != negated
