"""A new analysis to begin with: a statistic that works, with comments that teach, and its test."""

from __future__ import annotations

import builtins
import keyword
import sys
from dataclasses import dataclass
from pathlib import Path

from fedstats.core.names import check_identifier
from fedstats.errors import AlreadyExists, FileProblem, ValueInvalid
from fedstats.statistics import statistics

_STATISTIC = Path(__file__).with_name("skeleton_statistic.txt")
_TEST = Path(__file__).with_name("skeleton_test.txt")


@dataclass(frozen=True, slots=True)
class Skeleton:
    """The name of a new analysis, such as `late_share`, and what its two files hold.

    Raises
    ------
    ValueInvalid
        The name cannot be one of a Python file and of a statistic, or is another's.

    """

    name: str

    def __post_init__(self) -> None:
        """The name must be free: in the register, and for Python's `import`."""
        check_identifier(self.name, what="analysis")
        taken = (
            keyword.iskeyword(self.name) or self.name in sys.stdlib_module_names or self.name == "fedstats"
        )
        if taken or self.name in statistics() or hasattr(builtins, self.class_name):
            raise ValueInvalid(f"{self.name} is the name of something else.", remedy="Choose another name.")

    @property
    def class_name(self) -> str:
        """`LateShare`, of `late_share`."""
        return "".join(part.capitalize() for part in self.name.split("_"))

    @property
    def files(self) -> dict[str, str]:
        """The statistic and its test, by the names of their files."""
        named = {f"{self.name}.py": _STATISTIC, f"test_{self.name}.py": _TEST}
        return {name: self._filled(source.read_text(encoding="utf-8")) for name, source in named.items()}

    def write(self, folder: Path) -> tuple[Path, ...]:
        """Write both files into a folder, which is made where it is missing.

        Raises
        ------
        AlreadyExists
            One of them is there already; nothing is written then.
        FileProblem
            They cannot be written.

        """
        paths = tuple(folder / name for name in self.files)
        for path in paths:
            if path.exists():
                raise AlreadyExists(f"{path} is there already.", remedy="Choose another name or --folder.")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for path, text in zip(paths, self.files.values(), strict=True):
                with path.open("x", encoding="utf-8") as file:
                    file.write(text)
        except OSError as problem:
            raise FileProblem(f"{folder} cannot be written to: {problem.strerror}.") from None
        return paths

    def _filled(self, text: str) -> str:
        return text.replace("@NAME@", self.name).replace("@CLASS@", self.class_name)
