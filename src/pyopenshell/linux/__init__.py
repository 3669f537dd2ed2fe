"""Linux for a sandbox from nothing: system calls, namespaces, the root view, the one way in, confinement, limits.

A tour, in the order in which a sandbox comes to be. What forks is for single-threaded processes, themselves forked
from a warm parent.

- `sealing.py`: `warm()` loads once, before the first fork, what would load late; `seal_imports()` closes loading for
  ever.
- `probe.py`: `probe(ids)` makes one throw-away whole sandbox; `steps.py` names what failed, and its cure
  (`SetupFailed`).
- `ids.py`: which ids exist inside, and what they are outside (`range_ids`, `subrange_ids`, `single_ids`, `candidates`);
  `shapes.py`: `find(base)` tries which of them can be had.
- `birth.py`: `create(Plan, inside) -> Born` goes from a fork to process 1 of a ready sandbox. On the way:
  `namespaces.py` makes and joins namespaces, `sources.py` takes what the view needs of the host, `view.py` puts the
  root together, `etc.py` writes its /etc.
- `confine.py`: process 1 then calls `confine_init()`; its children inherit `landlock.py` and `seccomp.py`. A
  supervisor calls `give_root_up(uid, gid)`.
- `enter.py`: `enter(Door)` is the only way in: for init's children, SSH and files. `rlimits.py` is applied
  there.
- `cgroups.py`: `available()` says which limits can be held, `make(name, cpu, memory) -> Group` holds them.
- `trees.py`: `unpack(image, destination, ids)` makes a tree of a `docker export`, `docker save` or OCI layout
  (`layers.py` finds its layers, `members.py` lays one over the tree). `copies.py`: `copy(source, destination, ids)` of a
  directory that cannot be mapped.
- `descriptors.py`: descriptors between processes, and what may be believed of them. `process.py`: who a process is,
  what it takes.
- `passwd.py`: passwd(5) as text. `forks.py`: a call in a forked child. `syscalls.py`: the one table of system calls.
"""
