"""Linux for a sandbox from nothing: system calls, namespaces, the root view, the one way in, confinement, limits.

A tour, in the order in which a sandbox comes to be. Everything is for single-threaded processes, freshly forked from a warm parent.

    ids.py         range_ids(base) / single_ids() / subrange_ids() / best_ids(base) -> Ids      which ids exist inside
    birth.py       create(plan: Plan, inside: Callable[[dict[str, str]], int]) -> Born          from a fork to PID 1
                       Plan(ids, directory: str, hostname: str, source: str = "", etc: tuple[str, ...] = (), cgroup: tuple[int, ...] = ())
                       `directory` is the sandbox's own host directory: workspace/, layer/ are made in it. `source` is "" for the host's view,
                       or the path of a directory tree. In PID 1 of the sandbox, with the view up, `inside(facts)` runs and its answer is the
                       exit status; in the caller, create() returns Born(pid, start_time, facts) or raises SetupFailed(step, errno; .hint is the cure).
                       The caller's own namespaces are spent afterwards: it reports and calls os._exit.
    namespaces.py  Namespaces(user, mnt, net, ipc, uts, cgroup, pid: int descriptors)           .of(pid="self"), .descriptors(), .from_descriptors(fds), .close()
                   remove_tree(ids, path)                                                       rm -rf as root of the sandbox's ids (files of a subrange)
    confine.py     confine_init(ids)            PID 1, view up: no_new_privs, Landlock, seccomp, few capabilities, not dumpable; children inherit
                   give_root_up(uid, gid)       supervisor at its birth: ids, no groups, no capability, no_new_privs, not dumpable
                   warm()                       zygote, once: codecs, libgcc, everything that would load late
                   seal_imports()               nothing is imported after this
    enter.py       enter(door: Door, started: Callable[[int], None] | None = None) -> None      the ONE way in (init's children, SSH, files)
                       Door(ids: Ids, uid: int, gid: int, keep: frozenset[int] = {0,1,2}, namespaces: Namespaces | None = None, cgroup: tuple[int, ...] = ())
                       namespaces=None: a child of init, which is inside and confined. Otherwise a further fork is made: enter() returns
                       only in the new process; the process between calls started(pid) and ends.
    descriptors.py send(sock, data: bytes, fds) ; receive(sock, limit: int, fds: int) -> (bytes, [fd]) ; check_stream_socket / check_pipe / check_pty_master(fd)
                   sealed_memfd(name, data) -> fd ; read_sealed(fd, limit) -> bytes
    process.py     Identity(pid, start_time) ; identity(pid) ; open_pidfd(identity) ; memory(pid) -> Memory(pss, rss) ; set_title(text) ; protect()/not_dumpable()
    cgroups.py     available() -> Support(kind, cpu: str, memory: str) ("" = can hold it, else the reason) ; make(name, cpu, memory) -> Group ; Group.procs() -> fds ; .remove()
    rlimits.py     apply(ids)
    passwd.py      parse_users(text), parse_groups(text), read_users(path), find_user(users, name)
    trees.py       unpack(tar path, destination, ids)                                           a `docker export` or an OCI layout becomes a tree
    probe.py       probe(base) -> dict[str, str] facts; raises SetupFailed: one throw-away whole sandbox
"""
