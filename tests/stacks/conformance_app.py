"""What test_conformance runs with every rule on: config/, an environment that brings what it can, the delivery."""

import json
import sys
from pathlib import Path

from config.schema import ROOT
from tests.stacks.delivery_synthesis import delivery
from tests.stacks.synthesis import BROUGHT, DEV, PROD


def main(outdir: Path) -> None:
    from stacks.app import build
    from stacks.conformance import add_rules

    context = json.loads((ROOT / "cdk.json").read_text())["context"]
    app = build([DEV, PROD, BROUGHT], delivery=delivery(), outdir=outdir, context=context)
    add_rules(app)
    app.synth()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
