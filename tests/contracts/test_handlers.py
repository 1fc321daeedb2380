"""Template and code agree on handlers and their environment: what a stack sets is what the function reads."""

from __future__ import annotations

import importlib
import inspect
from dataclasses import fields

import pytest

from config.schema import ROOT
from domain import settings
from domain.names import ACCOUNT_VARIABLE
from domain.settings import MissingSettingError, Settings
from tests.stacks.synthesis import Deployment


def handlers(deployment: Deployment) -> list[str]:
    return [f.properties["Handler"] for f in deployment.of_type("AWS::Lambda::Function")]


def settings_of(handler: str) -> type[Settings]:
    name = "".join(word.capitalize() for word in handler.split(".")[1].split("_")) + "Settings"
    found: type[Settings] = getattr(settings, name)
    return found


def test_every_handler_of_the_templates_can_be_called_with_an_event_and_a_context(dev: Deployment) -> None:
    for handler in handlers(dev):
        module, name = handler.rsplit(".", 1)
        function = getattr(importlib.import_module(module), name)
        assert len(inspect.signature(function).parameters) == 2, handler


def test_every_handler_module_has_one_function_and_is_named_after_it(
    dev: Deployment, prod: Deployment, nightly: Deployment
) -> None:
    files = (ROOT / "lambdas").glob("*.py")
    modules = {path.stem for path in files if "\ndef handler(" in path.read_text()}
    for deployment in (dev, prod, nightly):
        batch = set() if deployment is nightly else {"start_transform", "record_transform"}
        assert sorted(handlers(deployment)) == sorted(
            f"lambdas.{module}.handler" for module in modules - batch
        )
        for function in deployment.of_type("AWS::Lambda::Function"):
            module = function.properties["Handler"].split(".")[1]
            assert function.properties["FunctionName"].endswith(f"-{module.replace('_', '-')}")


def test_every_function_s_environment_is_what_its_settings_read(
    dev: Deployment, prod: Deployment, nightly: Deployment
) -> None:
    for deployment in (dev, prod, nightly):
        for function in deployment.of_type("AWS::Lambda::Function"):
            handler, environment = (
                function.properties["Handler"],
                function.properties["Environment"]["Variables"],
            )
            kind = settings_of(handler)
            read = kind.from_env(environment)
            assert kind.from_env(read.to_env()) == read, handler
            read_by_aws = {ACCOUNT_VARIABLE}
            assert set(environment) == {field.name.upper() for field in fields(kind)} | read_by_aws, handler


def test_no_value_of_an_environment_is_empty_or_a_token(dev: Deployment) -> None:
    for function in dev.of_type("AWS::Lambda::Function"):
        for name, value in function.properties["Environment"]["Variables"].items():
            assert value, (function.logical_id, name)
            assert "${" not in value, (function.logical_id, name)


def test_every_settings_class_belongs_to_a_function(nightly: Deployment) -> None:
    used = {settings_of(handler) for handler in handlers(nightly)}
    assert used == {one for one in Settings.__subclasses__() if one.__module__ == Settings.__module__}


def test_a_function_that_another_one_calls_exists(dev: Deployment) -> None:
    names = {f.properties["FunctionName"] for f in dev.of_type("AWS::Lambda::Function")}
    called = {
        value
        for f in dev.of_type("AWS::Lambda::Function")
        for name, value in f.properties["Environment"]["Variables"].items()
        if name.endswith("_FUNCTION")
    }
    assert called
    assert called <= names


def test_a_missing_variable_is_named(dev: Deployment) -> None:
    function = dev.function("retrain")
    environment = dict(function.properties["Environment"]["Variables"])
    del environment["ALARM_NAME"]
    with pytest.raises(MissingSettingError, match="ALARM_NAME"):
        settings_of(function.properties["Handler"]).from_env(environment)
