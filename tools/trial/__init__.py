"""Trials: a cluster under faults, clients that use it, and the judge of what they saw."""

import logging

# Connections that fail are expected; slixmpp tells, when it is imported, how it prepares strings.
for _name in ("asyncio", "slixmpp"):
    logging.getLogger(_name).setLevel(logging.CRITICAL)
