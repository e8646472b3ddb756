"""What a scenario is: a graph, and what is done to its threads. The same ones run on every saver and durability."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

Drive = Callable[["Run"], Awaitable[None]]
SCENARIOS: dict[str, Drive] = {}


def scenario(function: Drive) -> Drive:
    """Register a scenario under its function's name."""
    SCENARIOS[function.__name__] = function
    return function


@dataclass
class Run:
    """One run of one scenario on one saver."""

    saver: Any
    asynchronous: bool
    durability: str | None = None
    graph: Any = None
    """The graph whose history is compared."""
    subgraphs: dict[str, Any] = field(default_factory=dict)
    """Graphs that a namespace belongs to where LangGraph cannot find them by itself, by the namespace without ids."""

    def compile(self, builder: Any, **options: Any) -> Any:
        """Compile the graph under test with the saver."""
        self.graph = builder.compile(checkpointer=self.saver, **options)
        return self.graph

    def config(self, thread_id: str = "t", **more: Any) -> Any:
        """A config that names a thread."""
        return {"configurable": {"thread_id": thread_id, **more}}

    async def invoke(self, given: Any, config: Any = None, **options: Any) -> Any:
        """Invoke the graph, in the way of the saver."""
        config = config or self.config()
        if self.durability is not None:
            options.setdefault("durability", self.durability)
        if self.asynchronous:
            return await self.graph.ainvoke(given, config, **options)
        return self.graph.invoke(given, config, **options)

    async def fails(self, given: Any, config: Any = None) -> None:
        """Invoke the graph, which raises."""
        try:
            await self.invoke(given, config)
        except Exception:
            return
        raise AssertionError("the graph was to fail")

    async def update(self, values: Any, config: Any = None, **options: Any) -> Any:
        """Update the state of the thread; returns the config of the new checkpoint."""
        config = config or self.config()
        if self.asynchronous:
            return await self.graph.aupdate_state(config, values, **options)
        return self.graph.update_state(config, values, **options)

    async def history(self, config: Any = None) -> list[Any]:
        """The thread's snapshots, newest first, as LangGraph tells them."""
        config = config or self.config()
        if self.asynchronous:
            return [snapshot async for snapshot in self.graph.aget_state_history(config)]
        return await asyncio.to_thread(lambda: list(self.graph.get_state_history(config)))

    async def at(self, step: int, config: Any = None) -> Any:
        """The config of the newest root checkpoint with this step."""
        for snapshot in await self.history(config):
            if snapshot.metadata.get("step") == step:
                return snapshot.config
        raise AssertionError(f"no step {step}")

    async def question(self, config: Any = None) -> list[Any]:
        """The questions that wait now."""
        config = config or self.config()
        state = await self.graph.aget_state(config) if self.asynchronous else self.graph.get_state(config)
        return list(state.interrupts)
