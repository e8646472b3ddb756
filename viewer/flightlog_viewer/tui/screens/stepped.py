"""The keys that go through one thread: steps, marks, branches, comparison, playing, and the ways out of a step."""

from collections.abc import Callable
from functools import partial
from typing import Any

from flightlog.errors import FlightlogError
from flightlog_viewer.analysis.join import Link
from flightlog_viewer.analysis.snippets import answer_snippet, continue_snippet, fork_snippet
from flightlog_viewer.analysis.step_document import TABS
from flightlog_viewer.checkpoints.normal import normal_form
from flightlog_viewer.tui.copying import CopyChoice, as_text
from flightlog_viewer.tui.playing import Player
from flightlog_viewer.tui.questions.threads import ThreadSteps
from flightlog_viewer.tui.screens.steps import Against, StepsPane
from flightlog_viewer.tui.screens.view import TraceOpened, View
from flightlog_viewer.tui.stepping import Stepper
from flightlog_viewer.tui.widgets.body import BodyView
from flightlog_viewer.tui.widgets.lines import TabBar


class SteppedView(View):
    """A view with a pane in which one thread is open; a subclass says which."""

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self._thread: str | None = None
        """The thread asked for."""
        self._shown: str | None = None
        """The thread that is shown: it follows."""
        self._again = False
        """It was asked for because of new data, not by a key."""
        self._next: Callable[[], None] | None = None
        """What was pressed before the thread was there that it is meant for."""
        self._steps: ThreadSteps | None = None
        self._stepper = Stepper(())
        self._against: Against = "parent"
        self._player = Player(self, self._play_on)

    @property
    def pane(self) -> StepsPane:
        return self.query_one(StepsPane)

    @property
    def body(self) -> BodyView:
        return self.pane.body

    def look(self) -> None:
        """A key has changed what the pane shows: bring it to the front if it is hidden."""

    def step_shown(self, steps: ThreadSteps) -> None:
        """Another step is shown: bring what stands beside it up to date."""

    def _open(self, thread_id: str, *, span: dict[str, Any] | None = None, keep: bool = False) -> None:
        session, self._thread = self.session, thread_id
        self._again = keep
        if not keep:
            self._next = None
        self.ask(
            "steps",
            lambda: session.threads.steps(thread_id),
            lambda steps: self._opened(thread_id, steps, span, keep=keep),
            again=partial(self._open, thread_id, keep=True) if keep else None,
        )

    def _opened(self, thread_id: str, steps: ThreadSteps, span: dict[str, Any] | None, *, keep: bool) -> None:
        self._shown, self._steps = thread_id, steps
        self._stepper = self._stepper.again(steps.steps) if keep else Stepper(steps.steps)
        if span is not None:
            link = next((link for link in steps.links if link.row_id == span.get("row_id")), None)
            if link is None or not self._stepper.go_to(link.checkpoint_id):
                self.notify("no step of this thread fits the span", markup=False)
            else:
                self.notify(sureness(link), markup=False)
        self.show_step()
        act, self._next = self._next, None
        if act is not None and self.display:
            act()

    def asked_failed(self, topic: str, error: Exception) -> bool:
        # The list says what is wrong with the database; what was read of the thread before stays.
        return topic == "steps" and self._again and isinstance(error, FlightlogError)

    def _waits(self, act: Callable[[], None]) -> bool:
        """Whether the thread asked for is still to come; ``act`` is then done when it is there."""
        if self._shown == self._thread:
            return False
        self._next = act
        return True

    def show_step(self) -> None:
        """Show the step on which the stepper stands."""
        if self._steps is None:
            return
        self.pane.show(self._stepper, self._steps.runs, self._against, self.zone)
        self.step_shown(self._steps)

    def on_tab_bar_chosen(self, event: TabBar.Chosen) -> None:
        event.stop()
        self.pane.show_tab(event.index)

    def on_body_view_link_opened(self, event: BodyView.LinkOpened) -> None:
        event.stop()
        self.post_message(TraceOpened(str(event.target)))

    def copy_choices(self) -> list[CopyChoice]:
        step, block, thread = self._stepper.step, self.body.block, self._thread
        if thread is None:
            return []
        if step is None or self._shown != thread:
            return [CopyChoice("thread id", lambda: thread)]
        choices = [
            CopyChoice("thread id", lambda: thread),
            CopyChoice("checkpoint id", lambda: step.checkpoint_id),
            CopyChoice("state as JSON", lambda: as_text(normal_form(step.values))),
            CopyChoice("snippet: run again from this step", lambda: fork_snippet(step)),
        ]
        if step.next and not step.pending and self._stepper.newest:
            choices.insert(0, CopyChoice("snippet: go on with what is due", lambda: continue_snippet(step.thread_id)))
        for _, interrupt in step.pending[:5]:
            snippet = answer_snippet(step.thread_id, interrupt.id)
            choices.insert(0, CopyChoice(f"snippet: resume {interrupt.id[:12]}", partial(str, snippet)))
        if block is not None and block.value is not None:
            choices.insert(0, CopyChoice("value under the cursor", lambda: as_text(block.value)))
        return choices

    def body_text(self) -> str:
        step = self._stepper.step
        return "" if step is None else as_text(normal_form(step.values))

    def _went(self) -> None:
        self.look()
        self.show_step()

    def action_step(self, by: int) -> None:
        if self._waits(partial(self.action_step, by)):
            return
        if self._stepper.move(by):
            self._went()

    def action_mark(self, direction: int) -> None:
        if self._waits(partial(self.action_mark, direction)):
            return
        if self._stepper.move_to_mark(direction):
            self._went()
        else:
            self.notify("no interrupt or fork that way", markup=False)

    def action_branch(self) -> None:
        if self._waits(self.action_branch):
            return
        if self._stepper.turn():
            self._went()
        else:
            self.notify("this thread has one branch", markup=False)

    def action_namespace(self) -> None:
        if self._waits(self.action_namespace):
            return
        if self._stepper.next_namespace():
            self._went()
        else:
            self.notify("this thread has one namespace", markup=False)

    def action_set_mark(self) -> None:
        if self._waits(self.action_set_mark):
            return
        if self._stepper.mark():
            self.notify(f"marked step {self._stepper.place[0]}; d compares with it", markup=False)
        else:
            self.notify("no step to mark here", markup=False)

    def action_diff(self) -> None:
        order: list[Against] = ["parent", "mark", "none"]
        self._against = order[(order.index(self._against) + 1) % 3]
        if self._against == "mark" and self._stepper.marked is None:
            self._against = "none"
        self.pane.tabs.active = 0
        self._went()

    def action_play(self) -> None:
        if self._stepper.step is not None and not self._player.playing:
            place, length = self._stepper.place
            if place == length and self._stepper.move(-length):  # at its end a film begins anew
                self._went()
        self.look()
        self._player.faster()

    def _play_on(self) -> bool:
        if moved := self._stepper.move(1):
            self.show_step()
        return moved

    def action_next_tab(self, step: int = 1) -> None:
        self.look()
        self.pane.show_tab((self.pane.tabs.active + step) % len(TABS))

    def action_span(self) -> None:
        if self._waits(self.action_span):
            return
        session, links = self.session, self._step_links()
        if not links:
            self.notify("no span of this step is in the span files", markup=False)
            return
        link = next((link for link in links if link.exact), links[0])
        self.notify(sureness(link), markup=False)
        self.ask("link", lambda: session.spans.find_span("row_id", link.row_id), self._to_span)

    def _step_links(self) -> list[Link]:
        """What ran from this step; from the newest nothing has, and what led to it is the next best."""
        step = self._stepper.step
        if step is None or self._steps is None:
            return []
        links = self._steps.links
        here = [link for link in links if link.checkpoint_id == step.checkpoint_id]
        return here or [link for link in links if link.checkpoint_id == step.parent_checkpoint_id]

    def _to_span(self, found: tuple[str, int] | None) -> None:
        if found is not None:
            self.post_message(TraceOpened(*found))


def sureness(link: Link) -> str:
    """How a span was matched with a checkpoint."""
    return f"{'exact' if link.exact else 'approximate'} match, by {link.by}"
