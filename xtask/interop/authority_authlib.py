"""Every grant and client method of the authority by Authlib; tokens are verified by joserfc.

    python3 authority_authlib.py SITE STEP

As authority_common.mjs has it.
"""

import base64
import hashlib
import json
import os
import ssl
import sys
import time

import requests
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.requests_client import AssertionSession, OAuth2Session
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, RSAKey

with open(sys.argv[1], encoding="utf-8") as told:
    site = json.load(told)
step = sys.argv[2]
READ = {"scope": "read", "resource": site["resource"]}
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"

metadata = requests.get(site["issuer"] + "/.well-known/openid-configuration", timeout=10).json()
TOKEN = metadata["token_endpoint"]


def session(client="basic", method="client_secret_basic", secret=None):
    secret = secret or site[client]["secret"]
    return OAuth2Session(
        client,
        secret,
        token_endpoint_auth_method=method,
        revocation_endpoint_auth_method=method,
        token_endpoint=TOKEN,
    )


def credentials(at, resource=site["resource"], **more):
    return at.fetch_token(TOKEN, grant_type="client_credentials", **{**READ, "resource": resource, **more})


def robot_session():
    """A service account, as Authlib gets tokens for one."""
    robot = site["robot"]
    key = robot["key"]
    return AssertionSession(
        token_endpoint=TOKEN,
        issuer=robot["id"],
        subject=robot["id"],
        audience=site["issuer"],
        scope="read",
        key=RSAKey.import_key(key),
        header={"alg": key["alg"], "kid": key["kid"]},
        expires_in=60,
    )


def robot(at):
    """Tokens for a service account, with a client that may refresh them."""
    key = site["robot"]["key"]
    now = int(time.time())
    claims = {
        "iss": "robot",
        "sub": "robot",
        "aud": site["issuer"],
        "iat": now,
        "exp": now + 60,
        "jti": str(time.time_ns()),
    }
    assertion = jwt.encode({"alg": key["alg"], "kid": key["kid"]}, claims, RSAKey.import_key(key))
    grant = "urn:ietf:params:oauth:grant-type:jwt-bearer"
    return at.fetch_token(TOKEN, grant_type=grant, assertion=assertion, **READ)


def keys():
    return KeySet.import_key_set(requests.get(metadata["jwks_uri"], timeout=10).json())


def verify(token, key_set):
    decoded = jwt.decode(token, key_set, algorithms=["RS256", "ES256"])
    assert decoded.header["typ"] == "at+jwt"
    claims = {"iss": site["issuer"], "aud": site["resource"]}
    registry = jwt.JWTClaimsRegistry(**{name: {"essential": True, "value": it} for name, it in claims.items()})
    registry.validate(decoded.claims)
    return decoded


def granted(tokens, bound=None):
    """What a token endpoint granted, in words."""
    words = [tokens["token_type"].capitalize(), tokens["scope"]]
    token = tokens["access_token"]
    if token.count(".") != 2:
        return ", ".join([*words, "opaque"])
    claims = verify(token, keys()).claims
    kind = claims["subject_type"]
    subject = "somebody" if kind == "identity" else claims["sub"]
    words.append(f"of {kind} {subject}")
    if "cnf" in claims:
        words.append("its certificate" if claims["cnf"]["x5t#S256"] == bound else "another certificate")
    return ", ".join(words)


def outcome(ask):
    statuses = []
    try:
        ask(statuses)
        return "granted"
    except AuthlibBaseError as error:
        return f"{statuses[-1]} {error.error}"


def watched(at, statuses):
    """Authlib's errors do not say the status."""
    hook = "refresh_token_response" if "refresh_token_response" in at.compliance_hook else "access_token_response"
    for name in {hook, "access_token_response"}:
        at.register_compliance_hook(name, lambda response: statuses.append(response.status_code) or response)
    return at


def refreshed(token):
    return outcome(lambda statuses: watched(session(), statuses).refresh_token(TOKEN, refresh_token=token))


def state(token):
    said = session().introspect_token(metadata["introspection_endpoint"], token=token).json()
    return ", ".join(["active", said["client_id"], said["scope"]]) if said["active"] else "inactive"


def discovery():
    ends = ["token_endpoint", "introspection_endpoint", "revocation_endpoint", "jwks_uri"]
    yield "endpoints", ", ".join(metadata[end].replace(site["issuer"] + "/", "") for end in ends)


def client_credentials():
    yield "client_secret_basic", granted(credentials(session()))
    yield "client_secret_post", granted(credentials(session("post", "client_secret_post")))
    yield "opaque", granted(credentials(session(), site["opaque"]))


def private_key_jwt():
    key = site["assertion"]["key"]
    at = session("assertion", "private_key_jwt", ECKey.import_key(key))
    # An assertion is for the issuer, as RFC 7523bis has it.
    more = {"headers": {"kid": key["kid"]}, "claims": {"exp": int(time.time()) + 60}, "alg": "ES256"}
    at.register_client_auth_method(PrivateKeyJWT(site["issuer"], **more))
    yield "private_key_jwt", granted(credentials(at))


def jwt_bearer():
    at = robot_session()
    at.refresh_token()
    yield "service account", granted(at.token)


def token_exchange():
    def exchange(token):
        more = {"subject_token": token, "subject_token_type": ACCESS_TOKEN, **READ}
        return granted(session().fetch_token(TOKEN, grant_type=EXCHANGE, **more))

    yield "of oidc-provider", exchange(site["subject_token"])
    yield "of ours", exchange(credentials(session())["access_token"])


def refresh():
    first = robot(session())["refresh_token"]
    tokens = session().refresh_token(TOKEN, refresh_token=first)
    yield "next", granted(tokens)
    yield "used again", refreshed(first)
    yield "its successor", refreshed(tokens["refresh_token"])


def introspection():
    yield "JWT", state(credentials(session())["access_token"])
    yield "opaque", state(credentials(session(), site["opaque"])["access_token"])
    yield "nonsense", state("nonsense")


def revocation():
    def revoke(token):
        session().revoke_token(metadata["revocation_endpoint"], token=token).raise_for_status()
        return token

    yield "JWT", state(revoke(credentials(session())["access_token"]))
    yield "opaque", state(revoke(credentials(session(), site["opaque"])["access_token"]))
    yield "refresh token", refreshed(revoke(robot(session())["refresh_token"]))


def thumbprint(certificate):
    with open(certificate, encoding="ascii") as pem:
        der = ssl.PEM_cert_to_DER_cert(pem.read())
    return base64.urlsafe_b64encode(hashlib.sha256(der).digest()).decode().rstrip("=")


def mutual_tls():
    def by(client, name, statuses):
        at = OAuth2Session(client, token_endpoint_auth_method="none")
        at.cert = tuple(f"{os.environ['CERTIFICATES']}/{name}.{end}" for end in ["pem", "key"])
        return granted(credentials(watched(at, statuses)), thumbprint(at.cert[0]))

    yield "tls_client_auth", by("certified", "certified", [])
    yield "self_signed_tls_client_auth", by("self-signed", "self-signed", [])
    yield "another's certificate", outcome(lambda statuses: by("certified", "self-signed", statuses))
    yield "another's certificate", outcome(lambda statuses: by("self-signed", "certified", statuses))


def refused():
    def ask(secret=None, **more):
        return outcome(lambda statuses: credentials(watched(session(secret=secret), statuses), **more))

    yield "wrong secret", ask("wrong")
    yield "another's scope", ask(scope="admin")
    yield "another's resource", ask(resource="https://other.example")


def rotation():
    at = session()
    key_set, fetched = keys(), time.time()
    first = credentials(at)["access_token"]
    while True:
        for token in [first, credentials(at)["access_token"]]:
            # As Cache-Control of the key set has it.
            if time.time() - fetched > 300:
                key_set, fetched = keys(), time.time()
            try:
                print("accepted", verify(token, key_set).header["kid"], flush=True)
            except Exception as error:  # Whatever it is, the token is valid.
                print("refused:", error, flush=True)


answers = globals()[step.replace("-", "_")]()
print(json.dumps(list(answers)))
