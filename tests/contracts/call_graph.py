"""Which AWS actions a handler can reach: read from the source, through our own functions and methods."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import boto3
import botocore.session

from config.schema import ROOT

SERVICES = ("cloudformation", "cloudwatch", "codepipeline", "dynamodb", "s3", "sagemaker", "sns", "ssm")
PARAMETERS = {name: name for name in SERVICES} | {"functions": "lambda"}
"""What a parameter of this name holds: a client of this service."""
ACTIONS = {
    "lambda:Invoke": "lambda:InvokeFunction",
    "s3:ListObjectsV2": "s3:ListBucket",
    "s3:HeadObject": "s3:GetObject",
}
"""Operations whose IAM action has another name."""
WRITES = {
    "Put": "PutItem",
    "Update": "UpdateItem",
    "Delete": "DeleteItem",
    "ConditionCheck": "ConditionCheckItem",
}
"""The parts of TransactWriteItems, each allowed by an action of its own."""


class UnknownCallError(ValueError):
    """A call on a client that boto3 does not have, or a client whose service is not plain to see."""


@dataclass
class Body:
    """One function or method: the actions that it asks for itself, and what of ours it calls."""

    actions: set[str] = field(default_factory=set)
    calls: set[str] = field(default_factory=set)


def actions_of(handler: str) -> set[str]:
    """Every IAM action that `lambdas.<handler>.handler` can ask for."""
    bodies, seen, todo = _bodies(), set(), [f"{handler}.handler"]
    while todo:
        name = todo.pop()
        if name in bodies and name not in seen:
            seen.add(name)
            todo += bodies[name].calls
    return {action for name in seen for action in bodies[name].actions}


@cache
def _bodies() -> dict[str, Body]:
    """All functions of lambdas/ as module.function or module.Class.method."""
    files = sorted((ROOT / "lambdas").glob("*.py"))
    return {name: body for path in files for name, body in _of_module(path)}


def _of_module(path: Path) -> Iterator[tuple[str, Body]]:
    tree = ast.parse(path.read_text())
    imported = {
        alias.asname or alias.name: (node.module or "").removeprefix("lambdas").removeprefix(".")
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("lambdas")
        for alias in node.names
    }
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            yield f"{path.stem}.{node.name}", _Reader(path.stem, imported, {}).read(node)
        elif isinstance(node, ast.ClassDef):
            methods = [item for item in node.body if isinstance(item, ast.FunctionDef)]
            attributes = {
                k: v for method in methods for k, v in _clients_in(method).items() if k.startswith("self.")
            }
            for method in methods:
                reader = _Reader(path.stem, imported, attributes)
                yield f"{path.stem}.{node.name}.{method.name}", reader.read(method)


def _service(value: ast.expr) -> str | None:
    """`aws.client("s3")`, `client("s3")` and `boto3.client("s3")` are clients of s3."""
    if isinstance(value, ast.Call) and ast.unparse(value.func).split(".")[-1] == "client":
        argument = value.args[0]
        if isinstance(argument, ast.Constant):
            return str(argument.value)
        if ast.unparse(argument) != "service":  # aws.client itself hands its parameter on
            raise UnknownCallError(
                f"{ast.unparse(value)}: name the service as text, so that its grants can be checked"
            )
    return None


def _clients_in(function: ast.FunctionDef) -> dict[str, str]:
    """Names and attributes that hold a client, and of which service."""
    arguments = [*function.args.args, *function.args.kwonlyargs]
    held = {a.arg: PARAMETERS[a.arg] for a in arguments if a.arg in PARAMETERS}
    for node in ast.walk(function):
        if isinstance(node, ast.Assign):
            for target, value in _pairs(node.targets[0], node.value):
                if service := _service(value):
                    held[ast.unparse(target)] = service
    return held


def _pairs(target: ast.expr, value: ast.expr) -> Iterator[tuple[ast.expr, ast.expr]]:
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        yield from zip(target.elts, value.elts, strict=True)
    else:
        yield target, value


@dataclass
class _Reader:
    module: str
    imported: dict[str, str]
    attributes: dict[str, str]

    def read(self, function: ast.FunctionDef) -> Body:
        body, clients = Body(), {**self.attributes, **_clients_in(function)}
        for node in ast.walk(function):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                receiver = node.func.value
                service = _service(receiver) or clients.get(ast.unparse(receiver))
                if service:
                    body.actions |= self._actions(service, node)
                else:
                    body.calls |= self._called(node.func.attr, ast.unparse(receiver))
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                body.calls |= self._named(node.func.id)
            elif (
                isinstance(node, ast.Dict) and len(node.keys) == 1 and isinstance(node.keys[0], ast.Constant)
            ):
                body.actions |= {f"dynamodb:{WRITES[k]}" for k in (node.keys[0].value,) if k in WRITES}
        return body

    def _actions(self, service: str, call: ast.Call) -> set[str]:
        assert isinstance(call.func, ast.Attribute)
        method = call.func.attr
        if method == "get_paginator":
            assert isinstance(call.args[0], ast.Constant)
            method = str(call.args[0].value)
        operation = _operations(service).get(method)
        if operation is None:
            raise UnknownCallError(f"{self.module}: {service} has no {method}")
        if operation == "TransactWriteItems":
            return set()  # its parts are read where they stand
        action = f"{service}:{operation}"
        return {ACTIONS.get(action, action)}

    def _called(self, name: str, receiver: str) -> set[str]:
        """A function of an imported module, a method of our own class, or of the ledger."""
        if receiver in self.imported and not self.imported[receiver]:
            return {f"{receiver}.{name}"}
        found = self._methods(name)
        own = {full for full in found if full.startswith(f"{self.module}.")}
        inherited = {full for full in found if full.startswith("table.")}
        return (own or inherited) if receiver == "self" else found

    def _methods(self, name: str) -> set[str]:
        return {full for full in _method_names() if full.endswith(f".{name}")}

    def _named(self, name: str) -> set[str]:
        """A function of this module or one imported from another; a class is its constructor."""
        module = self.imported.get(name) or self.module
        return {f"{module}.{name}", f"{module}.{name}.__init__"}


@cache
def _method_names() -> frozenset[str]:
    return frozenset(
        f"{path.stem}.{node.name}.{item.name}"
        for path in (ROOT / "lambdas").glob("*.py")
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.ClassDef)
        for item in node.body
        if isinstance(item, ast.FunctionDef)
    )


@cache
def _operations(service: str) -> dict[str, str]:
    """boto3's method names and the operations behind them."""
    if service not in botocore.session.get_session().get_available_services():
        raise UnknownCallError(f"boto3 has no service {service}")
    client = boto3.client(
        service, region_name="us-east-1", aws_access_key_id="none", aws_secret_access_key="none"
    )
    return dict(client.meta.method_to_api_mapping)
