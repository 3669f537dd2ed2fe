"""`openshell bench`: the main job timed as a user meets it, whole processes and real bytes.

`rows.py` is the table of what is measured and of the reference beside it, `commands.py` times whole commands,
`loads.py` times a forwarded connection, `limits.py` times the same work on the bare machine, `memory.py` asks the gateway
what its processes take, `report.py` prints. `run.py` walks the table. Reference figures come from `reference.json` alone.
"""
