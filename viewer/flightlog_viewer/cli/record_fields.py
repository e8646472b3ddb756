"""The fields of the span record, version 1, with their types and meaning, in the order of the line."""

from typing import Final, NamedTuple


class RecordField(NamedTuple):
    """One field of a span line."""

    name: str
    type: str
    """JSON Schema's word, or ``any``."""
    meaning: str
    required: bool = False


RECORD: Final = (
    RecordField("v", "integer", "version of the record: 1", True),
    RecordField("type", "string", "llm, tool, retriever, chain or event", True),
    RecordField("kind", "string", "of a chain: graph, node, edge, task or runnable"),
    RecordField("name", "string", "name of the model, tool, node or runnable", True),
    RecordField("run_id", "string", "LangChain's id of the run", True),
    RecordField("parent_run_id", "string", "id of the run that it ran in; absent for a root"),
    RecordField("trace_id", "string", "run_id of the root", True),
    RecordField("writer_id", "string", "random id of the writing process"),
    RecordField("seq", "integer", "its counter at the start of the span; with writer_id the key of the record"),
    RecordField("start_time", "string", "wall clock, RFC 3339 in UTC with microseconds", True),
    RecordField("duration_ms", "number", "milliseconds by the monotonic clock", True),
    RecordField("status", "string", "ok, error, interrupted, handoff, cancelled or abandoned", True),
    RecordField("error", "object", "of a failed run: type, message, stacktrace"),
    RecordField("interrupts", "array", "of an interrupted run: id, value and response_schema of what it asks"),
    RecordField("resumes", "array", "of a root that resumed: interrupt_id and value of what was answered"),
    RecordField("model", "string", "model that answered"),
    RecordField("request_model", "string", "model that was asked"),
    RecordField("provider", "string", "provider of the model"),
    RecordField("model_params", "object", "parameters of the call, like temperature"),
    RecordField("service_tier", "string", "service tier that the provider reported"),
    RecordField("finish_reason", "string", "why the model stopped"),
    RecordField("response_id", "string", "the provider's id of the answer"),
    RecordField("message_id", "string", "LangChain's id of the message"),
    RecordField("token_usage", "object", "input_tokens (cached ones too), output_tokens, total_tokens and details"),
    RecordField("cache_hit", "boolean", "LangChain's cache answered: nothing was spent"),
    RecordField("time_to_first_token_ms", "number", "milliseconds until the first streamed token"),
    RecordField("chunks", "integer", "streamed chunks"),
    RecordField("tool_call_id", "string", "id of the tool call"),
    RecordField("document_count", "integer", "documents a retriever found"),
    RecordField("thread_id", "string", "LangGraph: thread"),
    RecordField("node", "string", "LangGraph: node that it ran in"),
    RecordField("step", "integer", "LangGraph: super-step"),
    RecordField("checkpoint_ns", "string", "LangGraph: namespace of the (sub)graph"),
    RecordField("task_id", "string", "LangGraph: task"),
    RecordField("checkpoint_id", "string", "LangGraph: checkpoint"),
    RecordField("attempt", "integer", "LangGraph: retries of one task, counted from 1"),
    RecordField("tags", "array", "tags as given"),
    RecordField("truncated", "object", "what was cut, by field: its full size in bytes and sha256"),
    RecordField("service", "string", "service that ran it"),
    RecordField("service_version", "string", "its version"),
    RecordField("environment", "string", "where it ran, like production"),
    RecordField("host", "string", "host that it ran on"),
    RecordField("pid", "integer", "process that it ran in"),
    RecordField("otel", "object", "trace_id and span_id that a live OpenTelemetry bridge gave"),
    RecordField("metadata", "any", "metadata of the run, after redaction and bounds"),
    RecordField("inputs", "any", "inputs, after redaction and bounds"),
    RecordField("output", "any", "output, after redaction and bounds"),
)


def json_schema() -> dict[str, object]:
    """The record as a JSON Schema (draft 2020-12). Unknown fields are allowed: readers keep them."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "flightlog span record, version 1",
        "type": "object",
        "required": [field.name for field in RECORD if field.required],
        "properties": {
            field.name: ({} if field.type == "any" else {"type": field.type}) | {"description": field.meaning}
            for field in RECORD
        },
    }
