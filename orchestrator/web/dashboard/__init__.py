"""The dashboard: pages for people, over the same rows as everything else. Each works without JavaScript."""
