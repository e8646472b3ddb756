"""Python that goes on from a thread or a step, for people to run where their graph is."""

from flightlog_viewer.checkpoints.model import Step


def answer_snippet(thread_id: str, *interrupt_ids: str) -> str:
    """Answers questions: ``...`` stands for each answer."""
    answers = ", ".join(f"{name!r}: ..." for name in interrupt_ids)
    return f"graph.invoke(Command(resume={{{answers}}}), {_config(thread_id=thread_id)!r})"


def continue_snippet(thread_id: str) -> str:
    """Runs what is due."""
    return f"graph.invoke(None, {_config(thread_id=thread_id)!r})"


def fork_snippet(step: Step) -> str:
    """Runs again from a step."""
    where = _config(thread_id=step.thread_id, checkpoint_ns=step.checkpoint_ns, checkpoint_id=step.checkpoint_id)
    return f"graph.invoke(None, {where!r})"


def _config(**configurable: str) -> dict[str, dict[str, str]]:
    return {"configurable": configurable}
