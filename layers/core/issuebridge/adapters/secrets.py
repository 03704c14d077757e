"""API keys, fetched by name at use and never kept longer than a rotation may take."""

import json
import time
from collections.abc import Callable
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from issuebridge.domain.errors import Misconfigured, Transient

KEPT_SECONDS = 300
_TRANSIENT = {"InternalServiceError", "ThrottlingException", "RequestLimitExceeded"}


class SecretsManager:
    def __init__(self, client: Any) -> None:  # noqa: ANN401 - boto3 has no types
        self._client = client
        self._kept: dict[str, tuple[float, str]] = {}

    def reader(self, name: str) -> Callable[[], str]:
        """A function that returns the key; an adapter calls it for each request."""
        return lambda: self._read(name)

    def _read(self, name: str) -> str:
        at, key = self._kept.get(name, (0.0, ""))
        if not key or time.monotonic() - at > KEPT_SECONDS:
            key = self._fetch(name)
            self._kept[name] = (time.monotonic(), key)
        return key

    def document(self, name: str) -> str:
        """What is stored under this name, as it is."""
        return self._value(name)

    def _fetch(self, name: str) -> str:
        return _key_in(name, self._value(name))

    def _value(self, name: str) -> str:
        try:
            return str(self._client.get_secret_value(SecretId=name).get("SecretString") or "")
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            if code in _TRANSIENT:
                raise Transient(f"Secrets Manager: {code} for {name}") from error
            raise Misconfigured(
                f"secret {name}: {code}: create it in Secrets Manager under that name; the "
                "functions may read names that begin with the stack's SecretPrefix"
            ) from error
        except BotoCoreError as error:
            raise Transient(f"Secrets Manager: {error}") from error


def _key_in(name: str, value: str) -> str:
    """The key alone, or `{"api_key": "..."}` as the console's form stores it."""
    if value.lstrip().startswith("{"):
        try:
            value = json.loads(value)["api_key"]
        except (ValueError, KeyError, TypeError):
            raise Misconfigured(f'secret {name}: store the key, or {{"api_key": "..."}}') from None
    if not isinstance(value, str) or not value.strip():
        raise Misconfigured(f"secret {name} is empty: store the API key in it")
    return value.strip()
