"""Systems worth watching, offline and deterministic."""
