"""Anyone's own table: read it, infer what its columns are, and lay it out as a life that can be rehearsed."""
