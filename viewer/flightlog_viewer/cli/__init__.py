"""The command line: what finds, runs and prints commands."""
