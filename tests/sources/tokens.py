"""Access tokens as an identity provider issues them."""

from __future__ import annotations

import base64
import hmac
import json
import time

TOKEN_KEY = b"a key only the token issuer and Dovecot know"


def access_token(user: str, lifetime: int = 600) -> str:
    """An OAuth 2.0 access token (a JWT, RFC 7519) as an identity provider would issue it to ``user``."""

    def packed(part: bytes) -> bytes:
        return base64.urlsafe_b64encode(part).rstrip(b"=")

    now = int(time.time())
    claims = {"sub": user, "email": user, "iat": now - 1000, "exp": now + lifetime}
    body = b".".join(packed(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, claims))
    return (body + b"." + packed(hmac.digest(TOKEN_KEY, body, "sha256"))).decode()
