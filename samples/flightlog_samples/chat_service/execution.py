"""Starting, answering and steering runs of the agent, with the checkpoints as the only memory.

Each pause is named by the checkpoint at which the run stands. An answer belongs to one pause and is taken once; see
`decision_log`.
"""

import asyncio
import logging
import time
from contextlib import suppress
from typing import Any

from langchain_core.messages import AIMessage, HumanMessage, ToolCall, ToolMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool
from langgraph.types import Command, StateSnapshot
from pydantic import BaseModel, ValidationError

from flightlog import JsonlTracer
from flightlog_samples.chat_service import errors
from flightlog_samples.chat_service.agent import Agent
from flightlog_samples.decision_log import Decision, DecisionLog
from flightlog_samples.pause import failed, pause_of, paused_since

log = logging.getLogger(__name__)
CLARIFY = "request_clarification"
_DECISIONS = {"approve": "approve", "reject": "reject", "modify": "edit", "redirect": "edit"}


class AgentExecutionManager:
    """Runs of one agent; every method may be called from any process that has the database.

    Each method that lets a run go on returns where it stands then, see `standing`. They raise SessionErrors.
    """

    def __init__(
        self,
        agent: Agent,
        tools: list[BaseTool],
        decisions: DecisionLog,
        tracer: JsonlTracer | None = None,
        ttl_s: float | None = None,
    ) -> None:
        """`ttl_s`: seconds after which a pause is too old to be answered; None means never."""
        self._agent = agent
        self._tools = {tool.name: tool for tool in tools}
        self._decisions = decisions
        self._tracer = tracer
        self._ttl_s = ttl_s

    async def start_and_pause(self, question: str, session_id: str) -> dict[str, Any]:
        """Ask the agent, in a new session or the next turn of one. Raises BusyError when it still waits or runs.

        A pause that is too old does not stand in the way: its calls are rejected first.
        """
        snapshot = await self._agent.aget_state(self._config(session_id))
        if self._late(snapshot):
            with suppress(errors.ExpiredError):
                await self._apply(snapshot, {}, session_id)
            snapshot = await self._agent.aget_state(self._config(session_id))
        if snapshot.next and not failed(snapshot):
            raise errors.BusyError("This session still waits for an answer.")
        return await self._apply(snapshot, {"action": "start", "question": question}, session_id)

    async def approve(
        self, session_id: str, decided_by: str | None = None, pause_id: str | None = None
    ) -> dict[str, Any]:
        """Let the pending calls run.

        `pause_id` is the one of the pause that the person saw: without it, a click repeated by mistake approves
        whatever the session waits for by then.
        """
        snapshot = await self._waiting(session_id, pause_id)
        return await self._apply(snapshot, {"action": "approve", "decided_by": decided_by}, session_id)

    async def reject(
        self, session_id: str, reason: str, decided_by: str | None = None, pause_id: str | None = None
    ) -> dict[str, Any]:
        """Run none of the pending calls; the agent is told why, and answers without them."""
        decision = {"action": "reject", "reason": reason, "decided_by": decided_by}
        return await self._apply(await self._waiting(session_id, pause_id), decision, session_id)

    async def modify_arguments(
        self, session_id: str, tool_call_id: str, arguments: dict[str, Any], decided_by: str | None = None
    ) -> dict[str, Any]:
        """Let the pending calls run, one of them with other arguments. Raises BadArgumentsError when it cannot."""
        snapshot = await self._waiting(session_id)
        call = next((call for call in pending_calls(snapshot) if call["id"] == tool_call_id), None)
        if call is None:
            raise errors.NotFoundError("No pending call has this id.")
        self._check(call, arguments)
        decision = {"action": "modify", "call": tool_call_id, "arguments": arguments, "decided_by": decided_by}
        return await self._apply(snapshot, decision, session_id)

    async def redirect(
        self, session_id: str, instruction: str, decided_by: str | None = None, pause_id: str | None = None
    ) -> dict[str, Any]:
        """Run none of the pending calls, and tell the agent what to do instead."""
        decision = {"action": "redirect", "instruction": instruction, "decided_by": decided_by}
        return await self._apply(await self._waiting(session_id, pause_id), decision, session_id)

    async def clarify(self, session_id: str, answer: str, pause_id: str | None = None) -> dict[str, Any]:
        """Answer the question that the agent's clarification tool asked."""
        snapshot = await self._find(session_id, pause_id)
        if not snapshot.interrupts:
            raise errors.NotWaitingError("This session asks no question.")
        return await self._apply(snapshot, {"action": "clarify", "answer": answer}, session_id)

    async def standing(self, session_id: str) -> dict[str, Any]:
        """Where a session stands: complete, blocked, pending_approval, needs_clarification, failed or running."""
        return _standing(await self._find(session_id), session_id)

    async def recover(self) -> None:
        """Apply the answers that a server that died had taken and not applied."""
        for decision in await asyncio.to_thread(self._decisions.unapplied):
            try:
                snapshot = await self._agent.aget_state(self._config(decision.thread_id))
                if pause_of(snapshot) == decision.pause_id:
                    await self._run(snapshot, decision.decision, decision.thread_id)
                elif snapshot.next and not _asks(snapshot):
                    await self._go_on(None, decision.decision, decision.thread_id)
            except Exception:
                log.exception("session %s could not go on", decision.thread_id)
                continue
            await asyncio.to_thread(self._decisions.applied, decision)

    async def _apply(self, snapshot: StateSnapshot, action: dict[str, Any], session_id: str) -> dict[str, Any]:
        late = self._late(snapshot)
        if late:
            action = {"action": "reject", "reason": "nobody answered in time", "decided_by": "policy:ttl"}
        decision = Decision(session_id, pause_of(snapshot), action)
        if not await asyncio.to_thread(self._decisions.take, decision):
            raise errors.AlreadyAnsweredError("This pause has been answered already.")
        try:
            await self._run(snapshot, action, session_id)
        except BaseException as error:
            # Where nothing moved the pause is open again. Where something did the answer was used, and stays on record
            # as not applied, so that the next start finishes what it began.
            head = await self._agent.aget_state(self._config(session_id))
            if pause_of(head) == decision.pause_id:
                await asyncio.to_thread(self._decisions.release, decision)
            if not isinstance(error, Exception):
                raise
            log.exception("session %s failed", session_id)
            raise errors.RunFailedError("The run failed.") from error
        await asyncio.to_thread(self._decisions.applied, decision)
        if late:
            raise errors.ExpiredError("Nobody answered in time; the calls were not run.")
        return await self.standing(session_id)

    def _late(self, snapshot: StateSnapshot) -> bool:
        if self._ttl_s is None or not _asks(snapshot):
            return False
        return time.time() - paused_since(snapshot) > self._ttl_s

    async def _run(self, snapshot: StateSnapshot, action: dict[str, Any], session_id: str) -> None:
        """Bring one answer into the graph and let it run to its next pause or end."""
        kind, calls = action["action"], pending_calls(snapshot)
        if kind == "start":
            await self._go_on({"messages": [HumanMessage(action["question"])]}, action, session_id)
        elif snapshot.interrupts:
            answer = action.get("answer", f"rejected: {action.get('reason', '')}")
            await self._go_on(Command(resume=answer), action, session_id)
        else:
            if kind == "modify":
                await self._write([_modified(snapshot, action)], "model", session_id)
            elif kind in ("reject", "redirect"):
                reason = action.get("reason", "the user wants something else")
                answers: list[Any] = [
                    ToolMessage(f"rejected: {reason}", name=call["name"], tool_call_id=call["id"]) for call in calls
                ]
                if kind == "redirect":
                    answers.append(HumanMessage(action["instruction"]))
                await self._write(answers, "tools", session_id)
            await self._go_on(None, action, session_id)

    async def _write(self, messages: list[Any], as_node: str, session_id: str) -> None:
        await self._agent.aupdate_state(self._config(session_id), {"messages": messages}, as_node=as_node)

    async def _go_on(self, inputs: Any, action: dict[str, Any], session_id: str) -> None:
        # A breakpoint keeps no answer in the database: what was decided, by whom and why goes into the run's metadata.
        said = {
            "decision": _DECISIONS.get(action["action"]),
            "decided_by": action.get("decided_by"),
            "notes": action.get("reason") or action.get("instruction"),
        }
        about = {key: value for key, value in said.items() if value}
        config: RunnableConfig = {**self._config(session_id), "metadata": about}
        await self._agent.ainvoke(inputs, config)
        # The agent stops before every tool. Asking the user back needs nobody's approval.
        snapshot = await self._agent.aget_state(config)
        calls = pending_calls(snapshot)
        if calls and not snapshot.interrupts and all(call["name"] == CLARIFY for call in calls):
            passed = {"decision": "approve", "decided_by": "policy:clarification"}
            await self._agent.ainvoke(None, {**self._config(session_id), "metadata": passed})

    async def _find(self, session_id: str, pause_id: str | None = None) -> StateSnapshot:
        snapshot = await self._agent.aget_state(self._config(session_id))
        if not snapshot.values:
            raise errors.NotFoundError("There is no such session.")
        if pause_id is not None and pause_id != pause_of(snapshot):
            raise errors.NotWaitingError("This pause is over.")
        return snapshot

    async def _waiting(self, session_id: str, pause_id: str | None = None) -> StateSnapshot:
        snapshot = await self._find(session_id, pause_id)
        if not pending_calls(snapshot) or snapshot.interrupts:
            raise errors.NotWaitingError("This session waits for no approval.")
        return snapshot

    def _check(self, call: ToolCall, arguments: dict[str, Any]) -> None:
        schema = self._tools[call["name"]].tool_call_schema
        try:
            if isinstance(schema, type) and issubclass(schema, BaseModel):
                schema.model_validate(arguments)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise errors.BadArgumentsError(f"{call['name']}: {where}: {first['msg']}") from None

    def _config(self, session_id: str) -> RunnableConfig:
        callbacks: list[Any] = [self._tracer] if self._tracer else []
        return {"configurable": {"thread_id": session_id}, "callbacks": callbacks}


def pending_calls(snapshot: StateSnapshot) -> list[ToolCall]:
    """The calls that stand before `tools` and have no result yet."""
    if "tools" not in snapshot.next:
        return []
    answered = {m.tool_call_id for m in snapshot.values["messages"] if isinstance(m, ToolMessage)}
    proposal = _proposal(snapshot)
    return [call for call in proposal.tool_calls if call["id"] not in answered] if proposal else []


def _proposal(snapshot: StateSnapshot) -> AIMessage | None:
    return next((m for m in reversed(snapshot.values["messages"]) if isinstance(m, AIMessage)), None)


def _modified(snapshot: StateSnapshot, action: dict[str, Any]) -> AIMessage:
    # The same message id replaces the message; written as the model's, it makes the tool tasks anew.
    proposal = _proposal(snapshot)
    if proposal is None:
        raise errors.NotWaitingError("This session waits for no approval.")
    calls = [
        {**call, "args": action["arguments"]} if call["id"] == action["call"] else call for call in proposal.tool_calls
    ]
    return proposal.model_copy(update={"tool_calls": calls})


def _standing(snapshot: StateSnapshot, session_id: str) -> dict[str, Any]:
    if snapshot.interrupts:
        question = snapshot.interrupts[0].value["clarify"]
        waits = {"pause_id": pause_of(snapshot), "question": question}
        return {"status": "needs_clarification", "session_id": session_id, **waits}
    if calls := pending_calls(snapshot):
        shown = [{"id": call["id"], "name": call["name"], "args": call["args"]} for call in calls]
        waits = {"pause_id": pause_of(snapshot), "pending_tool_calls": shown}
        return {"status": "pending_approval", "session_id": session_id, **waits}
    if snapshot.next:
        return {"status": "failed" if failed(snapshot) else "running", "session_id": session_id}
    last = snapshot.values["messages"][-1]
    status = "blocked" if last.additional_kwargs.get("blocked") else "complete"
    return {"status": status, "session_id": session_id, "answer": last.text}


def _asks(snapshot: StateSnapshot) -> bool:
    return bool(snapshot.interrupts or pending_calls(snapshot))
