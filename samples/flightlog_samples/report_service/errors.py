"""Why a request to a report cannot be met.

ReportError
├── NotFoundError         there is no such report
├── NotWaitingError       the report asks nothing (any more)
├── FeedbackMissingError  a no without a reason gives the writer nothing to go by
├── AlreadyAnsweredError  another answer to the same question came first
└── ExpiredError          the question was open for too long
"""


class ReportError(Exception):
    """A request that cannot be met; the subclass says why."""


class NotFoundError(ReportError):
    """There is no such report."""


class NotWaitingError(ReportError):
    """The report asks nothing (any more)."""


class FeedbackMissingError(ReportError):
    """A no without a reason."""


class AlreadyAnsweredError(ReportError):
    """Another answer to the same question came first."""


class ExpiredError(ReportError):
    """The question was open for too long."""
