"""``flightlog help filter``: the filter language on one page."""

from typing import Final

from flightlog_viewer.analysis.filter_fields import FIELDS
from flightlog_viewer.analysis.question_filter import FIELDS as QUESTION_FIELDS
from flightlog_viewer.analysis.thread_filter import FIELDS as THREAD_FIELDS

_SYNTAX: Final = """\
The filter language, of --filter and of the viewer's filter line.

  field:value           equal, letters' case aside; * and ? stand for any text and any character
  field:a,b             one or the other
  field:"a b*"          exactly that text
  field:~regex          matches the regular expression somewhere
  field>2s  >=  <  <=   compared: durations 250ms 2s 1m30s, counts 800 4k 2M, money 0.05, times 2h (ago) 12:00 today
  field:*               is known at all
  word                  part of a name, model, node or thread, or the beginning of an id
  -x  NOT x             not
  x y  x OR y  (x y)    both; one of them; parentheses
  root:x                asks the trace itself: its root span and its sums
  any:x                 asks some span of it, apart from the other terms

Over traces, terms that stand together hold for one span; a negation is about all of its spans.
Over threads (`flightlog threads --filter`, screen 3) the fields are {threads}.
Over questions to a human (`flightlog approvals --filter`, screen 4) they are {questions}.

fields:
"""
_EXAMPLES: Final = """
examples:
  flightlog traces --filter 'status:error dur>2s model:gpt*'
  flightlog traces --filter 'type:tool (name:search OR name:refund) -status:error'
  flightlog summary --by model --filter 'type:llm tokens>4k start>=today'
"""


def page() -> str:
    """The text."""
    known = {field.name: field for field in FIELDS.values()}
    width = max(map(len, known))
    lines = [f"  {field.name:<{width}}  {field.meaning}" for field in known.values()]
    syntax = _SYNTAX.replace("{threads}", ", ".join(THREAD_FIELDS)).replace("{questions}", ", ".join(QUESTION_FIELDS))
    return syntax + "\n".join(lines) + "\n" + _EXAMPLES
