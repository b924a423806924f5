"""Clients that nobody here wrote, against a real cluster."""

import logging

# slixmpp reports every lost connection, and, when it is imported, how it prepares strings.
logging.getLogger("slixmpp").setLevel(logging.CRITICAL)
