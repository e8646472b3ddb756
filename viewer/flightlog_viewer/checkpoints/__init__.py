"""Checkpoint databases, read inertly and replayed without the graph's code."""
