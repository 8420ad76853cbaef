"""moto on the loopback interface, which handles one request after the other: it checks a condition
and writes in two steps, and its own server would run other requests between them."""

import sys

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import run_simple

run_simple("127.0.0.1", int(sys.argv[1]), DomainDispatcherApplication(create_backend_app))
