"""The samples by name, each loaded only when it is asked for."""

import importlib
from dataclasses import dataclass

from flightlog.errors import UsageError
from flightlog_samples.recording import Story


@dataclass(frozen=True)
class Sample:
    """One sample: a module of this package with a function `story(out: Path) -> None`."""

    name: str
    shows: str
    """What it shows, in one line."""

    def story(self) -> Story:
        """The function that records it."""
        module = importlib.import_module(f"flightlog_samples.{self.name}")
        story: Story = module.story
        return story


SAMPLES = (
    Sample("react_agent", "a ReAct agent with two tools, over two turns of one conversation"),
    Sample("persistence", "state that survives a restart: an accumulator, one count per thread"),
    Sample("human_in_the_loop", "an action that waits for approval: pending, approved and rejected"),
    Sample("streaming", "progress by node, and every stream mode, with persistence"),
    Sample("tracing", "one tracer over all of these, and its summary"),
    Sample("token_stream", "tokens the moment the model makes them"),
    Sample("breakpoints", "pauses before and after a node that knows nothing of them"),
    Sample("tool_review", "a person lets some proposed tool calls run and skips the others"),
    Sample("dynamic_interrupt", "a pause only above an amount"),
    Sample("time_travel", "history, going back to a checkpoint and branching off from one"),
    Sample("task_executor", "a plan that a person edits, of which only the approved steps are carried out"),
    Sample("report_service", "reports sent back with feedback until approved, over HTTP"),
    Sample("chat_service", "an agent whose tools wait for a person, over HTTP"),
    Sample("support_desk", "risky tickets wait in a queue of reviewers, on Postgres"),
)
DEFAULT = ("react_agent", "persistence", "human_in_the_loop")
"""What `flightlog demo` records when no sample is named."""


def select(names: list[str]) -> list[Sample]:
    """The samples named; none means the default ones, `all` every one. Raises UsageError for an unknown name."""
    known = {sample.name: sample for sample in SAMPLES}
    if "all" in names:
        return list(SAMPLES)
    for name in names:
        if name not in known:
            raise UsageError(f"no sample is called {name!r}: there are {', '.join(known)}, or all")
    return [known[name] for name in dict.fromkeys(names or DEFAULT)]
