"""Reports that a person approves: search, write, ask, and write again until the answer is yes; over HTTP.

What a tutorial version of this does differently, and why it is not done here:

- It opens a database connection for every request. Here one connection lives as long as the server; the saver's lock
  keeps the statements of concurrent requests apart.
- Two answers to one question would both resume the graph. Here the first one is written down and the second gets 409.
- Its question shows the reviewer neither theme nor report, and the writer never sees the report it is to change, so
  the model writes a new one each time. Here both see it.
- It lists threads from the writes table in no order, and calls a failed or running report finished.
- It listens on every interface with auto-reload on; here on 127.0.0.1.
"""

from flightlog_samples.report_service.story import story

__all__ = ["story"]
