"""The table of the benchmark: which figures there are, their units, and where the reference's are found.

A row names its figures by key; `run.py` fills them; `report.py` prints them. Times are seconds, rates megabits or megabytes
(10^6) per second, memory megabytes (10^6), all floats.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

REFERENCE = Path(__file__).with_name("reference.json")


class Unit(Enum):
    """How a figure is printed, and whether less of it is better."""

    MS = ("ms", 1e3, True)
    S = ("s", 1.0, True)
    MBIT = ("Mbit/s", 1.0, False)
    MBYTE = ("MB/s", 1.0, False)
    MB = ("MB", 1.0, True)
    COUNT = ("", 1.0, True)

    @property
    def word(self) -> str:
        return self.value[0]

    @property
    def factor(self) -> float:
        return self.value[1]

    @property
    def less_is_better(self) -> bool:
        return self.value[2]


@dataclass(frozen=True)
class Row:
    """One printed line. `limit` is the key of the bare machine's figure beside it, where there is one."""

    key: str
    label: str
    unit: Unit
    reference: str = ""  # path in reference.json, in the unit's base after `scale`
    scale: float = 1.0
    limit: str = ""


ROWS: tuple[Row, ...] = (
    Row("exec_p50", "exec true, p50", Unit.MS, "exec_s.p50", limit="true_p50"),
    Row("exec_p95", "exec true, p95", Unit.MS, "exec_s.p95"),
    Row("connect_p50", "ssh ALIAS true, p50", Unit.MS, "connect_s.p50", limit="ssh_p50"),
    Row("connect_p95", "ssh ALIAS true, p95", Unit.MS, "connect_s.p95"),
    Row("stdout", "stdout 50 MiB, exec", Unit.MBIT, "stdout_mbps", limit="pipe"),
    Row("ssh_stdout", "stdout 50 MiB, ssh", Unit.MBIT, "ssh_stdout_mbps", limit="ssh_stdout_bare"),
    Row("upload", "upload 50 MiB, tar over ssh", Unit.MBIT, "upload_tar_ssh_mbps", limit="ssh_upload_bare"),
    Row("download", "download 50 MiB, tar over ssh", Unit.MBIT, "download_tar_ssh_mbps", limit="ssh_download_bare"),
    Row("lines", "10,000 lines", Unit.S, "lines10k_s", limit="lines_bare"),
    Row("parallel_sleep", "10 parallel execs of 1 s", Unit.S, "par10_sleep1_s"),
    Row("parallel_true", "20 parallel execs of true", Unit.S, "par20_s", limit="parallel_true_bare"),
    Row("storm", "storm of execs at once", Unit.S, "storm50_s"),
    Row("churn", "50 execs, one by one", Unit.S, "churn50_s", limit="churn_bare"),
    Row("failures", "failures in these rows", Unit.COUNT),
    Row("supervisor_sockets", "supervisor sockets, peak growth", Unit.COUNT),
    Row("forward_down", "forward, down", Unit.MBYTE, "forward.down_MBps", limit="loopback"),
    Row("forward_up", "forward, up", Unit.MBYTE, "forward.up_MBps", limit="loopback"),
    Row("forward_rtt", "forward, round trip p50", Unit.MS, "forward.rtt_us_p50", 1e-6, limit="loopback_rtt"),
    Row("forward_open", "forward, first byte p50", Unit.MS, "forward.open_us_p50", 1e-6, limit="loopback_open"),
    Row("create", "create to ready", Unit.S, "create_ready_s"),
    Row("gateway_pss", "memory of the gateway, PSS", Unit.MB, "gateway_rss_mb"),
    Row("gateway_rss", "memory of the gateway, RSS", Unit.MB),
    Row("supervisor_pss", "memory of a supervisor, PSS", Unit.MB, "supervisor_rss_mb"),
    Row("supervisor_rss", "memory of a supervisor, RSS", Unit.MB),
)


def reference() -> dict[str, Any]:
    """The reference's figures, as measured: see `reference.json`."""
    found: dict[str, Any] = json.loads(REFERENCE.read_text())
    return found


def reference_value(row: Row, figures: dict[str, Any]) -> float | None:
    """The reference's figure for `row` in the row's base unit, or None where it has none."""
    if not row.reference:
        return None
    value: Any = figures
    for step in row.reference.split("."):
        value = value[step]
    return float(value) * row.scale
