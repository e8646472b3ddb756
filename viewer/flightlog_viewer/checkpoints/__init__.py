"""Checkpoint databases, read inertly and replayed without the graph's code."""

from flightlog_viewer.checkpoints.model import (
    DeltaState,
    Interrupt,
    Pending,
    Step,
    Task,
    ThreadHistory,
    ThreadStatus,
    ThreadSummary,
)
from flightlog_viewer.checkpoints.normal import normal_form
from flightlog_viewer.checkpoints.source import CheckpointSource, open_source

__all__ = [
    "CheckpointSource",
    "DeltaState",
    "Interrupt",
    "Pending",
    "Step",
    "Task",
    "ThreadHistory",
    "ThreadStatus",
    "ThreadSummary",
    "normal_form",
    "open_source",
]
