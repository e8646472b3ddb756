"""A support desk that settles most tickets itself and asks a person about the risky ones; on Postgres.

What a tutorial version of this does differently, and why it is not done here:

- It compiles `interrupt_before=["respond"]`, which stops every ticket, and sends the risky ones to the end of the
  graph, from where nothing resumes them. Here a node of its own asks, and only risky tickets reach it.
- A missing answer counts as a yes there: `respond` acts unless `human_approved` is False. Here only an approval acts.
- It calls its nodes free of side effects while `respond` carries the action out. A node may run again after a crash,
  so here the action is done under the ticket's id, at most once.
- `PostgresSaver.from_conn_string` is a context manager by now. Here a pool serves saver and queue alike.
- Its checklist (time limits, caps, versions, notes, routing by skill, priority) has no code. Here it has:
  `review_queue`, `desk` and `state`. Lag and agreement are measured from the recording:
  `flightlog approvals --threshold 0.7`.
"""

from flightlog_samples.support_desk.story import story

__all__ = ["story"]
