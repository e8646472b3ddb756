"""Why a request to a session cannot be met.

SessionError
├── NotFoundError         there is no such session or call
├── BusyError             the session still waits or runs, so it takes no new question
├── NotWaitingError       the session waits for no such answer (any more)
├── AlreadyAnsweredError  another answer to the same pause came first
├── BadArgumentsError     the tool does not take these arguments
├── ExpiredError          nobody answered in time
└── RunFailedError        the agent failed on the way
"""


class SessionError(Exception):
    """A request that cannot be met; the subclass says why."""


class NotFoundError(SessionError):
    """There is no such session or call."""


class BusyError(SessionError):
    """The session still waits or runs."""


class NotWaitingError(SessionError):
    """The session waits for no such answer (any more)."""


class AlreadyAnsweredError(SessionError):
    """Another answer to the same pause came first."""


class BadArgumentsError(SessionError):
    """The tool does not take these arguments."""


class ExpiredError(SessionError):
    """Nobody answered in time."""


class RunFailedError(SessionError):
    """The agent failed on the way."""
