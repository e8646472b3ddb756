"""`python -m flightlog_samples.chat_service [--serve]`."""

import sys

from flightlog_samples.chat_service.api import create_app
from flightlog_samples.chat_service.story import story
from flightlog_samples.http_server import run_service

if __name__ == "__main__":
    sys.exit(run_service("chat_service", story, create_app))
