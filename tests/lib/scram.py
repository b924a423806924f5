"""The client's side of SASL PLAIN (RFC 4616) and SCRAM (RFC 5802, RFC 7677)."""

import base64
import hashlib
import hmac
import secrets

HASHES = {"SCRAM-SHA-1": "sha1", "SCRAM-SHA-256": "sha256"}
# The better one first.
PREFERRED = ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-1", "PLAIN"]


class AuthenticationError(Exception):
    """The server refused, or could not prove that it knows the password."""


def plain(user: str, password: str) -> bytes:
    """The only message of PLAIN."""
    return f"\0{user}\0{password}".encode()


class Scram:
    """One exchange: first(), final() with the server's challenge, verify() with its last words."""

    def __init__(self, mechanism: str, user: str, password: str,
                 binding: bytes | None = None, nonce: str | None = None,
                 binding_type: str = "tls-server-end-point") -> None:
        """binding: for the -PLUS mechanisms (RFC 5929 §4, or of another type)."""
        self._hash = HASHES[mechanism.removesuffix("-PLUS")]
        self._password = password.encode()
        self._nonce = nonce or base64.b64encode(secrets.token_bytes(18)).decode()
        if mechanism.endswith("-PLUS"):
            assert binding is not None
            self._gs2 = f"p={binding_type},,".encode()
            self._binding = self._gs2 + binding
        else:
            self._gs2 = self._binding = b"n,,"
        escaped = user.replace("=", "=3D").replace(",", "=2C")
        self._first_bare = f"n={escaped},r={self._nonce}".encode()
        self._server_signature = b""

    def first(self) -> bytes:
        """client-first-message."""
        return self._gs2 + self._first_bare

    def final(self, challenge: bytes) -> bytes:
        """client-final-message for the server-first-message."""
        fields = dict(part.split("=", 1) for part in challenge.decode().split(","))
        if not fields["r"].startswith(self._nonce):
            raise AuthenticationError("the server's nonce does not go on from ours")
        without_proof = (b"c=" + base64.b64encode(self._binding) + b",r=" + fields["r"].encode())
        message = b",".join([self._first_bare, challenge, without_proof])
        salted = hashlib.pbkdf2_hmac(self._hash, self._password, base64.b64decode(fields["s"]),
                                     int(fields["i"]))
        client_key = self._hmac(salted, b"Client Key")
        signature = self._hmac(hashlib.new(self._hash, client_key).digest(), message)
        self._server_signature = self._hmac(self._hmac(salted, b"Server Key"), message)
        proof = bytes(a ^ b for a, b in zip(client_key, signature))
        return without_proof + b",p=" + base64.b64encode(proof)

    def verify(self, outcome: bytes) -> None:
        """Check the server-final-message: the server must know the password too."""
        expected = b"v=" + base64.b64encode(self._server_signature)
        if not hmac.compare_digest(outcome, expected):
            raise AuthenticationError("wrong server signature")

    def _hmac(self, key: bytes, data: bytes) -> bytes:
        return hmac.digest(key, data, self._hash)
