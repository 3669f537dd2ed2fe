"""No code of an image ever runs in a process of ours: what could load late is loaded early, and then loading is closed.

After setns(2) or pivot_root(2) every path leads into the sandbox. Python would import from there, glibc would dlopen
libgcc_s (at the end of a thread),
gconv and NSS modules from there, and a traceback would read source files from there.
"""

from __future__ import annotations

import codecs
import contextlib
import encodings.idna  # noqa: F401 - used by socket for every host name, imported by it late
import functools
import importlib
import linecache
import sys
import threading
import time
from importlib.machinery import ModuleSpec

_CODECS = (
    "utf-8",
    "ascii",
    "latin-1",
    "idna",
    "utf-16",
    "utf-16-le",
    "utf-32",
    "unicode_escape",
    "raw_unicode_escape",
    "hex",
    "base64",
    "punycode",
)
_ERRORS = ("strict", "replace", "ignore", "surrogateescape", "surrogatepass", "backslashreplace", "xmlcharrefreplace")
_LATE = (
    "traceback",
    "warnings",
    "stringprep",
    "unicodedata",
    "selectors",
    "signal",
    "json",
    "shutil",
    "tempfile",
    "subprocess",
    "base64",
    "random",
)
#: What tarfile imports when it meets a compressed archive; a Python may have been built without one of them.
_COMPRESSION = ("zlib", "gzip", "bz2", "lzma")


class SealedImports:
    """A finder that finds nothing and says so: an import behind it is a defect of ours."""

    @staticmethod
    def find_spec(name: str, *_where: object) -> ModuleSpec | None:
        """Raise ImportError for every module that is not loaded yet."""
        raise ImportError(f"{name!r} was not imported before the sandbox was entered", name=name)


@functools.cache
def warm() -> None:
    """Load everything that Python and glibc would load late. Call it before the first fork; again it costs nothing to
    speak of.
    """
    for name in _CODECS:
        codecs.lookup(name)
    for name in _ERRORS:
        codecs.lookup_error(name)
    for name in _LATE:
        importlib.import_module(name)
    for name in _COMPRESSION:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    time.strptime("2000", "%Y")  # imports _strptime and the locale's names
    time.tzset()
    # The end of a thread makes glibc load libgcc_s.so.1 (pthread_exit unwinds), once for a process and its forks.
    thread = threading.Thread(target=int)
    thread.start()
    thread.join()


def seal_imports() -> None:
    """From now on this process imports nothing and reads no source file. There is no way back."""
    sys.path[:] = []
    sys.path_hooks[:] = []
    sys.path_importer_cache.clear()
    sys.meta_path[:] = [SealedImports]
    linecache.clearcache()
    linecache.updatecache = _no_source


def _no_source(filename: str, module_globals: dict[str, object] | None = None) -> list[str]:  # noqa: ARG001 - its shape
    return []
