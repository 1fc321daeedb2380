"""Breaks the synthesised templates in one place at a time, and asks whether a rehearsal would notice."""
