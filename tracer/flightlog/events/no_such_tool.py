"""The calls of tools that do not exist: LangGraph answers them itself, and tells of no run.

Its ``ToolNode`` puts a message in the tool's place, by which alone they are known.
"""

import re
from typing import Any, Final

_ANSWER: Final = re.compile(r"Error: .{0,999} is not a valid tool, try one of \[", re.DOTALL)


def no_such_tools(output: Any) -> list[Any]:
    """The answers to such calls in what a node answered: it holds tool messages alone, so most nodes are not looked at.

    Where a tool answered with a ``Command`` the messages are one item of a list.
    """
    if type(output) is dict:
        messages = output.get("messages")
    elif type(output) is list:
        messages = output
        for item in output:
            if type(item) is dict:
                messages = item.get("messages")
    else:
        return []
    if type(messages) is not list or not messages or getattr(messages[0], "type", None) != "tool":
        return []
    return [message for message in messages if getattr(message, "status", None) == "error" and _says_so(message)]


def _says_so(message: Any) -> bool:
    content = message.content
    named = type(message.name) is str and type(message.tool_call_id) is str
    return named and type(content) is str and _ANSWER.match(content) is not None
