"""The price table and those who ask it: components, types that SageMaker knows, and a choice for every environment."""

from __future__ import annotations

from typing import Any

import botocore.session
import pytest

from config.schema import PRICES, Config
from domain.instances import Workload, choose
from domain.names import RELEASE_SLOTS
from domain.prices import PriceBook, parse_prices
from tests.stacks.synthesis import DEV, PROD

SHAPES = {
    "Training": "TrainingInstanceType",
    "Processing": "ProcessingInstanceType",
    "Hosting": "ProductionVariantInstanceType",
    "Transform": "TransformInstanceType",
}
"""Each component of the table and the type of SageMaker's API in which its instances are listed."""


@pytest.fixture(scope="module", params=sorted(PRICES.glob("*.csv")), ids=lambda path: path.stem)
def book(request: pytest.FixtureRequest) -> PriceBook:
    return parse_prices(request.param.read_text(), request.param.stem)


@pytest.fixture(scope="module")
def sagemaker() -> Any:
    return botocore.session.get_session().get_service_model("sagemaker")


def test_a_type_is_offered_for_components_that_we_know(book: PriceBook) -> None:
    assert {component for instance in book.types for component in instance.components} <= set(SHAPES)


@pytest.mark.parametrize("component", SHAPES)
def test_every_type_of_a_component_is_one_that_sagemaker_takes_for_it(
    book: PriceBook, sagemaker: Any, component: str
) -> None:
    known = set(sagemaker.shape_for(SHAPES[component]).enum)
    assert {i.name for i in book.types if component in i.components} <= known


@pytest.mark.parametrize("config", [DEV, PROD], ids=lambda config: config.environment)
def test_every_environment_finds_an_instance_for_each_of_its_jobs(config: Config, book: PriceBook) -> None:
    training = config.training
    for component in ("Training", "Processing"):
        workload = Workload(
            component,
            memory_gib=training.memory_gib,
            minutes_on_one_vcpu=training.minutes_on_one_vcpu,
            deadline_minutes=training.deadline_minutes,
        )
        assert choose(book, workload).winner.usd_per_hour > 0


@pytest.mark.parametrize("config", [DEV, PROD], ids=lambda config: config.environment)
def test_a_release_can_fill_all_its_slots(config: Config, book: PriceBook) -> None:
    serving = config.serving
    choice = choose(book, Workload("Hosting", memory_gib=serving.memory_gib, vcpus=serving.vcpus))
    assert len(choice.candidates) >= RELEASE_SLOTS
