"""One deployed stack for all of these tests: what one test writes, the next one may see."""

import pytest

from ops.local_stack import LocalStack


@pytest.fixture(scope="session")
def stack():
    """`template.yaml` on a local AWS with IAM enforced; nothing wakes by schedule."""
    with LocalStack.up({"SchedulesState": "DISABLED"}) as deployed:
        yield deployed
