"""One deliberate bug of one line, put into a copy of the engine."""

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOMAIN = "layers/core/issuebridge/domain"
USE_CASES = "layers/core/issuebridge/use_cases"
ADAPTERS = "layers/core/issuebridge/adapters"
FAKES = "tests/fakes.py"


@dataclass(frozen=True)
class Mutant:
    """`invariant` is what it breaks; `old` stands exactly once in `file`."""

    invariant: int
    name: str
    file: str
    old: str
    new: str

    def apply(self, root: Path) -> None:
        path = root / self.file
        text = path.read_text()
        assert text.count(self.old) == 1, f"{self.name}: its text stands not once in {self.file}"
        path.write_text(text.replace(self.old, self.new))
