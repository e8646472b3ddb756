"""The pauses of a thread before a node that no `interrupt()` explains: static breakpoints, and what became of them."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from flightlog_viewer.approvals.approval import Approval, Moment, QuestionStatus, at, breakpoint_id, parse_time
from flightlog_viewer.approvals.decisions import classify, turns_call_down
from flightlog_viewer.approvals.places import Followers, Key, Place, Places
from flightlog_viewer.checkpoints.channels import START
from flightlog_viewer.checkpoints.inert import Inert


def pauses_before_nodes(
    places: Places, children: Followers, wanted: Collection[str], pauses: Collection[str]
) -> Iterable[Approval]:
    """Every such pause, without its thread: before a node of `wanted`, at a checkpoint of `pauses`, or one that an
    update_state ended."""
    for key, place in places.items():
        followers = children.get(key, ())
        first = places[followers[0]] if followers else None
        paused = key[1] in pauses
        ran = place.asks or place.failed or (first is not None and first.source == "loop" and not first.resumed)
        updates = _updates(places, children, key)
        by_hand = _ended_by_hand(place, [places[update] for update in updates], _resumed(places, children, updates))
        if place.source == "update" or not place.next or (ran and not paused and not (place.failed and by_hand)):
            continue
        node = next((name for name in place.next if name in wanted), None)
        if node is None and not paused and not by_hand:
            continue
        status: QuestionStatus = "answered"
        answer: Inert = None
        answered, said = Moment(), dict[str, str]()
        if place.asks:
            pass  # let through, and then the node asked in its own words: what followed answers that question
        elif place.failed and not by_hand:
            answer = True  # let through, and then the node failed: what followed mends that
        elif updates:
            went_on = _resumed(places, children, updates)
            said = dict(went_on.said) if went_on is not None else {}
            answer = {**_together(places[update].update for update in updates), **said}
            answered = at(parse_time(places[updates[-1]].ts))
        elif first is None:
            status = "pending"
        elif first.source != "input" and (first.resumed or paused):
            said = dict(first.said)
            answer = said if "decision" in said else True  # going on unchanged is consent
            answered = Moment(parse_time(place.ts), parse_time(first.ts))
        elif turns_call_down(first.update):
            answer, answered = first.update, at(parse_time(first.ts))
        else:
            status = "abandoned"  # the thread was given something else to do
        yield Approval(
            interrupt_id=breakpoint_id(key[1]),
            thread_id="",
            node=node or place.next[0],
            checkpoint_ns=key[0],
            checkpoint_id=key[1],
            question=None,
            question_recorded=False,
            status=status,
            asked=at(parse_time(place.ts)),  # the run stops as soon as this checkpoint is written
            answered=answered,
            answer=answer,
            answer_recorded=answer is not None,
            said=said,
            risk=place.risk,
            agent=place.agent,
            breakpoint=True,
            proposed=place.proposed or None,
        )


def _updates(places: Places, children: Followers, key: Key) -> Sequence[Key]:
    """The update_states by which a step was left, in their order; of several at the same step the last."""
    found: list[Key] = []
    while updates := [child for child in children.get(key, ()) if places[child].source == "update"]:
        key = updates[-1]
        found.append(key)
    return found


def _resumed(places: Places, children: Followers, updates: Sequence[Key]) -> Place | None:
    """The step that a run made which went on from the last update."""
    after = children.get(updates[-1], ()) if updates else ()
    return next((places[child] for child in after if places[child].resumed), None)


def _ended_by_hand(place: Place, updates: Sequence[Place], went_on: Place | None) -> bool:
    """Whether an update_state tells that a step was a pause which somebody ended.

    A copied checkpoint that goes on after an update is time travel: nobody was asked there. Nor was anybody before the
    first node, where a thread is copied update by update (``bulk_update_state``), or where a node failed and its state
    was mended, unless what was written is a verdict: a node may fail until there is one.
    """
    if went_on is None or place.source == "fork" or START in place.next:
        return False
    return not place.failed or classify(_together(update.update for update in updates)) in ("approve", "reject")


def _together(updates: Iterable[Mapping[str, Inert]]) -> dict[str, Inert]:
    """What several updates wrote: of two that wrote to one channel the later one, or the one that is a verdict."""
    verdicts_last = sorted(updates, key=lambda update: classify(update) != "other")
    return {channel: value for update in verdicts_last for channel, value in update.items()}
