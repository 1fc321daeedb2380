"""CloudWatch metric math, as far as alarms here use it: + - * /, comparisons, ABS, FILL, IF over one period."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass

Value = float | None
"""The value of a metric in a period; None where it has no data."""
ARITHMETIC: dict[type[ast.AST], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
COMPARISONS: dict[type[ast.AST], Callable[[float, float], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
ARGUMENTS = {"ABS": 1, "FILL": 2, "IF": 3}


class NotBuilt(Exception):
    """The expression uses something that is not built here; the message names it."""


@dataclass(frozen=True)
class Expression:
    """A parsed expression; only what is listed above gets through the parser."""

    text: str
    tree: ast.expr

    def value(self, metrics: Mapping[str, Value]) -> Value:
        """The value of one period: without data where an operand that counts is without data."""
        return _value(self.tree, metrics)


def parse(text: str, ids: frozenset[str]) -> Expression:
    """Read an expression over the metrics of these ids."""
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except SyntaxError as error:
        raise NotBuilt(f"the expression {text!r}, which cannot be read ({error.msg})") from error
    _check(tree, ids, text)
    return Expression(text, tree)


def _check(node: ast.expr, ids: frozenset[str], text: str) -> None:
    match node:
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
            return
        case ast.Name(id=name) if name in ids:
            return
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            parts = [operand]
        case ast.BinOp(left=left, op=op, right=right) if type(op) in ARITHMETIC:
            parts = [left, right]
        case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in COMPARISONS:
            parts = [left, right]
        case ast.Call(func=ast.Name(id=name), args=parts, keywords=[]) if ARGUMENTS.get(name) == len(parts):
            pass
        case _:
            what = ast.get_source_segment(text.strip(), node) or text
            raise NotBuilt(f"{what!r} in the metric math {text!r}")
    for part in parts:
        _check(part, ids, text)


def _value(node: ast.expr, metrics: Mapping[str, Value]) -> Value:
    match node:
        case ast.Constant(value=int() | float() as number):
            return float(number)
        case ast.Name(id=name):
            return metrics[name]
        case ast.UnaryOp(operand=operand):
            value = _value(operand, metrics)
            return None if value is None else -value
        case ast.BinOp(left=left, op=op, right=right):
            return _joined(ARITHMETIC[type(op)], _value(left, metrics), _value(right, metrics))
        case ast.Compare(left=left, ops=[op], comparators=[right]):
            return _joined(COMPARISONS[type(op)], _value(left, metrics), _value(right, metrics))
        case ast.Call(func=ast.Name(id=name), args=arguments):
            return _called(name, arguments, metrics)
    raise AssertionError(f"{ast.dump(node)} got past the parser")


def _called(name: str, arguments: list[ast.expr], metrics: Mapping[str, Value]) -> Value:
    first = _value(arguments[0], metrics)
    if name == "ABS":
        return None if first is None else abs(first)
    if name == "FILL":
        return _value(arguments[1], metrics) if first is None else first
    return None if first is None else _value(arguments[1 if first else 2], metrics)


def _joined(operation: Callable[[float, float], float], left: Value, right: Value) -> Value:
    """No data, and no quotient of zero, give no data."""
    if left is None or right is None:
        return None
    try:
        return float(operation(left, right))
    except ZeroDivisionError:
        return None
