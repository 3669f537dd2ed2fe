"""Floor 1, the rules of relays: tables over dicts, told the time, answering with what is to be done.

- `relays` the states of one relay and the acts; `switchboard` the books over all of them.
- `sessions` which supervisor speaks for a sandbox, heartbeats, the grace; `deadlines` what is due.
- `limits` how many at once, counted exactly; `outcomes` how each ends and what the caller is told.

`gateway/board.py` does what they say.
"""
