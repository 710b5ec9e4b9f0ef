"""Where outputs are kept, by their hash: fetched from the gateway once, and handed on from here."""

from orchestrator.archive.base import Archive, Keeping, Kept

__all__ = ["Archive", "Keeping", "Kept"]
