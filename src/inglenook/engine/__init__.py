"""Graphs, their validation and execution: pure Python, no I/O, no torch."""
