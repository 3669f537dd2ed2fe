"""The coverage-guided engine: libFuzzer through atheris, on one target, in a process of its own.

`python -m tests.fuzz.guided TARGET SECONDS SEED FOLDER WORK`: a find is left in FOLDER, what reached something new in WORK
(libFuzzer ends the process, so its caller removes that); libFuzzer's own report goes to stderr, where `run.py` reads it.
Half of the changes are libFuzzer's, half are those of `mutate.py`.
"""

from __future__ import annotations

import sys
from random import Random

import atheris

with atheris.instrument_imports(
    include=["pyopenshell.http2", "pyopenshell.wire.exec_frames", "pyopenshell.wire.data_frames"]
):
    from tests.fuzz import targets

from tests.fuzz.choices import LONGEST
from tests.fuzz.mutate import mutate
from tests.fuzz.sweep import HANG


def change(program: bytes, most: int, seed: int) -> bytes:
    """libFuzzer asks for another program."""
    if seed & 1:
        return bytes(atheris.Mutate(program, most))
    return mutate(program, Random(seed))[:most]


def main() -> None:
    name, seconds, seed, folder, work = sys.argv[1:]
    options = [
        f"-max_total_time={max(1, int(float(seconds)))}",
        f"-seed={seed}",
        f"-max_len={LONGEST}",
        f"-timeout={HANG}",
        f"-artifact_prefix={folder}/{name}-",
        "-print_final_stats=1",
        work,
    ]
    seeds = targets.CORPUS / name
    atheris.Setup(
        [sys.argv[0], *options, *([str(seeds)] if seeds.is_dir() else [])],
        targets.TARGETS[name],
        custom_mutator=change,
    )
    atheris.Fuzz()


if __name__ == "__main__":
    main()
