"""Bugs put into the product on purpose, for a simulation to find. Each is what a careless change could do."""

from tests.simulation.planted import creates, hand_offs, leases, looks, states, webhooks

BUGS = (*states.BUGS, *creates.BUGS, *looks.BUGS, *leases.BUGS, *webhooks.BUGS, *hand_offs.BUGS)
