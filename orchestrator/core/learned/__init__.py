"""What is learned about when jobs end and how webhooks come, and the moments to look that follow from it.

In the order to read: `lessons` (what an end teaches, about jobs that `classes` calls alike), `folding` into
`endings` and `hooks`, which keep `spans` of time on a `grid`; `change` forgets what is not so any more. From
there `density`, `induction` and `plan` make a table, `estimate` with all caution, and `paces` looks it up for
one job. Around that: `silence`, `recall` and `outage` for webhooks that stop; `lists` and `value` for many
looks; `account` and `rescues` for what it came to; `outlook` and `shapes` for the planner.

Only `density`, `induction`, `outlook` and `change` need numpy; whoever decides about one job loads none of
them.
"""
