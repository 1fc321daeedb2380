from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest

from config.schema import ROOT, Config, ConfigError, load, load_environments
from config.trust import Checks, Metric
from domain.bias import NAMES
from domain.job_settings import BiasSettings, CheckLimits, DecisionSettings, GateSettings
from domain.names import Names
from stacks.job_environment import evaluate
from training.bias import Facet, facets_of, limits_of

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def written(*lines: str, file: str = "dev.yaml") -> Path:
        path = tmp_path / file
        path.write_text("\n".join(("name: tideline", "environment: dev", *lines)) + "\n")
        return path

    return written


def refusal(path: Path) -> str:
    with pytest.raises(ConfigError) as error:
        load(path)
    return str(error.value)


def test_the_two_environments_that_we_ship_load() -> None:
    dev, prod = load_environments()
    assert (dev.environment, dev.approval, dev.retraining) == ("dev", "automatic", "on")
    assert (prod.environment, prod.approval, prod.retraining) == ("prod", "person", "advise")
    assert Names(dev.name, dev.environment).deployment != Names(prod.name, prod.environment).deployment


def test_a_name_and_an_environment_are_enough(write: Write) -> None:
    assert load(write()) == Config(name="tideline", environment="dev")


@pytest.mark.parametrize("mode", ["on", "off", "advise"])
@pytest.mark.parametrize("quote", ["", "'"])
def test_yaml_may_take_on_and_off_for_booleans_and_we_still_read_the_words(
    write: Write, mode: str, quote: str
) -> None:
    assert load(write(f"retraining: {quote}{mode}{quote}")).retraining == mode


def test_true_is_read_as_on_since_yaml_cannot_tell_them_apart(write: Write) -> None:
    assert load(write("retraining: true")).retraining == "on"


@pytest.mark.parametrize(
    ("line", "where", "got", "allowed"),
    [
        ("retraining: maybe", "retraining", "'maybe'", "should be 'off', 'advise' or 'on'"),
        ("retraining: 1", "retraining", "1", "should be 'off', 'advise' or 'on'"),
        ("approval: nobody", "approval", "'nobody'", "should be 'automatic' or 'person'"),
        ("budget_usd_per_month: 0", "budget_usd_per_month", "0", "should be greater than 0"),
        ("budget_usd_per_month: .inf", "budget_usd_per_month", "inf", "should be a finite number"),
        ("budget_usd_per_month: .nan", "budget_usd_per_month", "nan", "should be"),
        ("budget_usd_per_month: '25'", "budget_usd_per_month", "'25'", "should be a valid number"),
        ("cooldown_days: yes", "cooldown_days", "True", "should be a valid number"),
        ("log_retention_days: 8", "log_retention_days", "8", "should be 7, 14, 30, 60, 90, 180 or 365"),
        ("serving: {instance_count: 1.5}", "serving.instance_count", "1.5", "should be a valid integer"),
        ("serving: {instance_count: two}", "serving.instance_count", "'two'", "should be a valid integer"),
        ("serving: {instance_count: 0}", "serving.instance_count", "0", "greater than or equal to 1"),
        ("serving: 2", "serving", "2", "should be a valid dictionary"),
        ("gate: {margin: 1}", "gate.margin", "1", "should be less than 1"),
        ("monitoring: {check_hour_utc: 24}", "monitoring.check_hour_utc", "24", "less than or equal to 23"),
        ("notify_email: nobody", "notify_email", "'nobody'", r"should match pattern '^[^@\s]+@[^@\s]+$'"),
        ("bring: {kms_key_arn: alias/x}", "bring.kms_key_arn", "'alias/x'", "should match pattern '^arn:"),
    ],
)
def test_a_wrong_value_is_named_with_what_was_got_and_what_is_allowed(
    write: Write, line: str, where: str, got: str, allowed: str
) -> None:
    path = write(line)
    message = refusal(path)
    assert message.startswith(f"{path}: {where}: got {got}; ")
    assert allowed in message


@pytest.mark.parametrize("name", ["Tideline", "1st", "ti", "tide_line", "tide--line", "tideline-", "t" * 21])
def test_a_name_that_aws_would_not_take_everywhere_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / "dev.yaml"
    path.write_text(f"name: {name}\nenvironment: dev\n")
    assert refusal(path).startswith(f"{path}: name: got {name!r}; string should")


def test_an_unknown_key_is_named_with_its_place(write: Write) -> None:
    assert refusal(write("serving: {instance_cuont: 2}")).endswith(
        "serving.instance_cuont: unknown key; see config/schema.py for the keys there are"
    )


def test_a_missing_key_is_named(tmp_path: Path) -> None:
    path = tmp_path / "dev.yaml"
    path.write_text("name: tideline\n")
    assert refusal(path) == f"{path}: environment: missing; this key has no default"


def test_every_mistake_is_told_at_once(write: Write) -> None:
    message = refusal(write("approval: nobody", "colour: blue", "gate: {margin: 2}"))
    assert len(message.splitlines()) == 3


def test_a_region_without_a_price_table_is_refused_and_names_those_that_have_one(write: Write) -> None:
    message = refusal(write("region: sa-east-1"))
    assert "region: got 'sa-east-1', which has no price table; allowed: eu-central-1, eu-west-1" in message
    assert "add config/prices/sa-east-1.csv" in message


@pytest.mark.parametrize("body", [b"", b"- name", b"tideline"])
def test_a_file_that_holds_no_keys_is_refused(tmp_path: Path, body: bytes) -> None:
    path = tmp_path / "dev.yaml"
    path.write_bytes(body)
    assert refusal(path).startswith(f"{path}: the file: got ")


@pytest.mark.parametrize("body", [b"name: [", b"a: b: c", b"name: \xff"])
def test_a_file_that_is_no_yaml_is_refused(tmp_path: Path, body: bytes) -> None:
    path = tmp_path / "dev.yaml"
    path.write_bytes(body)
    assert refusal(path).startswith(f"{path}: not YAML: ")


def test_a_file_that_is_not_there_says_where_to_begin(tmp_path: Path) -> None:
    assert refusal(tmp_path / "x.yaml").endswith("no such file; copy config/dev.yaml and change it")


def test_two_files_may_not_state_one_environment(write: Write, tmp_path: Path) -> None:
    first, second = write(file="a.yaml"), write(file="b.yaml")
    with pytest.raises(ConfigError, match="one file for each name and environment") as error:
        load_environments(tmp_path)
    assert str(error.value).startswith(f"{second}: environment: got 'dev', which {first} states too")


def test_many_deployments_live_side_by_side(write: Write, tmp_path: Path) -> None:
    write(file="a.yaml")
    (tmp_path / "b.yaml").write_text("name: bikes\nenvironment: dev\n")
    assert [config.name for config in load_environments(tmp_path)] == ["tideline", "bikes"]


def test_a_config_cannot_be_changed_after_it_was_read() -> None:
    config = load(ROOT / "config" / "dev.yaml")
    with pytest.raises(ValueError, match="frozen"):
        config.name = "other"


def test_the_limits_of_the_checks_have_the_same_defaults_in_the_file_and_in_the_job() -> None:
    assert CheckLimits(**Checks().model_dump()) == CheckLimits()


def test_the_metrics_of_bias_that_may_be_limited_are_those_that_are_measured() -> None:
    assert get_args(Metric) == NAMES


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("bias: {facets: [{column: age}]}", "name the values of the facet, or the number that it is above"),
        ("bias: {facets: [{column: age, values: [a], above: 1}]}", "and not both"),
        ("bias: {limits: {FAIRNESS: 0.1}}", "should be 'CI', 'DPL'"),
        ("bias: {facets: [{column: place, values: [" + "a, " * 80 + "b]}]}", "takes 256: name fewer"),
        ("gate: {slices: ['a,b']}", "should match pattern"),
        ("decision: {miss_cost: 0}", "should be greater than 0"),
    ],
)
def test_what_cannot_be_asked_of_a_model_is_refused(write: Write, line: str, said: str) -> None:
    assert said in refusal(write(line))


def test_facets_and_limits_reach_the_job_as_it_reads_them(write: Write) -> None:
    lines = (
        "gate: {slices: [origin, carrier], slice_margin: 0.2}",
        "decision: {f_beta: 2}",
        "bias: {facets: [{column: origin, values: [LGA]}, {column: hour, above: 18}], limits: {DI: 0.8}}",
    )
    environment = evaluate(load(write(*lines)))
    bias = BiasSettings.from_env(environment)
    assert facets_of(bias) == [Facet("origin", ("LGA",)), Facet("hour", above=18)]
    assert limits_of(bias) == {"DI": 0.8}
    assert GateSettings.from_env(environment) == GateSettings("origin,carrier", 0.2)
    assert DecisionSettings.from_env(environment).f_beta == 2
    assert BiasSettings.from_env(evaluate(load(write()))) == BiasSettings()


@pytest.mark.parametrize(
    ("serving", "reason"),
    [
        ("{mode: batch, release: {bake_minutes: 5}}", "a batch has no traffic to shift"),
        ("{mode: batch, capture_percent: 50}", "a batch keeps every prediction"),
        ("{batch: {hour_utc: 3}}", "it is read under serving.mode: batch"),
        ("{mode: serverless, instance_count: 2}", "there are no instances"),
        ("{mode: serverless, memory_gib: 4}", "say serverless.memory_mb"),
        ("{mode: serverless, release: {shift: canary}}", "a release is all at once"),
        ("{mode: serverless, serverless: {memory_mb: 1500}}", "should be 1024"),
        ("{serverless: {memory_mb: 1024}}", "it is read under serving.mode: serverless"),
        ("{mode: async}", "should be 'realtime', 'serverless' or 'batch'"),
    ],
)
def test_a_key_that_a_mode_has_no_use_for_is_refused_with_the_reason(
    write: Write, serving: str, reason: str
) -> None:
    assert reason in refusal(write(f"serving: {serving}"))


def test_a_batch_may_say_when_it_runs_and_on_what(write: Write) -> None:
    serving = load(write("serving: {mode: batch, batch: {hour_utc: 3}, instance_count: 2}")).serving
    assert (serving.has_endpoint, serving.component, serving.batch.hour_utc) == (False, "Transform", 3)


def test_shap_values_are_asked_of_the_job_only_if_the_configuration_does(write: Write) -> None:
    assert evaluate(load(write("explain: {shap_rows: 50}")))["SHAP_ROWS"] == "50"
    assert "SHAP_ROWS" not in evaluate(load(write()))
