"""Bugs put into the product on purpose, for a simulation to find. Each is what a careless change could do."""

from tests.simulation.planted import archives, creates, hand_offs, leases, looks, states, tellings, webhooks

PARTS = (states, creates, looks, leases, webhooks, hand_offs, archives, tellings)
BUGS = tuple(bug for part in PARTS for bug in part.BUGS)
