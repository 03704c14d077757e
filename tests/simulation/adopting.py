"""The operator's `issuebridge adopt`, as far as this engine has it."""

from typing import Any


def adopt(pipeline: Any, pause: Any) -> bool:
    """Whether it was done: look at everything there is, then link what belongs together."""
    if not hasattr(pipeline, "adopt"):
        return False
    use_case = pipeline.adopt(pause)
    use_case(use_case.look({}))
    return True
