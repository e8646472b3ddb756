"""Spans out to OpenTelemetry, Parquet and Perfetto, and other people's traces in."""
