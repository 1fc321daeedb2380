"""Virtual weeks as data, and what must come of them. This half of the rehearsal knows Tideline; the engine does not."""
