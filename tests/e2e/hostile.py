"""An image in which everything that a careless process would load or run leaves a mark.

The honest part is one static program: it is the shell, a server, and what prints the mark. Everything else is a trap:
`ld.so.preload`, every library that the product's own interpreter has loaded (and those that glibc and OpenSSL load when
they are asked for a name, a character set or a provider), every Python module at the very paths where the interpreter of
the host has its own, every program on PATH.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

#: Where the honest program and the traps are made of; `MARK` is the file that traps append to.
PROGRAM = r"""
#include <arpa/inet.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int serve(void) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    int s = socket(AF_INET, SOCK_STREAM, 0), c;
    if (bind(s, (struct sockaddr *)&at, size) || listen(s, 8) || getsockname(s, (struct sockaddr *)&at, &size)) return 1;
    printf("%d\n", ntohs(at.sin_port));
    fflush(stdout);
    while ((c = accept(s, 0, 0)) >= 0) {
        if (write(c, "honest\n", 7) != 7) return 1;
        close(c);
    }
    return 1;
}

int main(int argc, char **argv) {
    const char *name = basename(argv[0]);
    if (!strcmp(name, "sh") || !strcmp(name, "-sh")) return puts("honest") < 0;
    if (!strcmp(name, "serve")) return serve();
    if (!strcmp(name, "marks")) {
        char line[65536];
        FILE *file = fopen(MARK, "r");
        while (file && fgets(line, sizeof line, file)) fputs(line, stdout);
        return 0;
    }
    int fd = open(MARK, O_WRONLY | O_CREAT | O_APPEND, 0666);
    return dprintf(fd, "program %s\n", name) < 0;
}
"""
LIBRARY = r"""
static long call(long number, long a, long b, long c) {
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
    return result;
}

__attribute__((constructor)) static void loaded(void) {
    long fd = call(2, (long)MARK, 02001 | 0100, 0666);
    call(1, fd, (long)"library\n", 8);
    call(3, fd, 0, 0);
}
"""
MODULE = "open({mark!r}, 'a').write(f'module {{__name__}}\\n')\n"

#: Loaded only when something is asked for, so an interpreter that has just started does not have them yet.
LAZY = (
    "libnss_files.so.2", "libnss_compat.so.2", "libnss_dns.so.2", "libnss_systemd.so.2", "libnss_evil.so.2",
    "libnss_myhostname.so.2", "libresolv.so.2", "libgcc_s.so.1", "libidn2.so.0", "libcrypto.so.3", "libssl.so.3",
    "ossl-modules/legacy.so", "engines-3/afalg.so", "gconv/EVIL.so", "gconv/UTF-16.so", "gconv/ISO8859-1.so",
    "gconv/UNICODE.so",
)  # fmt: skip
FOLDERS = ("lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu", "lib64", "usr/lib64", "usr/lib", "usr/local/lib")
PROGRAMS = (
    "bash", "cat", "env", "getent", "groups", "gzip", "hostname", "id", "ip", "locale", "login", "mount", "newgrp",
    "nologin", "ps", "python3", "rsync", "scp", "sftp-server", "ssh", "stty", "tar", "test", "true", "tty", "umount",
    "uname", "whoami", "xauth", "xz",
)  # fmt: skip
PATH = ("bin", "sbin", "usr/bin", "usr/sbin", "usr/local/bin", "usr/local/sbin", "usr/lib/openssh", "usr/libexec")
#: Not what the product loads, and thousands of files.
NOT_MIRRORED = (
    "test",
    "idlelib",
    "lib2to3",
    "tkinter",
    "turtledemo",
    "ensurepip",
    "grpc",
    "grpc_tools",
    "mypy",
    "mypyc",
)


@dataclass(frozen=True)
class Image:
    """The tree, and the file that its traps append to."""

    tree: Path
    mark: str

    @classmethod
    def make(cls, tree: Path, mark: str) -> Image:
        """Build it with the machine's C compiler."""
        image = cls(tree, mark)
        tree.mkdir()
        work = tree.parent
        program = _compile(work / "program", PROGRAM, mark, "-static")
        library = _compile(work / "library.so", LIBRARY, mark, "-shared", "-fPIC", "-nostdlib")
        module = work / "module.py"
        module.write_text(MODULE.format(mark=mark))
        for folder in PATH:
            for name in PROGRAMS:
                image._put(program, f"{folder}/{name}")
        for name in ("sh", "serve", "marks"):
            image._put(program, f"bin/{name}")
        image._libraries(library)
        image._modules(module)
        image._dynamic()
        image._etc(library)
        return image

    def _put(self, source: Path, name: str) -> None:
        target = self.tree / name
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            os.link(source, target)

    def _libraries(self, library: Path) -> None:
        loaded = {line.split()[-1] for line in Path("/proc/self/maps").read_text().splitlines() if ".so" in line}
        for path in loaded:
            if not Path(path).name.startswith(("libc.so", "libc-", "ld-linux")):
                self._put(library, path.lstrip("/"))
        for folder in FOLDERS:
            for name in {*LAZY, *(Path(path).name for path in loaded)}:
                if not name.startswith(("libc.so", "libc-", "ld-linux")):
                    self._put(library, f"{folder}/{name}")
        for folder in FOLDERS:
            (self.tree / folder / "gconv").mkdir(exist_ok=True)
            rules = "".join(f"module {a}// {b}// EVIL 1\n" for a, b in (("INTERNAL", "UTF-8"), ("UTF-8", "INTERNAL")))
            (self.tree / folder / "gconv" / "gconv-modules").write_text(f"{rules}alias ANSI_X3.4-1968// EVIL//\n")

    def _modules(self, module: Path) -> None:
        """At the very paths of the interpreter that runs the product, and where Debian has its own."""
        folders = {Path(entry) for entry in sys.path if Path(entry).is_dir()}
        for folder in folders:
            for file in folder.rglob("*.py"):
                parts = file.relative_to(folder).parts
                if parts[0] not in NOT_MIRRORED and "site-packages" not in parts and "tests" not in parts:
                    self._put(module, str(file).lstrip("/"))
            for name in ("sitecustomize", "usercustomize", "readline", "_curses", "evil"):
                self._put(module, f"{folder}/{name}.py".lstrip("/"))
        for name in sys.stdlib_module_names:
            self._put(module, f"usr/lib/python3/dist-packages/{name}.py")
            self._put(module, f"sandbox/{name}.py")

    def _dynamic(self) -> None:
        """The one program that a user's own command may run into the traps with."""
        listed = subprocess.run(["ldd", "/bin/cat"], check=True, capture_output=True, text=True).stdout.split()
        for path in {"/bin/cat", *(word for word in listed if word.startswith("/"))}:
            target = self.tree / path.lstrip("/")
            if path == "/bin/cat":
                target = self.tree / "bin" / "dynamic"
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)

    def _etc(self, library: Path) -> None:
        etc = self.tree / "etc"
        etc.mkdir(exist_ok=True)
        databases = ("passwd", "group", "shadow", "hosts", "services", "networks", "initgroups", "gshadow")
        (etc / "nsswitch.conf").write_text("".join(f"{name}: evil files compat\n" for name in databases))
        (etc / "passwd").write_text("root:x:0:0::/:/bin/sh\nsandbox:x:1234:1234::/sandbox:/bin/sh\n")
        (etc / "group").write_text("root:x:0:\nsandbox:x:1234:\n")
        (etc / "ld.so.preload").write_text("/trap.so\n")
        self._put(library, "trap.so")
        (etc / "ssl").mkdir()
        for path in ("etc/ssl/openssl.cnf", "usr/lib/ssl/openssl.cnf", "usr/local/ssl/openssl.cnf"):
            (self.tree / path).parent.mkdir(parents=True, exist_ok=True)
            (self.tree / path).write_text(
                "openssl_conf = a\n[a]\nproviders = b\n[b]\nevil = c\n[c]\nmodule = /trap.so\nactivate = 1\n"
            )


def _compile(into: Path, source: str, mark: str, *options: str) -> Path:
    command = ["gcc", "-O1", "-x", "c", f'-DMARK="{mark}"', *options, "-o", str(into), "-"]
    subprocess.run(command, input=source.encode(), check=True)
    return into
