import ast
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.schema import Governor
from domain import settings
from domain.settings import MissingSettingError, RetrainSettings, Settings, WrongSettingError

LAMBDAS = Path(__file__).resolve().parents[2] / "lambdas"
EVERY = [kind for kind in vars(settings).values() if isinstance(kind, type) and issubclass(kind, Settings)]
EACH = [kind for kind in EVERY if kind is not Settings]
TYPES = {str: st.text(), int: st.integers(), float: st.floats(allow_nan=False)}
FORMED = {
    settings.OwnName: st.from_regex(r"\Atideline-dev(-[a-z]{1,9})?\Z"),
    settings.Region: st.sampled_from(["us-east-1", "eu-central-1", "us-gov-west-1"]),
    settings.ImageDigest: st.from_regex(r"\Asha256:[0-9a-f]{64}\Z"),
    settings.ImageRepository: st.just("123456789012.dkr.ecr.us-east-1.amazonaws.com/tideline-dev"),
    settings.KeyArn: st.just("arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"),
    settings.TopicArn: st.just("arn:aws-us-gov:sns:us-gov-west-1:123456789012:tideline-dev-people"),
    settings.ReleasePrefix: st.just("/tide-line/dev/releases/"),
    settings.DeliveryPipeline: st.just("tide-line-delivery"),
    settings.DeliveryStage: st.just("dev-Wait"),
}
RETRAIN = {
    "DEPLOYMENT": "tideline-dev",
    "ALARM_NAME": "tideline-dev-loss",
    "LEDGER_TABLE": "ledger",
    "TOPIC_ARN": "arn:aws:sns:us-east-1:123456789012:people",
    "START_TRAINING_FUNCTION": "tideline-dev-start-training",
    "MODE": "advise",
    "COOLDOWN_DAYS": "14",
    **{name.upper(): str(value) for name, value in Governor().model_dump().items()},
}


def values(kind: Any) -> st.SearchStrategy[Any]:
    if get_origin(kind) is Literal:
        return st.sampled_from(get_args(kind))
    return TYPES[kind] if kind in TYPES else FORMED[kind]


@pytest.mark.parametrize("kind", EACH)
@given(data=st.data())
def test_settings_survive_the_environment(kind: type[Settings], data: st.DataObject) -> None:
    kinds = get_type_hints(kind, include_extras=True)
    drawn = {name: data.draw(values(kinds[name])) for name in kinds}
    one = kind(**drawn | ({"deployment": "tideline-dev"} if "deployment" in drawn else {}))
    assert kind.from_env(one.to_env()) == one


@given(st.sets(st.sampled_from(sorted(RETRAIN)), min_size=1))
def test_every_missing_variable_is_named(missing: set[str]) -> None:
    whole = RETRAIN
    env = {name: value for name, value in whole.items() if name not in missing}
    with pytest.raises(MissingSettingError) as error:
        RetrainSettings.from_env(env)
    assert "RetrainSettings: the environment lacks" in str(error.value)
    assert all((name in str(error.value)) == (name in missing) for name in whole)


def test_other_variables_do_not_disturb() -> None:
    found = RetrainSettings.from_env({**RETRAIN, "PATH": "/bin", "AWS_REGION": "us-east-1"})
    assert (found.cooldown_days, found.mode, found.ledger_table) == (14.0, "advise", "ledger")


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("MODE", "On", "off, advise, on"),
        ("COOLDOWN_DAYS", "two weeks", "a number"),
        ("TOPIC_ARN", "people", "arn:aws:sns:<region>:<account>:<topic>"),
        ("DEPLOYMENT", "tideline", "a name that begins with <name>-<environment>"),
        ("ALARM_NAME", "tideline-prod-loss", "tideline-dev or tideline-dev-..., as DEPLOYMENT says"),
    ],
)
def test_a_value_that_cannot_be_is_named_with_what_is_allowed(name: str, value: str, allowed: str) -> None:
    with pytest.raises(WrongSettingError) as error:
        RetrainSettings.from_env({**RETRAIN, name: value})
    assert f"{name}: got {value!r}, allowed: {allowed}" in str(error.value)
    assert "deploy the two together" in str(error.value)


def test_a_value_of_each_form_that_is_spoiled_is_refused() -> None:
    for kind in FORMED:
        assert settings._refusal(kind, "spoiled")
        assert settings._refusal(kind, "")


def test_the_digest_of_an_image_that_was_never_pushed_is_none() -> None:
    assert not settings._refusal(settings.ImageDigest, "none")


@pytest.mark.parametrize("kind", EACH)
def test_each_handler_reads_its_settings_before_anything_else(kind: type[Settings]) -> None:
    [source] = [
        text for path in LAMBDAS.glob("*.py") if f"{kind.__name__}.from_env" in (text := path.read_text())
    ]
    [handler] = [
        node
        for node in ast.parse(source).body
        if isinstance(node, ast.FunctionDef) and node.name == "handler"
    ]
    assert ast.unparse(handler.body[1]) == f"settings = {kind.__name__}.from_env(os.environ)"


def test_no_variable_is_one_that_lambda_keeps_for_itself() -> None:
    names = {field.name.upper() for kind in EACH for field in fields(kind)}
    assert not [name for name in names if name.startswith(("AWS_", "LAMBDA_", "_"))]
    assert not names & {"TZ", "PATH", "LANG", "PYTHONPATH"}


@pytest.mark.parametrize("kind", EACH)
def test_each_handler_reads_every_setting_that_it_is_given(kind: type[Settings]) -> None:
    texts = [path.read_text() for path in LAMBDAS.glob("*.py")]
    assert len([text for text in texts if f"{kind.__name__}.from_env" in text]) == 1
    sources = [
        text for text in texts if kind.__name__ in text
    ]  # what a handler shares is handed its settings
    read = {
        node.attr for text in sources for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Attribute)
    }
    assert {field.name for field in fields(kind)} <= read | {"deployment", "artefacts_bucket"}
