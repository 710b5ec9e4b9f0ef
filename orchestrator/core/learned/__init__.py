"""What is learned about when jobs end and how webhooks come, and the moments to look that follow from it.

Only `density`, `induction`, `outlook` and `change` need numpy; whoever decides about one job loads none of
them.
"""
