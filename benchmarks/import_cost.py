"""What importing the tracer adds to importing LangChain's callbacks, which its user has imported anyway.

    python benchmarks/import_cost.py [--json]

Process CPU of fresh interpreters, the least of several, in turn. ``import flightlog`` alone loads names lazily, so the
import of ``JsonlTracer`` is measured too: it is what a user pays.
"""

import argparse
import json
import os
import subprocess
import sys

PROGRAMS = {
    "langchain_core.callbacks": "from langchain_core.callbacks import BaseCallbackHandler",
    "flightlog": "import flightlog",
    "flightlog.JsonlTracer": "from flightlog import JsonlTracer",
}
MEASURE = "import time; began = time.process_time(); {}; print((time.process_time() - began) * 1e3)"


def main() -> None:
    """Print the milliseconds of each import, and the difference the budget speaks of."""
    parser = argparse.ArgumentParser(description="what importing the tracer costs")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    found: dict[str, list[float]] = {name: [] for name in PROGRAMS}
    # An installed package has its bytecode; so shall a checkout, whatever the environment says.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    for _ in range(options.rounds):
        for name, program in PROGRAMS.items():
            command = [sys.executable, "-W", "ignore", "-c", MEASURE.format(program)]
            done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
            found[name].append(float(done.stdout))
    least = {name: min(times) for name, times in found.items()}
    least["JsonlTracer - langchain_core.callbacks"] = least["flightlog.JsonlTracer"] - least["langchain_core.callbacks"]
    if options.json:
        print(json.dumps(least))
    else:
        print("CPU ms, least of", options.rounds)
        for name, ms in least.items():
            print(f"{name:42}{ms:8.1f}")


if __name__ == "__main__":
    main()
