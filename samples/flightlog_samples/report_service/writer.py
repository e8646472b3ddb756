"""The chain that writes a report: prompt, model, text."""

from collections.abc import Sequence

from langchain_core.documents import Document
from langchain_core.messages import BaseMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import Runnable

from flightlog_samples.scripted_model import Reply, chat_model, this_turn

_PROMPT = ChatPromptTemplate.from_messages(
    [
        (
            "system",
            "You write short reports in Markdown from the given sources only. When there is an earlier report, "
            "change what the feedback asks for and nothing else.",
        ),
        ("user", "Theme: {theme}\nFeedback: {feedback}\nSources:\n{sources}\nEarlier report:\n{report}"),
    ]
)


def writer() -> Runnable[dict[str, str], str]:
    """Takes theme, feedback, sources and report as text, and gives the report."""
    return _PROMPT | chat_model(script) | StrOutputParser()


def source_lines(documents: Sequence[Document]) -> str:
    """The documents as lines that the prompt quotes: `- URL: text`."""
    return "\n".join(f"- {d.metadata.get('source', 'unknown')} | {d.page_content}" for d in documents)


def script(messages: Sequence[BaseMessage]) -> Reply:
    """A heading, a paragraph a source, and references only once somebody misses them."""
    prompt, _ = this_turn(messages)
    head, _, rest = prompt.partition("\nSources:\n")
    sources, _, earlier = rest.partition("\nEarlier report:\n")
    theme, _, feedback = head.removeprefix("Theme: ").partition("\nFeedback: ")
    entries = [line.removeprefix("- ").partition(" | ") for line in sources.splitlines() if " | " in line]
    report = earlier.strip() or f"# {theme}\n\n" + "\n\n".join(text for _, _, text in entries)
    if "reference" in feedback.lower() and "## References" not in report:
        report += "\n\n## References\n\n" + "\n".join(f"- {source}" for source, _, _ in entries)
    elif feedback and feedback not in report:
        report += f"\n\n*Revised: {feedback}*"
    return Reply(report)
