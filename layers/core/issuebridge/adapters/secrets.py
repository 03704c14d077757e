"""API keys, fetched by name at use and never kept longer than a rotation may take."""

import json
import math
import time
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from issuebridge.domain.errors import Misconfigured, Transient

KEPT_SECONDS = 300
REREAD_SECONDS = 30
_TRANSIENT = {"InternalServiceError", "ThrottlingException", "RequestLimitExceeded"}


@dataclass
class Secret:
    """One stored key; an adapter asks for it at each request."""

    manager: "SecretsManager"
    name: str
    _fetched_at: float = field(default=-math.inf, repr=False)
    _reread_at: float = field(default=-math.inf, repr=False)
    _key: str = field(default="", repr=False)

    def __call__(self) -> str:
        if time.monotonic() - self._fetched_at > KEPT_SECONDS:
            self._fetch()
        return self._key

    def reread(self) -> str:
        """Past the cache, for a key that was refused: it may have been replaced a moment ago. A key
        that stays refused is not read again for each request."""
        if time.monotonic() - self._reread_at > REREAD_SECONDS:
            before = self._key
            self._fetch()
            self._reread_at = time.monotonic() if self._key == before else -math.inf
        return self._key

    def _fetch(self) -> None:
        self._key = self.manager.fetch(self.name)
        self._fetched_at = time.monotonic()


class SecretsManager:
    def __init__(self, client: Any) -> None:  # noqa: ANN401 - boto3 has no types
        self._client = client
        self._kept: dict[str, Secret] = {}

    def reader(self, name: str) -> Secret:
        return self._kept.setdefault(name, Secret(self, name))

    def fetch(self, name: str) -> str:
        """The API key in it."""
        return _key_in(name, self.document(name))

    def document(self, name: str) -> str:
        """What is stored under this name, as it is."""
        try:
            return str(self._client.get_secret_value(SecretId=name).get("SecretString") or "")
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            if code in _TRANSIENT:
                raise Transient(f"Secrets Manager: {code} for {name}") from error
            if _is_sealed(code, error):
                raise Misconfigured(
                    f"secret {name}: {code}: it is encrypted under a KMS key of your own, which "
                    "the functions may not use: allow their role kms:Decrypt in that key's "
                    "policy, or store the secret under aws/secretsmanager"
                ) from error
            raise Misconfigured(
                f"secret {name}: {code}: create it in Secrets Manager under that name; the "
                "functions may read names that begin with the stack's SecretPrefix"
            ) from error
        except BotoCoreError as error:
            raise Transient(f"Secrets Manager: {error}") from error


def _is_sealed(code: str, error: ClientError) -> bool:
    """Secrets Manager has no code of its own for a secret that it may read and not decrypt."""
    message = str(error.response.get("Error", {}).get("Message", "")).lower()
    return code == "DecryptionFailure" or ("AccessDenied" in code and "kms" in message)


def _key_in(name: str, value: str) -> str:
    """The key alone, or `{"api_key": "..."}` as the console's form stores it."""
    if value.lstrip().startswith("{"):
        try:
            value = json.loads(value)["api_key"]
        except (ValueError, KeyError, TypeError, RecursionError):
            raise Misconfigured(f'secret {name}: store the key, or {{"api_key": "..."}}') from None
    if not isinstance(value, str) or not value.strip():
        raise Misconfigured(f"secret {name} is empty: store the API key in it")
    return value.strip()
