"""The facts in an LLM's result: token usage, the model that answered, how it finished.

Usage comes from the final message, never from a sum over chunks: providers repeat running totals in them.
"""

from typing import Any, Final

_PARAMS_LEFT_OUT: Final = frozenset(
    ("_type", "model", "model_name", "tools", "functions", "messages", "stream", "stop", "input", "extra_headers")
)
_FINISH: Final = ("finish_reason", "stop_reason", "stopReason", "done_reason")
_CUT_SHORT: Final = (("incomplete_details", "reason"), ("prompt_feedback", "block_reason"))
"""Where OpenAI's Responses API and Gemini say why an answer breaks off, or is empty because the prompt was blocked."""
_COUNTS: Final = frozenset((int, float))
_LOCAL_IDS: Final = ("lc_run-", "run-")
"""How ids begin that LangChain made itself."""


def request_fields(invocation: dict[str, Any], metadata: dict[str, Any]) -> dict[str, Any]:
    """request_model, provider and model_params, from the start of a call."""
    fields: dict[str, Any] = {}
    model = metadata.get("ls_model_name") or invocation.get("model") or invocation.get("model_name")
    if isinstance(model, str):
        fields["request_model"] = model
    provider = metadata.get("ls_provider")
    if isinstance(provider, str):
        fields["provider"] = provider
    params = {name: value for name, value in invocation.items() if value is not None and name not in _PARAMS_LEFT_OUT}
    if stop := invocation.get("stop"):
        params["stop"] = stop
    for name, source in (("temperature", "ls_temperature"), ("max_tokens", "ls_max_tokens")):
        if name not in params and metadata.get(source) is not None:
            params[name] = metadata[source]
    if params:
        fields["model_params"] = params
    return fields


def response_fields(result: Any) -> dict[str, Any]:
    """model, provider, service_tier, finish_reason, response_id, message_id, token_usage and cache_hit of a result."""
    fields: dict[str, Any] = {}
    generations = getattr(result, "generations", None) or ()
    first = generations[0][0] if generations and generations[0] else None
    message = getattr(first, "message", None)
    about = _dict(getattr(message, "response_metadata", None))
    info = _dict(getattr(first, "generation_info", None))
    whole = _dict(getattr(result, "llm_output", None))

    if about or info or whole:
        _put(
            fields,
            "model",
            (about, "model_name", "model", "model_id"),
            (info, "model_name"),
            (whole, "model_name", "model"),
        )
        _put(fields, "provider", (about, "model_provider"))
        _put(fields, "service_tier", (about, "service_tier"), (whole, "service_tier"))
        _put(fields, "finish_reason", (info, *_FINISH), (about, *_FINISH))
        if "finish_reason" not in fields and (reason := _cut_short(about)) is not None:
            fields["finish_reason"] = reason
        _put(fields, "response_id", (about, "id"), (whole, "id"))
    identity = getattr(message, "id", None)
    if isinstance(identity, str) and identity:
        fields["message_id"] = identity
        if "response_id" not in fields and not identity.startswith(_LOCAL_IDS):
            fields["response_id"] = identity

    usage = _usage(getattr(message, "usage_metadata", None))
    if usage and usage.pop("total_cost", None) == 0:
        # LangChain marks an answer from its own cache by a total_cost of zero in the usage.
        fields["cache_hit"] = True
    if not usage:
        usage = _old_usage(whole) or _old_usage(about) or _old_usage(info)
    if usage:
        fields["token_usage"] = usage
    return fields


def decision_fields(answer: Any) -> dict[str, Any]:
    """model, response_id and token_usage of what a decision model answered.

    That is LangChain's ``ClassifierResponse`` (langchain-core 1.8), or a provider's own class like it, whose counts may
    be attributes and without a sum.
    """
    fields: dict[str, Any] = {}
    for name, attribute in (("model", "model"), ("response_id", "request_id")):
        value = getattr(answer, attribute, None)
        if isinstance(value, str) and value:
            fields[name] = value
    found = getattr(answer, "usage", None)
    counts = _usage(found) or {}
    for name in ("input_tokens", "output_tokens"):
        if name not in counts and _is_number(value := getattr(found, name, None)):
            counts[name] = value
    if counts:
        counts.setdefault("total_tokens", counts.get("input_tokens", 0) + counts.get("output_tokens", 0))
        fields["token_usage"] = counts
    return fields


def output(result: Any) -> Any:
    """What a model answered: its message, or its text; a list of them when there are several."""
    generations = getattr(result, "generations", None) or ()
    answers = [
        getattr(choice, "message", None) or getattr(choice, "text", None)
        for choices in generations
        for choice in choices
    ]
    return answers[0] if len(answers) == 1 else answers


def has_tool_call(chunk: Any) -> bool:
    """Whether a chunk of a streamed answer carries part of a tool call."""
    return bool(getattr(getattr(chunk, "message", None), "tool_call_chunks", None))


def _usage(found: Any) -> dict[str, Any] | None:
    """Every numeric key of a usage dict, details included."""
    if not isinstance(found, dict):
        return None
    if _COUNTS.issuperset(map(type, found.values())):
        return dict(found)
    usage: dict[str, Any] = {}
    for name, value in found.items():
        if _is_number(value):
            usage[str(name)] = value
        elif isinstance(value, dict):
            details = {str(key): item for key, item in value.items() if _is_number(item)}
            if details:
                usage[str(name)] = details
    return usage


def _old_usage(source: dict[str, Any]) -> dict[str, Any]:
    """Usage as models before ``usage_metadata`` reported it: OpenAI's and Anthropic's names."""
    found = source.get("token_usage") or source.get("usage") or source.get("tokenUsage")
    if not isinstance(found, dict):
        return {}
    usage: dict[str, Any] = {}
    for name, names in (
        ("input_tokens", ("input_tokens", "prompt_tokens", "inputTokens")),
        ("output_tokens", ("output_tokens", "completion_tokens", "outputTokens")),
        ("total_tokens", ("total_tokens", "totalTokens")),
    ):
        value = next((found[key] for key in names if _is_number(found.get(key))), None)
        if value is not None:
            usage[name] = value
    if "total_tokens" not in usage and {"input_tokens", "output_tokens"} <= usage.keys():
        usage["total_tokens"] = usage["input_tokens"] + usage["output_tokens"]
    return usage


def _put(fields: dict[str, Any], name: str, *sources: tuple[Any, ...]) -> None:
    """The first text among the named keys of each source."""
    for source, *keys in sources:
        if source:
            for key in keys:
                value = source.get(key)
                if isinstance(value, str) and value:
                    fields[name] = value
                    return


def _cut_short(about: dict[str, Any]) -> str | None:
    """Why there is no whole answer, where no finish reason says so."""
    for name, key in _CUT_SHORT:
        reason = _dict(about.get(name)).get(key)
        if isinstance(reason, str) and reason:
            return reason
    return None


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
