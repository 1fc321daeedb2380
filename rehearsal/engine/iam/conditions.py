"""The Condition block of a statement: whether a request's context fulfils it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rehearsal.engine.account import Unsupported
from rehearsal.engine.iam.patterns import listed, matches_any

Context = Mapping[str, tuple[str, ...]]
"""The values of a request's condition keys, by name in lower case."""

KNOWN = frozenset(
    {
        *(
            "aws:principalaccount",
            "aws:principalarn",
            "aws:principalisawsservice",
            "aws:principalservicename",
        ),
        *("aws:principaltype", "aws:requestedregion", "aws:securetransport", "aws:sourceaccount"),
        *("aws:sourcearn", "aws:sourceowner", "aws:tagkeys", "aws:viaawsservice"),
        *("application-autoscaling:scalable-dimension", "application-autoscaling:service-namespace"),
        *("cloudformation:rolearn", "cloudformation:templateurl", "cloudwatch:namespace"),
        *("iam:awsservicename", "iam:passedtoservice", "kms:calleraccount", "kms:viaservice"),
        *("s3:prefix", "s3:tlsversion", "s3:x-amz-server-side-encryption"),
        "s3:x-amz-server-side-encryption-aws-kms-key-id",
    }
)
"""The keys that the local account fills in wherever AWS does."""
KNOWN_FAMILIES = ("aws:requesttag/", "kms:encryptioncontext:")


def _equal(actual: str, expected: str) -> bool:
    return actual == expected


def _like(actual: str, expected: str) -> bool:
    return matches_any((expected,), actual)


OPERATORS: dict[str, Callable[[str, str], bool]] = {
    "StringEquals": _equal,
    "StringEqualsIgnoreCase": lambda actual, expected: actual.lower() == expected.lower(),
    "StringLike": _like,
    "ArnEquals": _like,
    "ArnLike": _like,
    "Bool": lambda actual, expected: actual.lower() == expected.lower(),
    "NumericEquals": lambda actual, expected: float(actual) == float(expected),
    "NumericLessThan": lambda actual, expected: float(actual) < float(expected),
    "NumericLessThanEquals": lambda actual, expected: float(actual) <= float(expected),
    "NumericGreaterThan": lambda actual, expected: float(actual) > float(expected),
    "NumericGreaterThanEquals": lambda actual, expected: float(actual) >= float(expected),
}
NEGATED = {
    "StringNotEquals": "StringEquals",
    "StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase",
    "StringNotLike": "StringLike",
    "ArnNotEquals": "ArnEquals",
    "ArnNotLike": "ArnLike",
    "NumericNotEquals": "NumericEquals",
}


def hold(conditions: Mapping[str, Mapping[str, Any]], context: Context) -> bool:
    """Whether all conditions hold: every operator, and every key under it."""
    return all(
        _holds(operator, key, tuple(_text(value) for value in listed(expected)), context)
        for operator, keys in conditions.items()
        for key, expected in keys.items()
    )


def _holds(operator: str, key: str, expected: tuple[str, ...], context: Context) -> bool:
    quantifier, _, name = operator.rpartition(":")
    _refuse_unknown_key(key)
    actual = context.get(key.lower())
    if name == "Null":
        return (actual is None) == (expected[0].lower() == "true")
    optional, name = name.endswith("IfExists"), name.removesuffix("IfExists")
    is_negated, name = name in NEGATED, NEGATED.get(name, name)
    test = OPERATORS.get(name)
    if test is None or quantifier not in ("", "ForAnyValue", "ForAllValues"):
        raise Unsupported(
            f"the condition operator {operator}: the local account knows {', '.join([*OPERATORS, *NEGATED, 'Null'])}, "
            "with IfExists, ForAnyValue and ForAllValues. Build it in rehearsal/engine/iam/conditions.py."
        )
    if actual is None:
        return optional or quantifier == "ForAllValues" or (is_negated and not quantifier)
    each = [any(test(value, wanted) for wanted in expected) != is_negated for value in actual]
    return any(each) if quantifier == "ForAnyValue" else all(each)


def _refuse_unknown_key(key: str) -> None:
    name = key.lower()
    if name not in KNOWN and not name.startswith(KNOWN_FAMILIES):
        raise Unsupported(
            f"the condition key {key}: the local account does not fill it in, so the condition could not be judged. "
            "Build it in rehearsal/engine/iam/calls.py and name it in conditions.py."
        )


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
