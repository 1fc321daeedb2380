"""The account after its life: up until Ctrl-C, for whoever wants to look around or act in it."""

from __future__ import annotations

import time
from pathlib import Path

from rich.console import Console

from config import kept_account
from rehearsal.engine import Account

LOOK_SECONDS = 0.1
PYTHON = """python -c 'import boto3; print(boto3.client("sagemaker").list_endpoints()["Endpoints"])'"""


def keep_up(account: Account, out: Path, console: Console) -> None:
    """Print how to reach the account, and carry out what is asked of it, until Ctrl-C."""
    variables = kept_account.environment(account.endpoint_url, account.region)
    handle = kept_account.write(out, variables)
    console.print("\n".join(_told(variables, out)), markup=False, highlight=False, soft_wrap=True)
    try:
        while True:
            _live(account, console)
            time.sleep(LOOK_SECONDS)
    except KeyboardInterrupt:
        console.print("The account is gone.")
    finally:
        handle.unlink(missing_ok=True)


def _told(variables: dict[str, str], out: Path) -> list[str]:
    return [
        "",
        "The account is up until Ctrl-C. Its clock stands still, but for jobs and releases. In another shell:",
        *(f"  export {name}={value}" for name, value in variables.items()),
        "  aws sagemaker list-endpoints",
        f"  {PYTHON}",
        "Or without these variables:",
        f"  ./tideline --rehearsal {out} status",
    ]


def _live(account: Account, console: Console) -> None:
    """What came in since; a release that is under way is lived to its end. What fails is told and ends nothing."""
    try:
        account.settle()
    except Exception as error:
        console.print(f"{type(error).__name__}: {error}", markup=False, highlight=False)
