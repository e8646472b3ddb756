"""The runs of threads: one a call of a graph, wherever in a trace that call is."""

from typing import Final

GRAPH_RUNS: Final = """
SELECT * FROM spans WHERE kind = 'graph' AND node IS NULL AND thread_id IS NOT NULL
UNION ALL SELECT * FROM spans WHERE row_id IN (
    SELECT called.row_id FROM spans AS called JOIN spans AS caller ON caller.run_id = called.parent_run_id
    WHERE called.kind = 'graph' AND called.node IS NOT NULL AND called.thread_id IS NOT NULL
        AND caller.trace_id = called.trace_id AND caller.thread_id IS DISTINCT FROM called.thread_id)
"""
"""Spans: the outermost graphs of each thread, which a chain or a node of another thread may have called."""

_NO_GRAPH: Final = """NOT EXISTS (
    SELECT 1 FROM spans AS graph WHERE graph.kind = 'graph' AND graph.node IS NULL
        AND graph.trace_id = root.trace_id AND graph.thread_id = root.thread_id)"""

THREAD_RUNS: Final = f"""{GRAPH_RUNS}
UNION ALL SELECT * FROM spans AS root
    WHERE parent_run_id IS NULL AND kind IS DISTINCT FROM 'graph' AND thread_id IS NOT NULL AND {_NO_GRAPH}
"""
"""Those spans, and the roots of traces in which a thread has no graph."""

IN_VAIN: Final = "resumes IS NOT NULL AND status = 'ok' AND kind = 'graph' AND span_count = 1"
"""`traces` that brought an answer after which no node ran: nothing waited, or the graph has that node no more."""

TRACE_RUNS: Final = f"""
SELECT thread_id, trace_id, row_id, name, status, start_time, end_time, duration_ms FROM ({GRAPH_RUNS})
UNION ALL SELECT thread_id, trace_id, row_id, name, status, start_time, end_time, duration_ms FROM traces AS root
    WHERE thread_id IS NOT NULL AND (kind IS DISTINCT FROM 'graph' OR orphaned) AND {_NO_GRAPH}
"""
"""The same where `traces` are known, which have a root and a thread whatever is missing."""
