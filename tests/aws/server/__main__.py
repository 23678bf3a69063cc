"""Serves until its standard input ends: it never outlives the process that started it."""

from __future__ import annotations

import logging
import os
import sys
import threading

import moto.backends
from werkzeug.serving import make_server

from tests.aws.server import clock, rules, updates
from tests.aws.server.answers import OneWriteHandler
from tests.aws.server.gate import Gate


def main() -> None:
    logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
    modules = frozenset(moto.backends.list_of_moto_modules())
    for service in ("dynamodb", "s3", "scheduler", "sqs"):
        moto.backends.get_backend(service)
    # moto lists its own folder at every request to find which service a host stands for
    moto.backends.list_of_moto_modules = lambda: modules
    clock.install()
    rules.install()
    updates.install()
    server = make_server("127.0.0.1", 0, Gate(), threaded=True, request_handler=OneWriteHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_port, flush=True)
    sys.stdin.buffer.read()
    os._exit(0)  # threads of long polls may still wait


if __name__ == "__main__":
    main()
