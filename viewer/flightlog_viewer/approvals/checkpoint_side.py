"""The questions that a thread's rows still hold, with their answers as far as rows keep them."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from flightlog_viewer.approvals.approval import Approval, Moment, QuestionStatus, Refusal, at, parse_time
from flightlog_viewer.approvals.asker import agent_in
from flightlog_viewer.approvals.breakpoints import pauses_before_nodes
from flightlog_viewer.approvals.decisions import risk_score
from flightlog_viewer.approvals.places import Followers, Key, Place, Places, followers_of, place_of
from flightlog_viewer.checkpoints.model import Step, Task
from flightlog_viewer.checkpoints.sameness import same
from flightlog_viewer.checkpoints.tasks import depth, question_id


def thread_questions(
    steps: Iterable[Step], breakpoints: Collection[str] = (), pauses: Collection[str] = ()
) -> list[Approval]:
    """Every question of a thread, oldest first.

    A pause at a static breakpoint counts as a question when an update_state answered it, when its node is among
    `breakpoints`, or when its checkpoint is among `pauses`. Without exact times the answer lies between the checkpoint
    that asked and the one that followed.
    """
    places: dict[Key, Place] = {}
    thread_id = ""
    found: list[tuple[Key, Task, Approval]] = []
    together: list[dict[str, str]] = []
    later: set[str] = set()
    for step in steps:
        key, thread_id = (step.checkpoint_ns, step.checkpoint_id), step.thread_id
        asking = [task for task in step.tasks if task.kind != "call" and (task.interrupts or task.resumes)]
        places[key] = place_of(step, places.get((step.checkpoint_ns, step.parent_checkpoint_id or "")), bool(asking))
        # What a `@task` asks is asked of its caller as well, until that asks something else.
        held = {interrupt.id for task in asking for interrupt in task.interrupts}
        for task in step.tasks:
            if task.kind == "call" and any(interrupt.id not in held for interrupt in task.interrupts):
                found += [(key, task, approval) for approval in exchanges(step, task) if approval.question_recorded]
        for task in asking:
            found += [(key, task, approval) for approval in exchanges(step, task)]
        together.append(_times_of_several(asking))
        later |= {last.id for task in asking for last in task.interrupts[-1:] if _answers_before(step, task, last.id)}
    children = followers_of(places)
    approvals = [_settled(places, children, *item) for item in found]
    keys = [key for key, _, _ in found]
    in_step = Counter(keys)
    # Several questions of a step may be answered by a run each, of which the last alone made a checkpoint.
    approvals = [
        _with_who(places, children.get(key, ()), approval) if in_step[key] == 1 else approval
        for key, approval in zip(keys, approvals, strict=True)
    ]
    approvals += [
        replace(item, thread_id=thread_id) for item in pauses_before_nodes(places, children, breakpoints, pauses)
    ]
    newest = max((name for namespace, name in places if namespace == ""), default="")
    left = [_left(approval, newest) for approval in approvals]
    again = {name for times in together for name in _perhaps_asked_again(times, later)}
    return [_not_after(asked, places) if asked.interrupt_id in again else asked for asked in _innermost(left)]


def _times_of_several(asking: Collection[Task]) -> dict[str, str]:
    """The times of a step's questions in the database, by their ids, where it has several and one was answered."""
    times = {interrupt.id: task.asked_at for task in asking for interrupt in task.interrupts if task.asked_at}
    return {} if len(times) < 2 or all(task.status == "interrupted" and not task.resumes for task in asking) else times


def _perhaps_asked_again(times: Mapping[str, str], later: set[str]) -> Iterable[str]:
    """The ids of those questions whose times may be too late.

    A run that answers one of several questions asks the others again, which replaces their rows. Only the oldest row
    is surely that of the first time, and only where no task has asked before (`later`): that row is gone.
    """
    first = min(times.values(), default="")
    return [name for name, moment in times.items() if moment > first or not later.isdisjoint(times)]


def _not_after(approval: Approval, places: Places) -> Approval:
    """A question that was asked by the time that its row has, and perhaps before."""
    place = places[approval.checkpoint_ns, approval.checkpoint_id or ""]
    return replace(approval, asked=Moment(parse_time(place.ts), approval.asked.latest))


def _left(approval: Approval, newest: str) -> Approval:
    """A question that waits in a branch which the thread has left by a fork is abandoned: nobody is asked any more."""
    if approval.status == "pending" and approval.checkpoint_ns == "" and approval.checkpoint_id != newest:
        return replace(approval, status="abandoned")
    return approval


def exchanges(step: Step, task: Task) -> Iterable[Approval]:
    """The questions of a task with their answers, in order, as far as its own step tells them.

    LangGraph keeps the last question only, but the answers to all before it.
    """
    started = parse_time(step.ts)
    base = Approval(
        interrupt_id="",
        thread_id=step.thread_id,
        node=task.node,
        checkpoint_ns=step.checkpoint_ns,
        checkpoint_id=step.checkpoint_id,
        question=None,
        question_recorded=False,
        status="pending",
        asked=Moment(started, None),
        answered=Moment(),
        risk=risk_score(step.values),
        agent=agent_in(step.metadata),
    )
    last = task.interrupts[-1] if len(task.interrupts) == 1 else None
    before = _answers_before(step, task, last.id) if last else len(task.resumes)
    names = [question_id(step.checkpoint_ns, task.node, task.task_id, index) for index in range(before + 1)]
    one_id = last is not None and last.id == names[0]
    for index, answer in enumerate(task.resumes[:before]):
        yield replace(
            base,
            interrupt_id=names[0] if one_id else names[index],
            turn=index if one_id else 0,
            status="answered",
            answer=answer,
            answer_recorded=True,
            answered=Moment(started, parse_time(task.asked_at)),  # the task went on to ask again
        )
    for interrupt in task.interrupts:
        risk = risk_score(interrupt.value)
        asked = replace(
            base,
            interrupt_id=interrupt.id,
            turn=before if one_id else 0,
            question=interrupt.value,
            question_recorded=True,
            response_schema=interrupt.response_schema,
            risk=base.risk if risk is None else risk,
            asked=_exactly(task.asked_at, base.asked),
        )
        if task.status == "interrupted":
            yield asked if task.error is None else replace(asked, refused=Refusal(error=str(task.error)))
        else:
            yield _answered(asked, step, task, before)


def _answered(asked: Approval, step: Step, task: Task, before: int) -> Approval:
    """The task's last question with its answer, as far as it has one."""
    unscoped = step.null_resume is not None and not task.answer_is_anothers
    if len(task.resumes) > before:
        answer, recorded = task.resumes[before], True
        unscoped = unscoped and same(step.null_resume, answer)
    elif unscoped and (not task.resumes or task.status == "finished" or not same(task.resumes[-1], step.null_resume)):
        answer, recorded = step.null_resume, True
    else:
        return asked
    latest = parse_time(task.answered_at)  # committed when the task ended, after the answer
    answered = _exactly(step.null_resume_at if unscoped else None, Moment(asked.asked.earliest, latest))
    return replace(asked, status="answered", answer=answer, answer_recorded=recorded, answered=answered)


def _answers_before(step: Step, task: Task, interrupt_id: str) -> int:
    """How many answers a task had when it asked its last question."""
    for index in range(1, len(task.resumes) + 1):
        if question_id(step.checkpoint_ns, task.node, task.task_id, index) == interrupt_id:
            return index
    if task.status in ("interrupted", "pending"):
        return len(task.resumes)  # a task stores its answers when it asks again: they all came before
    # One that failed has stored all of them. One that ended has kept the row of those before, if there was one.
    before = max(0, len(task.resumes) - 1)
    taken = task.answers_taken if task.status == "finished" else None
    return before + 1 if taken == before + 2 else before


def _settled(
    places: Places,
    children: Followers,
    key: Key,
    task: Task,
    approval: Approval,
) -> Approval:
    """The record with what the checkpoints that followed tell about it."""
    followers = children.get(key, [])
    after = parse_time(places[followers[0]].ts) if followers else None
    if not approval.asked.exact:
        approval = replace(approval, asked=Moment(approval.asked.earliest, after))
    if approval.status == "answered":
        if approval.answered.latest is not None:
            return approval
        return replace(approval, answered=Moment(approval.asked.earliest, after))
    if task.by_update or task.status == "finished":
        # Rows of SQLite savers before 3.1 do not tell an update's writes from the task's own; what followed does.
        updated = not task.path and bool(followers) and places[followers[0]].source == "update"
        updated = updated and not task.answers_taken
        by_update = task.by_update or updated
        answer = dict(task.writes) if by_update else None
        # The update made its own checkpoint: its time is the time of the answer.
        moment = at(after) if by_update else Moment(approval.asked.earliest, after)
        return replace(approval, status="answered", answer=answer, answer_recorded=by_update, answered=moment)
    updates = [child for child in followers if places[child].source == "update"]
    # An update after which the node is due again did not answer it: the node will ask anew.
    if updates and (update := places[updates[-1]]).update and approval.node not in update.next:
        return replace(
            approval,
            status="answered",
            answer=dict(update.update),
            answer_recorded=True,
            answered=at(parse_time(update.ts)),
        )
    for child in followers:
        if places[child].resumed and places[child].source == "loop":
            # With exit durability the rows of a step that has been passed are never written.
            answered = Moment(approval.asked.earliest, parse_time(places[child].ts))
            return replace(approval, status="answered", answered=answered)
    status: QuestionStatus = "abandoned" if followers else "pending"
    return replace(approval, status=status)


def _with_who(places: Places, children: Iterable[Key], approval: Approval) -> Approval:
    """The record with what the run that went on says of the answer."""
    first = min(children, key=lambda child: child[1], default=None)
    if approval.status != "answered" or first is None or places[first].source != "loop":
        return approval
    return replace(approval, said=places[first].said)


def _innermost(approvals: Iterable[Approval]) -> list[Approval]:
    """One record a question: every graph around it repeats the newest of its id, the innermost one knows its answer."""
    named: dict[str, list[tuple[int, Approval]]] = {}
    for place, approval in enumerate(approvals):
        named.setdefault(approval.interrupt_id, []).append((place, approval))
    found: list[tuple[int, Approval]] = []
    for several in named.values():
        several.sort(key=lambda item: depth(item[1].checkpoint_ns), reverse=True)
        innermost = depth(several[0][1].checkpoint_ns)
        turns: dict[int, tuple[int, Approval]] = {}
        for place, approval in several:
            inner = depth(approval.checkpoint_ns) == innermost
            turn = approval.turn if inner else max(turns)
            if turn in turns:
                first, known = turns[turn]
                turns[turn] = first, _with_outer(approval, known) if inner else _with_outer(known, approval)
            else:
                turns[turn] = place, approval
        found += turns.values()
    return [approval for _, approval in sorted(found, key=lambda item: item[0])]


def _with_outer(inner: Approval, outer: Approval) -> Approval:
    if inner.status == "abandoned" and outer.status == "pending":
        inner = replace(inner, status="pending")  # an update of the subgraph alone leaves the graph around it waiting
    elif inner.status == "pending" and outer.status != "pending":
        # The subgraph's thread ends there; what the graph around it did next settles the question.
        inner = replace(inner, status=outer.status, answered=outer.answered)
    if outer.answer_recorded and not inner.answer_recorded:
        inner = replace(inner, answer=outer.answer, answer_recorded=True)
    if outer.answered.exact and not inner.answered.exact:
        inner = replace(inner, answered=outer.answered)
    return inner


def _exactly(committed_at: str | None, otherwise: Moment) -> Moment:
    moment = parse_time(committed_at)
    return otherwise if moment is None else at(moment)
