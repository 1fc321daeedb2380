"""What the CDK CLI runs: every environment in config/, with the conformance rules on."""

import gc
import os
import sys

from config.schema import ConfigError
from stacks.app import build
from stacks.packages import NotLaidError

gc.disable()  # a synth keeps what it makes; looking for what it dropped takes a twelfth of it
try:
    app = build()
except (ConfigError, NotLaidError) as error:
    sys.exit(f"tideline: {error}")
if os.environ.get("CDK_VALIDATION") != "false":
    # Loading the rules takes a second that a plain synth need not wait.
    from stacks.conformance import add_rules

    add_rules(app)
app.synth()
