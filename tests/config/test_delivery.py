"""The delivery's configuration: what is wrong is named, with what is allowed."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.delivery import load_delivery
from config.schema import ROOT, ConfigError, load_environments


def load(tmp_path: Path, text: str) -> object:
    (tmp_path / "delivery.yaml").write_text(text)
    return load_delivery(tmp_path, load_environments())


def test_the_committed_file_delivers_into_dev_from_a_zip_that_needs_nothing_beforehand() -> None:
    delivery = load_delivery(ROOT / "config", load_environments())
    assert delivery is not None
    assert delivery.environments == ["dev"]
    assert (delivery.source.connection, delivery.source.codecommit) == (None, None)


def test_without_the_file_there_is_no_pipeline(tmp_path: Path) -> None:
    assert load_delivery(tmp_path, load_environments()) is None


def test_the_delivery_is_no_environment() -> None:
    assert "delivery" not in {config.environment for config in load_environments()}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("name: tideline\nspeed: fast", "speed: unknown key"),
        ("environments: [dev]", "name: missing"),
        ("name: tideline\nenvironments: [stage]", "got 'stage'; allowed: dev, prod"),
        ("name: other\n", "got 'dev'; allowed: none"),
        ("name: tideline\nregion: eu-west-1", "region: got 'eu-west-1', but dev is in 'us-east-1'"),
        ("name: tideline\nexecution: parallel", "execution: got 'parallel'"),
        ("name: tideline\nwait_days: 8", "wait_days: got 8"),
        ("name: tideline\nsource: {s3: {key: a.tar}}", "source.s3.key: got 'a.tar'"),
        ("name: tideline\nsource: {s3: {}, codecommit: {repository: a}}", "one source is allowed"),
        ("name: tideline\nsource: {connection: {connection_arn: x, repository: a/b}}", "connection_arn"),
    ],
)
def test_what_is_wrong_is_named_with_what_is_allowed(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(ConfigError) as error:
        load(tmp_path, text)
    assert told in str(error.value)
    assert str(tmp_path / "delivery.yaml") in str(error.value)
