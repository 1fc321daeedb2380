import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.names import METRIC_UNITS, Metric, Names, Prefix

NAMES = st.builds(
    Names,
    st.from_regex(r"[a-z][a-z0-9]{0,9}(-[a-z0-9]{1,4}){0,2}", fullmatch=True),
    st.from_regex(r"[a-z][a-z0-9]{1,9}", fullmatch=True),
)
HANDLERS = ["build_snapshot", "check_drift", "choose_instance", "start_training", "release_model"]


@given(NAMES)
def test_each_name_that_the_config_allows_is_one_that_aws_takes(names: Names) -> None:
    sagemaker = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")
    for name in (names.endpoint, names.pipeline, names.model_package_group):
        assert sagemaker.fullmatch(name)
    assert all(len(names.function(handler)) <= 64 for handler in HANDLERS)
    assert len(names.serving_deploy_role) <= 64
    assert re.fullmatch(r"[a-z0-9]+(?:[._-][a-z0-9]+)*", names.image_repository)
    assert re.fullmatch(r"(/[a-zA-Z0-9._-]+)+", names.release_parameter("000042"))


@given(NAMES, NAMES)
def test_two_environments_share_no_name(one: Names, other: Names) -> None:
    assert (one.deployment == other.deployment) == (one == other)
    assert (one.pipeline == other.pipeline) == (one == other)
    assert (one.stack("serving") == other.stack("serving")) == (one == other)


def test_a_function_is_named_after_its_handler() -> None:
    assert Names("tideline", "dev").function("build_snapshot") == "tideline-dev-build-snapshot"


@pytest.mark.parametrize(
    "prefix", [value for name, value in vars(Prefix).items() if not name.startswith("_")]
)
def test_a_prefix_has_no_leading_slash_and_ends_in_one(prefix: str) -> None:
    assert not prefix.startswith("/")
    assert prefix.endswith("/")


def test_each_metric_has_a_unit_that_cloudwatch_knows() -> None:
    published = {value for name, value in vars(Metric).items() if not name.startswith("_")}
    assert published == METRIC_UNITS.keys()
    assert set(METRIC_UNITS.values()) <= {"None", "Count"}
