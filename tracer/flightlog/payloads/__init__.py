"""The application's values become JSON here: fast, bounded and redacted."""
