"""A chat completions endpoint in OpenAI's format that answers by a sample's script."""

import json
from typing import Any

from fastapi import FastAPI
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage

from flightlog_samples.scripted_model import Script


def openai_service(script: Script) -> FastAPI:
    """The endpoint; it reports 10 prompt tokens and 5 completion tokens for every answer."""
    app = FastAPI()

    @app.post("/v1/chat/completions")
    def complete(request: dict[str, Any]) -> dict[str, Any]:
        reply = script([_message(message) for message in request["messages"]])
        calls = [
            {
                "id": f"call_{len(request['messages'])}_{index}",
                "type": "function",
                "function": {"name": name, "arguments": json.dumps(arguments)},
            }
            for index, (name, arguments) in enumerate(reply.tool_calls)
        ]
        message = {"role": "assistant", "content": reply.text or None, **({"tool_calls": calls} if calls else {})}
        return {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": "gpt-4o-mini-2024-07-18",
            "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls" if calls else "stop"}],
            "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
        }

    return app


def _message(message: dict[str, Any]) -> BaseMessage:
    text = message.get("content") or ""
    kinds: dict[str, type[BaseMessage]] = {"system": SystemMessage, "user": HumanMessage, "assistant": AIMessage}
    if message["role"] == "tool":
        return ToolMessage(text, tool_call_id=message["tool_call_id"])
    return kinds[message["role"]](content=text)
