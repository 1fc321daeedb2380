"""Traffic for the drift benchmark: simulated worlds, real series, and the rules in use today beside ours."""
