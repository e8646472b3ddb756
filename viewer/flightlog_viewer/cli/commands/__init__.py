"""The commands, one module each, that bears its name; ``incoming`` has ``import`` and ``collect``."""
