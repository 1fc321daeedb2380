"""First thing that Python runs in a container: the wall clock stands at the account's virtual time.

`time.monotonic` stays real, so that durations measured by the code are real ones.
"""

import os
import sys
from datetime import datetime

_now = os.environ.get("REHEARSAL_NOW")
if _now:
    sys.modules["pytest"] = None  # type: ignore[assignment] # time_machine would import it, which costs 0.1 s
    import time_machine

    del sys.modules["pytest"]
    time_machine.travel(datetime.fromisoformat(_now), tick=False).start()
