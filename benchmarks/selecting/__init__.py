"""What the benchmark of the selection is made of: tables, rules to compare with, and the tests."""
