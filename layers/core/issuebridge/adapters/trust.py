"""Which servers are trusted: those of the public authorities, and of the user's own."""

import re
import ssl
from functools import cache

from issuebridge.domain.errors import Misconfigured

_BLOCK = re.compile(
    r"-----BEGIN ((?:TRUSTED |X509 )?CERTIFICATE)-----[^-]*-----END \1-----", re.ASCII
)


def checked_ca_pem(text: str) -> str:
    """Only the certificates in it, each of them readable; Misconfigured says what is wrong with it
    and shows nothing of it."""
    if "PRIVATE KEY" in text:
        raise Misconfigured(
            "ca_pem: there is a private key in it: give only the certificates, and have that key "
            "replaced, as it has left its place"
        )
    blocks = [found[0] for found in _BLOCK.finditer(text)]
    for number, block in enumerate(blocks, 1):
        try:
            ssl.create_default_context().load_verify_locations(cadata=block)
        except (ssl.SSLError, ValueError, TypeError) as error:
            raise Misconfigured(f"ca_pem: certificate {number} in it cannot be read") from error
    if not blocks:
        raise Misconfigured(
            "ca_pem: there is no certificate in it: give one or more as PEM text, each from "
            "-----BEGIN CERTIFICATE----- to -----END CERTIFICATE-----"
        )
    return "\n".join(blocks) + "\n"


@cache
def trust(ca_pem: str | None) -> ssl.SSLContext:
    """`ca_pem` is trusted besides the public authorities, by the same rules in every Python: some
    refuse a private authority whose certificates lack what the public ones must have. One context
    serves all who trust the same: to read the public authorities takes longer than a request."""
    context = ssl.create_default_context()
    if ca_pem:
        context.load_verify_locations(cadata=checked_ca_pem(ca_pem))
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context
