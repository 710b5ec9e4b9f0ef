"""Makes videos through the Phaseo gateway and gets each result to where it is needed."""

__version__ = "0.1.0"
