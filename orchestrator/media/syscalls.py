"""What a process may still ask of the kernel before it looks at a stranger's bytes: libseccomp's filter, by ctypes.

It needs no privileges, so it holds in a container without capabilities and with no-new-privileges just as well; and it
cannot be taken back. libseccomp knows the numbers of each architecture; its Python bindings are either its own, which
no distribution's wheel brings, or have not been released since 2021 (docs/adr/0006).
"""

from __future__ import annotations

import ctypes
import errno
import os
from typing import Final

COMPUTING: Final = (
    "read", "write", "lseek", "fstat", "close", "mmap", "munmap", "mremap", "brk", "madvise", "futex", "getrandom",
    "clock_gettime", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigaltstack", "exit", "exit_group",
)  # fmt: skip
"""Memory, files that are open already, and an end. No name to open, no socket, no process, and nobody else's memory."""

_ALLOW: Final = 0x7FFF0000
_REFUSE: Final = 0x00050000 | errno.EPERM
_PR_SET_DUMPABLE: Final = 4


def make_undumpable() -> None:
    """Hide this process's memory and environment from others of its user (prctl(2), PR_SET_DUMPABLE). A program that is
    started from it is dumpable again. Raises OSError."""
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")


def allow_only(names: tuple[str, ...]) -> None:
    """Have every other system call of this process refused with EPERM from now on. Raises OSError if that cannot be
    done."""
    library = ctypes.CDLL("libseccomp.so.2")
    library.seccomp_init.restype = ctypes.c_void_p
    context = ctypes.c_void_p(library.seccomp_init(ctypes.c_uint32(_REFUSE)))
    if not context:
        raise OSError(errno.ENOMEM, "seccomp_init")
    for name in names:
        number = library.seccomp_syscall_resolve_name(name.encode())
        _must(library.seccomp_rule_add(context, ctypes.c_uint32(_ALLOW), number, 0), f"seccomp_rule_add {name}")
    _must(library.seccomp_load(context), "seccomp_load")  # which sets no_new_privs as well


def _must(result: int, what: str) -> None:
    if result < 0:
        raise OSError(-result, f"{what}: {os.strerror(-result)}")
