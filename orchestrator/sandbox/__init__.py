"""The sandbox gateway: imitates the remote gateway over real HTTP, with every fault as a switch.

A program of its own, which shares no code with the product that is tested against it.
"""
