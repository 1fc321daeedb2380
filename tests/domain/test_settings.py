import ast
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import settings
from domain.settings import MissingSettingError, ReleaseModelSettings, RetrainSettings, Settings

LAMBDAS = Path(__file__).resolve().parents[2] / "lambdas"
EVERY = [kind for kind in vars(settings).values() if isinstance(kind, type) and issubclass(kind, Settings)]
EACH = [kind for kind in EVERY if kind is not Settings]
TYPES = {"str": st.text(), "int": st.integers(), "float": st.floats(allow_nan=False)}


@pytest.mark.parametrize("kind", EACH)
@given(data=st.data())
def test_settings_survive_the_environment(kind: type[Settings], data: st.DataObject) -> None:
    one = kind(**{field.name: data.draw(TYPES[str(field.type)]) for field in fields(kind)})
    assert kind.from_env(one.to_env()) == one


@given(st.sets(st.sampled_from([field.name.upper() for field in fields(RetrainSettings)]), min_size=1))
def test_every_missing_variable_is_named(missing: set[str]) -> None:
    whole = dict.fromkeys((field.name.upper() for field in fields(RetrainSettings)), "1")
    env = {name: value for name, value in whole.items() if name not in missing}
    with pytest.raises(MissingSettingError) as error:
        RetrainSettings.from_env(env)
    assert "RetrainSettings: the environment lacks" in str(error.value)
    assert all((name in str(error.value)) == (name in missing) for name in whole)


def test_other_variables_do_not_disturb() -> None:
    env = dict.fromkeys((field.name.upper() for field in fields(ReleaseModelSettings)), "2")
    found = ReleaseModelSettings.from_env({**env, "PATH": "/bin", "AWS_REGION": "us-east-1"})
    assert (found.vcpus, found.memory_gib, found.serving_stack) == (2, 2.0, "2")


def test_no_variable_is_one_that_lambda_keeps_for_itself() -> None:
    names = {field.name.upper() for kind in EACH for field in fields(kind)}
    assert not [name for name in names if name.startswith(("AWS_", "LAMBDA_", "_"))]
    assert not names & {"TZ", "PATH", "LANG", "PYTHONPATH"}


@pytest.mark.parametrize("kind", EACH)
def test_each_handler_reads_every_setting_that_it_is_given(kind: type[Settings]) -> None:
    sources = [
        path.read_text() for path in LAMBDAS.glob("*.py") if f"{kind.__name__}.from_env" in path.read_text()
    ]
    assert len(sources) == 1
    read = {node.attr for node in ast.walk(ast.parse(sources[0])) if isinstance(node, ast.Attribute)}
    assert {field.name for field in fields(kind)} <= read | {"deployment", "artefacts_bucket"}
