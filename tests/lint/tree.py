"""The files of the repository that the checks look at."""

from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_SKIPPED = {".git", "__pycache__"}


def files(root: Path, *suffixes: str) -> Iterator[Path]:
    """All files below root with one of the suffixes, sorted, without what builds leave."""
    for path in sorted(root.iterdir()):
        if path.is_dir():
            if path.name not in _SKIPPED and not path.name.startswith("build"):
                yield from files(path, *suffixes)
        elif path.suffix in suffixes:
            yield path
