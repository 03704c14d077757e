"""`python -m tests.simulators`: all three until SIGTERM; prints one JSON line of base URLs."""

import argparse
import json
import signal
import sys
from contextlib import ExitStack
from pathlib import Path
from threading import Event

from . import AntimetalSimulator, BlandSimulator, Simulator, ZylonSimulator, seeds

VENDORS: dict[str, type[Simulator]] = {
    simulator.vendor: simulator
    for simulator in (BlandSimulator, AntimetalSimulator, ZylonSimulator)
}


def main(arguments: list[str]) -> None:
    options = _parser().parse_args(arguments)
    ended = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    with ExitStack() as stack:
        urls = {}
        for vendor in VENDORS:
            simulator = _made(vendor, options)
            urls[vendor] = stack.enter_context(
                simulator.serving(getattr(options, f"{vendor}_port"))
            )
        line = json.dumps(urls)
        if options.port_file:
            _write_whole(options.port_file, line + "\n")
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
        ended.wait()


def _made(vendor: str, options: argparse.Namespace) -> Simulator:
    key, switches = getattr(options, f"{vendor}_key"), options.switches.get(vendor, {})
    simulator = VENDORS[vendor](key, switches, seed=options.seed)
    seeds.fill(simulator, options.issues, options.seed)
    return simulator


def _write_whole(path: Path, text: str) -> None:
    """Readers see nothing or the whole line."""
    draft = path.with_name(path.name + ".draft")
    draft.write_text(text)
    draft.replace(path)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.simulators", description=__doc__)
    parser.add_argument("--port-file", type=Path, help="where to write the JSON line as well")
    parser.add_argument("--issues", type=int, default=0, help="seeded issues for each vendor")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--switches", type=json.loads, default={}, help='{"bland": {NAME: VALUE}}')
    for vendor, simulator in VENDORS.items():
        parser.add_argument(f"--{vendor}-port", type=int, default=0, help="default: a free one")
        parser.add_argument(f"--{vendor}-key", default=simulator.default_key)
    return parser


if __name__ == "__main__":
    main(sys.argv[1:])
