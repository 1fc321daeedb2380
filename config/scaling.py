"""Auto-scaling of the real-time endpoint, as the configuration states it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from config.values import Part


class Scaling(Part):
    """Instances come and go with the traffic, between `serving.instance_count` and `max_instances`."""

    max_instances: Annotated[int, Field(ge=2)]
    """The most instances, where traffic asks for them; the fewest are `serving.instance_count`."""
    invocations_per_instance: Annotated[float, Field(gt=0)]
    """Requests a minute that an instance is to answer; above it instances are added, well below it taken away."""
    scale_out_cooldown_seconds: Annotated[int, Field(ge=0, le=3600)] = 300
    """How long after adding instances before more are added."""
    scale_in_cooldown_seconds: Annotated[int, Field(ge=0, le=3600)] = 300
    """How long after a change before instances are taken away."""
