"""Compares what we read from the rows with what LangGraph says about the same checkpoints."""

from typing import Any

from langgraph.errors import InvalidUpdateError

from flightlog_viewer.checkpoints import CheckpointSource, Step, normal_form
from tests.conformance.replay.scenario import Run

NOT_STORED = {
    # A hand-made Pregel graph streams the channels that its code names; the rows hold all of them.
    "a_graph_made_by_hand": {"a"},
}


async def differences(run: Run, source: CheckpointSource, name: str = "") -> list[str]:
    """Every difference, as a sentence; empty when all checkpoints of all threads and namespaces agree."""
    found: list[str] = []
    for thread in source.threads():
        by_namespace: dict[str, list[Step]] = {}
        for step in source.history(thread.thread_id).steps:
            by_namespace.setdefault(step.checkpoint_ns, []).append(step)
        for namespace, steps in by_namespace.items():
            snapshots = await _snapshots(run, thread.thread_id, namespace)
            where = f"thread {thread.thread_id!r} namespace {namespace!r}"
            if set(snapshots) != {step.checkpoint_id for step in steps}:
                found.append(f"{where}: {len(snapshots)} checkpoints there, {len(steps)} here")
                continue
            for step in steps:
                found += [f"{where} {text}" for text in _differences(step, snapshots[step.checkpoint_id], name)]
        if run.durability != "exit":  # which does not store the step that the subgraph ran in
            found += _unlinked(by_namespace)
        config = run.config(thread.thread_id)
        try:
            state = await run.graph.aget_state(config) if run.asynchronous else run.graph.get_state(config)
        except InvalidUpdateError:  # parallel nodes wrote what may be written once: LangGraph shows no state any more
            continue
        ours, theirs = {question.id for question in thread.pending}, {question.id for question in state.interrupts}
        if thread.status == "errored":
            theirs &= ours  # a task that has its answer and failed with it still shows its question there
        if (theirs or thread.status == "interrupted" or ours) and ours != theirs:
            found.append(f"thread {thread.thread_id!r} waits for {ours} here, for {theirs} there")
        if thread.status == "finished" and (state.next or theirs):
            found.append(f"thread {thread.thread_id!r} is finished here, {state.next} is due there")
    return found


def _unlinked(by_namespace: dict[str, list[Step]]) -> list[str]:
    """Subgraphs whose task no step of the graph around them holds."""
    tasks = {task.task_id for steps in by_namespace.values() for step in steps for task in step.tasks}
    return [
        f"namespace {namespace!r} belongs to no task"
        for namespace, steps in by_namespace.items()
        if steps[0].parent_task_id is not None and steps[0].parent_task_id not in tasks
    ]


async def _snapshots(run: Run, thread_id: str, namespace: str) -> dict[str, Any]:
    """LangGraph's history of a namespace; a graph that only a function calls is asked itself."""
    plain = "|".join(part.split(":")[0] for part in namespace.split("|") if not part.isdigit())
    config = run.config(thread_id, checkpoint_ns=namespace)
    graph = run.graph
    if plain in run.subgraphs:
        graph = run.subgraphs[plain]
        config["configurable"]["__pregel_checkpointer"] = run.saver
    if run.asynchronous:
        snapshots = [snapshot async for snapshot in graph.aget_state_history(config)]
    else:
        snapshots = list(graph.get_state_history(config))
    return {snapshot.config["configurable"]["checkpoint_id"]: snapshot for snapshot in snapshots}


def _not_told(step: Step, name: str) -> set[str]:
    """Channels whose value no row holds: docs/checkpoints.md lists them, each with the reason."""
    return {*step.not_materialised, *step.null_writes, *NOT_STORED.get(name, ())}


def _differences(step: Step, snapshot: Any, name: str) -> list[str]:
    ours, theirs = normal_form(step), normal_form(snapshot)
    for channel in _not_told(step, name):
        ours["values"].pop(channel, None)
        theirs["values"].pop(channel, None)
    found = [
        f"step {step.step} {key}: {ours[key]!r} here, {theirs[key]!r} there" for key in ours if ours[key] != theirs[key]
    ]
    theirs_tasks = {(task.id, task.name) for task in snapshot.tasks}
    found += [
        f"step {step.step} has a task {task.task_id} of {task.node} here only"
        for task in step.tasks
        if task.due and task.task_id and (task.task_id, task.node) not in theirs_tasks
    ]
    ours_errors = sorted(str(task.error) for task in step.tasks if task.due and task.error is not None)
    theirs_errors = sorted(str(task.error) for task in snapshot.tasks if task.error is not None)
    if ours_errors != theirs_errors:
        found.append(f"step {step.step} errors: {ours_errors} here, {theirs_errors} there")
    if isinstance(snapshot.values, dict) and not step.functional and "__root__" not in step.values:
        # The form leaves empty values out; where the rows hold a channel, its empty value must agree as well.
        whole = normal_form(snapshot.values)
        found += [
            f"step {step.step} channel {channel}: {value!r} here, {whole[channel]!r} there"
            for channel, value in normal_form(step.values).items()
            if channel in whole and channel not in _not_told(step, name) and whole[channel] != value
        ]
    return found
