"""A step of a thread to begin with: `replace(STEP, ...)` says what matters to a test."""

from flightlog_viewer.checkpoints.model import Step

STEP = Step(
    thread_id="t",
    checkpoint_ns="",
    checkpoint_id="1",
    parent_checkpoint_id=None,
    step=1,
    source="loop",
    ts="2026-11-20T11:00:00+00:00",
    next=("ask",),
    tasks=(),
    values={},
    channels={},
    metadata={},
    null_writes={},
    null_resume=None,
    null_resume_at=None,
    not_materialised={},
    functional=False,
    resumed_from_parent=False,
    parent_task_id=None,
)
