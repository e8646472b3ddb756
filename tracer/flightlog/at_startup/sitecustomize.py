"""What ``flightlog run`` puts in front of PYTHONPATH: Python imports it at the start of every process.

``import flightlog`` is cheap and attaches by ``FLIGHTLOG_PATH`` once LangChain is used. A Python that has no
flightlog runs as if this were not here: it may be any tool that the recorded command starts.
"""

import contextlib
import importlib
import os
import sys


def _run_the_shadowed_one() -> None:
    """Import the ``sitecustomize`` that this one hides, and be it."""
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [folder for folder in sys.path if os.path.abspath(folder or os.curdir) != here]
    this = sys.modules.pop("sitecustomize")
    try:
        importlib.import_module("sitecustomize")
    except ModuleNotFoundError as error:
        if error.name != "sitecustomize":
            raise
    finally:
        sys.modules.setdefault("sitecustomize", this)


if __name__ == "sitecustomize":
    with contextlib.suppress(Exception):
        importlib.import_module("flightlog")
    _run_the_shadowed_one()
