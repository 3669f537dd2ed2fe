"""Floor 5, the gateway: who may reach which sandbox, and the middle of every relay. A tour, from the outside in.

- `main` flags and signals; `app` puts everything together; `sockets` listens.
- `door` each RPC's way in: `auth` (who calls), `authorize` (may they), `trail` (the audit).
- The walk of a byte: `forward` (ForwardTcp) and `exec` (ExecSandbox) ask `admission`, open a `lines.Line` through
  `relaying`, and wait on the `board`, which gives the rules of `relay/` the time; `supervisors` claims the line and lends
  its call.
- The life of a sandbox: `sandboxes` (RPCs), `lifecycle` (what becomes of it), `phases` (the table), `lookout` (supervisors
  that are away), `births` (what a driver is told), `registry` (the records), `work` (its tasks).
- Sandboxes on other machines: `placing` (where), `hosts` (the book of them), `host_driver` (a driver by orders),
  `host_session` (one stream), `host_service` (RPCs); starts that wait for a supervisor are in `hellos`.
- What people see: `watch` with `watchers`, `logs` with `log_book`, `info`, `health`, `reflection`, `sandbox_view`.
- Keys and tokens: `pki`, `certificates`, `jwt`, `secrets`, `api_tokens`, `session_tokens`, `ssh_sessions`, `tokens`,
  `host_keys`.
"""
