"""What a checkpoint says of a run that stands there."""

from datetime import datetime

from langgraph.types import StateSnapshot


def pause_of(snapshot: StateSnapshot) -> str:
    """The id of the checkpoint at which a thread stands; empty for a thread that never ran.

    It names a pause for good: whatever happens next to the thread makes another checkpoint.
    """
    return str(snapshot.config["configurable"].get("checkpoint_id", ""))


def paused_since(snapshot: StateSnapshot) -> float:
    """When that checkpoint was written, in seconds since the epoch; 0 for a thread that never ran."""
    return datetime.fromisoformat(snapshot.created_at).timestamp() if snapshot.created_at else 0.0


def failed(snapshot: StateSnapshot) -> bool:
    """Whether the run ended there by an error."""
    return any(task.error for task in snapshot.tasks)
