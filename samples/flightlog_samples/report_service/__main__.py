"""`python -m flightlog_samples.report_service [--serve]`."""

import sys

from flightlog_samples.http_server import run_service
from flightlog_samples.report_service.api import create_app
from flightlog_samples.report_service.story import story

if __name__ == "__main__":
    sys.exit(run_service("report_service", story, create_app))
