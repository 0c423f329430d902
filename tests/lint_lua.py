"""Lints every Lua script as Redis gets it, with what it includes: `python -m tests.lint_lua`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from shutil import which
from tempfile import TemporaryDirectory

from orchestrator.store.scripts import FOLDER, read_script


def main() -> int:
    luacheck = which("luacheck")
    if luacheck is None:
        print("Lua was NOT linted, luacheck is missing: apt-get install lua-check", file=sys.stderr)
        return 0  # a newcomer's `make check` says what it could not do; the unit tests compile every script
    with TemporaryDirectory() as folder:
        for source in FOLDER.glob("*/*.lua"):
            name = source.relative_to(FOLDER)
            if name.parts[0] != "shared":
                path = Path(folder, name)
                path.parent.mkdir(exist_ok=True)
                path.write_text(read_script(str(name.with_suffix(""))), encoding="utf-8")
        return subprocess.run([luacheck, "--quiet", "--config", ".luacheckrc", folder], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
