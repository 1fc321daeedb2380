"""What a month costs before anything happens, and at most, as outputs of Serving; `cdk deploy` prints both."""

from __future__ import annotations

from aws_cdk import CfnOutput, Stack

from domain.idle_cost import PRICES_AS_OF, IdleCost


def show_cost(
    stack: Stack, cost: IdleCost, budget_usd_per_month: float, *, at_rest: str, beyond: str, within: str = ""
) -> None:
    """`at_rest` begins the list of what is billed then, and says what serves; `beyond` is what use adds.

    `within` is what else the most has in it.
    """
    CfnOutput(
        stack,
        "IdleUsdPerMonth",
        value=f"{cost.total_usd:.2f}",
        description=(
            f"{at_rest}alarms, metrics and dashboard {cost.watch_usd:.2f}, keys {cost.key_usd:.2f}, "
            f"queue polling {cost.queue_usd:.2f} (list prices of {PRICES_AS_OF}, no free tier)"
        ),
    )
    CfnOutput(
        stack,
        "CeilingUsdPerMonth",
        value=f"{cost.ceiling_usd(budget_usd_per_month):.2f}",
        description=f"Idle and the whole training budget of {budget_usd_per_month:.2f}{within}; {beyond} come on top",
    )
