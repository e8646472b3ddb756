"""Named queries about threads: questions that spans ended with, answers that runs brought, each thread's newest run."""

from flightlog.span import ANSWER_REFUSED
from flightlog_viewer.store.queries.named_query import Statement, named
from flightlog_viewer.store.thread_runs import IN_VAIN, THREAD_RUNS


@named
def stopped() -> Statement:
    """A row when any span stopped for a human, by a question or at a breakpoint; none otherwise."""
    return "SELECT 1 AS stopped FROM spans WHERE status = 'interrupted' OR interrupts IS NOT NULL LIMIT 1", []


@named
def questions() -> Statement:
    """Spans that ended by asking: ``thread_id``, ``trace_id``, ``node``, ``checkpoint_ns``, ``task_id``,
    ``interrupts`` and ``metadata`` (JSON), ``end_time``, and ``checkpoint_id`` of the graph around.

    What code of a node asks and the node passes over, with a fallback or an ``except``, reaches no human: a
    ``GraphInterrupt`` is an ``Exception``. Whether it did the node's own end tells, which is that of its task.
    """
    return (
        """WITH passed_over AS (
            SELECT trace_id, task_id FROM spans WHERE kind IN ('node', 'task') AND task_id IS NOT NULL
            GROUP BY trace_id, task_id HAVING bool_and(status IN ('ok', 'error', 'handoff')))
        SELECT thread_id, trace_id, node, checkpoint_ns, task_id, interrupts::VARCHAR AS interrupts, end_time,
            checkpoint_id, metadata::VARCHAR AS metadata
        FROM spans ANTI JOIN passed_over ON passed_over.trace_id = spans.trace_id
            AND passed_over.task_id = spans.task_id AND spans.kind IS DISTINCT FROM 'graph'
        WHERE interrupts IS NOT NULL AND end_time IS NOT NULL ORDER BY end_time, row_id""",
        [],
    )


@named
def answers() -> Statement:
    """Runs that brought an answer: ``thread_id``, ``resumes`` and ``metadata`` (JSON), ``start_time``, and
    ``checkpoint_id`` from which they went on; of one that stopped again it is not known, for its span has where it
    stopped. ``refused_by`` are the tasks that failed because an answer was not of the schema that its question asked
    for.

    LangGraph refuses an answer that might be to several questions, before anything has run. A graph with a name of its
    own that a chain calls is not known for one at its start before LangGraph 1.1: the chain has the answer alone.
    """
    return (
        """WITH runs AS (
            SELECT * FROM spans WHERE resumes IS NOT NULL AND status <> 'error'
            UNION ALL SELECT failed.*
            FROM spans AS failed SEMI JOIN spans AS child ON child.parent_run_id = failed.run_id
            WHERE failed.resumes IS NOT NULL AND failed.status = 'error'
        ), alone AS (
            SELECT trace_id FROM spans WHERE resumes IS NOT NULL
            GROUP BY trace_id HAVING count(*) = 1 AND count(thread_id) = 0
        ), only_thread AS (
            SELECT trace_id, min(thread_id) AS thread_id FROM spans SEMI JOIN alone USING (trace_id)
            GROUP BY trace_id HAVING count(DISTINCT thread_id) = 1
        ), refused AS (
            SELECT trace_id, list(DISTINCT task_id) AS refused_by FROM spans SEMI JOIN runs USING (trace_id)
            WHERE status = 'error' AND task_id IS NOT NULL AND list_contains(tags, ?) GROUP BY trace_id)
        SELECT coalesce(runs.thread_id, only_thread.thread_id) AS thread_id, resumes::VARCHAR AS resumes,
            metadata::VARCHAR AS metadata, start_time,
            CASE WHEN status <> 'interrupted' THEN checkpoint_id END AS checkpoint_id, refused_by
        FROM runs LEFT JOIN only_thread USING (trace_id) LEFT JOIN refused USING (trace_id)
        ORDER BY start_time, row_id""",
        [ANSWER_REFUSED],
    )


@named
def pauses() -> Statement:
    """Runs that stopped at a static breakpoint, each with the start, metadata and inputs (JSON) of the next run.

    Such a run is interrupted and none of its spans asks anything. Writing to the state by hand is a run too, by the
    graph's name and ``UpdateState``, but goes on with nothing.
    """
    return (
        f"""WITH runs AS (
            SELECT trace_id, thread_id, checkpoint_id, status, start_time, end_time,
                lead(start_time) OVER later AS next_start, lead(metadata::VARCHAR) OVER later AS next_metadata,
                lead(row_id) OVER later AS next_row
            FROM ({THREAD_RUNS}) WHERE NOT ends_with(name, 'UpdateState')
            WINDOW later AS (PARTITION BY thread_id ORDER BY start_time, row_id)
        ), stopped AS (
            SELECT * FROM runs WHERE status = 'interrupted' AND checkpoint_id IS NOT NULL AND end_time IS NOT NULL
                AND NOT EXISTS (
                    SELECT 1 FROM spans AS asked WHERE asked.interrupts IS NOT NULL AND asked.trace_id = runs.trace_id
                        AND asked.start_time >= runs.start_time AND asked.end_time <= runs.end_time)
        ), given AS (
            SELECT row_id, inputs::VARCHAR AS inputs FROM spans WHERE row_id IN (SELECT next_row FROM stopped))
        SELECT thread_id, trace_id, checkpoint_id, end_time, next_start, next_metadata, given.inputs AS next_inputs
        FROM stopped LEFT JOIN given ON given.row_id = next_row ORDER BY end_time, checkpoint_id""",
        [],
    )


@named
def went_on() -> Statement:
    """The newest run of each thread that ended well, by finishing or by asking: ``thread_id``, ``start_time``."""
    return (
        f"""SELECT thread_id, max(start_time) AS start_time FROM ({THREAD_RUNS})
        WHERE status IN ('ok', 'interrupted') AND NOT ends_with(name, 'UpdateState') GROUP BY thread_id""",
        [],
    )


@named
def in_vain() -> Statement:
    """Answers after which no node ran: ``thread_id``, ``start_time``, ``resumes`` (JSON), ``trace_id``."""
    return (
        f"""SELECT thread_id, start_time, resumes::VARCHAR AS resumes, trace_id FROM traces
        WHERE {IN_VAIN} ORDER BY start_time, row_id""",
        [],
    )


@named
def newest_runs() -> Statement:
    """The newest run of each thread: ``thread_id``, ``status``, ``start_us``, ``end_us``, ``error``, ``in_flight``.

    ``error`` is its type and message; ``in_flight`` the names of its innermost spans that have not ended, or None;
    ``in_vain`` says that it brought an answer and no node ran.
    """
    return (
        f"""WITH newest AS (
            SELECT thread_id, arg_max(
                {{'trace_id': trace_id, 'status': status, 'start_us': epoch_us(start_time),
                    'end_us': epoch_us(end_time), 'error': concat_ws(': ', error.type, error.message)}},
                (start_time, row_id)
                ) AS run
            FROM ({THREAD_RUNS}) GROUP BY thread_id
        ), live AS (
            SELECT trace_id, run_id, parent_run_id, name, start_time FROM spans
            WHERE status IN ('running', 'unfinished')
        ), innermost AS (
            SELECT trace_id, list(name ORDER BY start_time) AS in_flight FROM live
            WHERE run_id NOT IN (SELECT parent_run_id FROM live WHERE parent_run_id IS NOT NULL) GROUP BY trace_id
        )
        SELECT thread_id, run.status AS status, run.start_us AS start_us, run.end_us AS end_us,
            nullif(run.error, '') AS error, in_flight,
            run.trace_id IN (SELECT trace_id FROM traces WHERE {IN_VAIN}) AS in_vain
        FROM newest LEFT JOIN innermost ON innermost.trace_id = newest.run.trace_id ORDER BY thread_id""",
        [],
    )


@named
def thread_spans(thread_id: str) -> Statement:
    """The spans of a thread by start, with what tells their place among its checkpoints (``analysis.join.SpanRef``)."""
    return (
        """SELECT row_id, run_id, type, start_time, end_time, checkpoint_ns, task_id, node, step, checkpoint_id,
            message_id, tool_call_id, cache_hit
        FROM spans WHERE thread_id = ? ORDER BY start_time, row_id""",
        [thread_id],
    )
