"""A chat agent whose tools wait for a person, over HTTP; approve, reject, change the arguments, or send it elsewhere.

What a tutorial version of this does differently, and why it is not done here:

- Its manager keeps the pending calls in a dictionary, so a restart between pause and answer loses them and a second
  server never knows them. Here the checkpoint is the only memory: whatever server has the database can answer.
- It rejects the first of the pending calls only, and leaves it to LangGraph to guess the node that wrote the
  rejection. Here every call gets its answer, written as the node `tools`.
- Nothing stops two approvals at once from running a tool twice. Here an answer is taken once, and an email is sent
  under the id of its call, so that even a run repeated after a crash sends it once.
- `SqliteSaver.from_conn_string` is a context manager by now; and its clarification tool reads standard input, which a
  server has nobody at: here it is an `interrupt` that the caller answers by another request.
- Its guardrail stands outside the graph, where no trace shows it. Here it is the agent's first node.
"""

from flightlog_samples.chat_service.story import story

__all__ = ["story"]
