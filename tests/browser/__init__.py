"""The dashboard in a real browser: one orchestrator and one Chromium for all of this folder."""
