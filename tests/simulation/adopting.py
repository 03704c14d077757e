"""The operator's `issuebridge adopt`, as far as this engine has it."""

from dataclasses import fields
from importlib import import_module
from importlib.util import find_spec
from typing import Any

MODULE = "issuebridge.use_cases.adopt"


def can_adopt() -> bool:
    return find_spec(MODULE) is not None


def adopt(pipeline: Any) -> bool:
    """Whether it was done: the use case is built of the parts of the pipeline that it names."""
    if not can_adopt():
        return False
    use_case = import_module(MODULE).Adopt
    use_case(**{field.name: getattr(pipeline, field.name) for field in fields(use_case)})()
    return True
