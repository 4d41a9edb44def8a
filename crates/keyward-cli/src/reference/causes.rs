//! What each cause of a refusal means, and what an operator does about it.

use std::fmt::Write as _;

use keyward_authority::cause::{Cause, OAuthError};
use keyward_doctor::code::Code;

/// The page of the reference, behind its title.
pub(super) fn page(page: &mut String) {
    let _ = write!(
        page,
        "Why the authority refused a request. The label is the same in the log (`cause` of `token_refused`, \
         `introspection_refused`,\n`revocation_refused`, `request_refused`) and in \
         `keyward_authority_refusals_total{{realm,endpoint,cause}}`; it comes from `Cause` in\n\
         `crates/keyward-authority/src/cause.rs`. The client is not told it: it gets the error and the description \
         below, fixed text, in the\nform of RFC 6749 §5.2. Where two errors stand, the first is for a client that \
         authenticates itself, the second for what it\nasked for. 503 and 429 come with `Retry-After`, 401 and 403 \
         with `WWW-Authenticate`.\n\n\
         What a stranger could learn something from is told alike: whether there is such a client, a key or a \
         secret, and whether it is\nenabled.\n\n\
         [Let clients and service accounts into the authority](../how-to/authenticate-clients.md) says what a \
         request has to carry. [`keyward doctor`](../how-to/doctor.md) reads the labels of a log \
         (`--provider-log`) and of a node (`--authority`).\n\n| label | the client is told |\n|---|---|\n"
    );
    for cause in Cause::ALL {
        let label = cause.label();
        let _ = writeln!(page, "| [`{label}`](#{label}) | {} |", told(*cause));
    }
    for cause in Cause::ALL {
        let (means, remedy) = explained(*cause);
        let _ = write!(
            page,
            "\n## {}\n\n{}: \"{}\"\n\n{means}\n\n{remedy}\n\n{}\n",
            cause.label(),
            told(*cause),
            cause.description(),
            found_by_doctor(*cause),
        );
    }
}

/// The error, or the two, with their statuses.
fn told(cause: Cause) -> String {
    let one = |error: OAuthError| format!("{} `{}`", error.status(), error.code());
    let (authentication, request) = (cause.of_authentication(), cause.of_request());
    if authentication == request {
        one(request)
    } else {
        format!("{} or {}", one(authentication), one(request))
    }
}

/// What the doctor calls it, and where that is explained.
fn found_by_doctor(cause: Cause) -> String {
    let code = keyward_doctor::authority::finding(cause.label());
    let of_ours =
        if code == Code::AuthorityRefuses { "where there are many" } else { "of a gateway's credential" };
    format!(
        "`keyward doctor` {of_ours}: [{code}](../how-to/runbook/{code}.md), {}.",
        in_a_sentence(code.title())
    )
}

/// A title, within a sentence.
fn in_a_sentence(title: &str) -> String {
    let mut letters = title.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

/// What it means, and what to do.
const fn explained(cause: Cause) -> (&'static str, &'static str) {
    match cause {
        Cause::AssertionAudienceWrong => (
            "`aud` of the assertion is not the realm's issuer, or names somebody beside it.",
            "Have the client write the realm's issuer, `https://HOST/realms/NAME`, to the letter: no slash at the \
             end, and nothing else in the list. The token endpoint's address, which some libraries (such as Authlib) \
             write unless they are told otherwise, is taken of service accounts only.",
        ),
        Cause::AssertionExpired => (
            "`exp` of the assertion is over by more than the leeway of 60 s.",
            "Have the client make an assertion for each request. If it does, its clock is slow, or ours fast.",
        ),
        Cause::AssertionIssuerWrong => (
            "`iss` and `sub` differ, or `client_id` beside the assertion is another client's.",
            "Both have to be the client's id, or the service account's. In Zitadel's key files that is `clientId`, or \
             `userId`.",
        ),
        Cause::AssertionKeyDisabled => (
            "It was signed with a key of its owner's that is disabled.",
            "Enable the key (`keyward authority key enable`), or have the owner use its other one. Somebody disabled \
             it: the realm's events say who.",
        ),
        Cause::AssertionKeyExpired => (
            "It was signed with a key whose `expires_at` is over.",
            "Add a new key, or say another `expires_at`.",
        ),
        Cause::AssertionKeyKindNotAllowed => (
            "It was signed with a key that is for the other use: a client's for the JWT-bearer grant, or a service \
             account's as `client_assertion`. In Zitadel such a mistake is a 500 for ever.",
            "Use a key file of type `serviceaccount` for the grant, and one of type `application` for \
             `private_key_jwt`.",
        ),
        Cause::AssertionKeyOfAnother => (
            "It was signed with a key of another client, or of another service account.",
            "The key file and the id that the client writes into `iss` and `sub` do not belong together.",
        ),
        Cause::AssertionKeyUnknown => (
            "Its owner has no key with this `kid`, up to the log's head, nor has the set at its `jwks_uri`, which was fetched \
             since. It is said as well where others are already looking for a better reason, and where the owner is disabled \
             and the key is at an address: that is not asked then.",
            "Compare the `kid` with `keyward authority key list`; upload the public key, or correct the `kid`.",
        ),
        Cause::AssertionLivesTooLong => (
            "`exp` is more than five minutes ahead, or more than an hour for the jwt-bearer grant.",
            "Let the client's assertions live for a minute. Some libraries make them for an hour.",
        ),
        Cause::AssertionMalformed => (
            "It is no compact JWS, or its claims are no JSON object with `iss`, `sub`, `aud` and `exp`, each once; of \
             a client also with `jti`.",
            "Look at it with `keyward token inspect`. What is missing mostly is a client's `jti`.",
        ),
        Cause::AssertionNotYetValid => {
            ("`iat` or `nbf` is more than 60 s ahead.", "The client's clock is fast, or ours slow.")
        }
        Cause::AssertionOfAnotherType => (
            "`typ` of its header says that it is something else, such as an access token or a DPoP proof.",
            "Leave `typ` out, or write `JWT`; `client-authentication+jwt` or `authorization-grant+jwt` where the \
             library knows it.",
        ),
        Cause::AssertionReplayed => (
            "Its `jti` was used before, on this node or another; of one without, all that is signed in it.",
            "Have the client make an assertion for each request, retries included. Otherwise somebody reads along.",
        ),
        Cause::AssertionSignatureWrong => (
            "The key of this `kid` did not sign it, or cannot with this `alg`.",
            "The private key and the public one that was uploaded are not a pair.",
        ),
        Cause::AssertionTypeUnsupported => (
            "`client_assertion_type` is not that of a JWT.",
            "Send `urn:ietf:params:oauth:client-assertion-type:jwt-bearer`.",
        ),
        Cause::AssertionWithoutKid => (
            "Its header has no `kid`. A key is not guessed.",
            "Have the client write the `kid` that the key has here.",
        ),
        Cause::AudienceNotAllowed => (
            "Tokens for this `resource` or `audience` are not for this client, account or identity, or there is no such \
             resource server, or it is disabled, or `resource` is no URI.",
            "Add the audience to the client's and the account's `audiences`; each of them needs it.",
        ),
        Cause::AudienceUnclear => (
            "The request names no audience and there are several, or those that it names have tokens of different forms \
             or algorithms.",
            "Have the client send `resource`, and ask for each such resource server by itself.",
        ),
        Cause::AuthenticationMalformed => (
            "`Authorization` is no `Basic` with an encoded id and secret.",
            "Id and secret are each form-encoded, joined with a colon, and then base64 (RFC 6749 §2.3.1).",
        ),
        Cause::AuthenticationMethodNotAllowed => (
            "The client exists, and its `auth_methods` do not have what it used; or `Authorization` is of another \
             scheme than `Basic`.",
            "Add the method to the client, or have it use one that it has.",
        ),
        Cause::AuthenticationMissing => (
            "The request does not say which client it is of. Only the JWT-bearer grant does without one.",
            "Have the client authenticate itself.",
        ),
        Cause::AuthenticationSeveral => (
            "The request authenticates itself in more than one way, or names two clients (RFC 6749 §2.3).",
            "Have the client use one way. A library that sends the secret in the header and in the form is set to one.",
        ),
        Cause::BearerRefused => (
            "The token by which somebody asks about others is not good, not for this authority, or sent without the \
             proof that it is bound to.",
            "It needs the realm's issuer in `aud`: allow the account that audience and the scope `introspect`.",
        ),
        Cause::BearerScopeMissing => (
            "The token by which somebody asks about others lacks the scope `introspect`.",
            "Allow the account that scope, and have it ask for a new token.",
        ),
        Cause::BodyTooLarge => (
            "The request is over 40 KiB, or has more than 32 parameters; over the limit of its length the status is \
             413.",
            "No request that is meant is so large: look at what the client sends.",
        ),
        Cause::CertificateHeaderMalformed => (
            "A trusted proxy's header with the client's certificate is there twice, cannot be read, or holds the hash alone. \
             A header that the client sent itself may have got through.",
            "Have the proxy overwrite what clients send there. Envoy needs `set_current_client_cert_details: { cert: true }`.",
        ),
        Cause::CertificateKeyDisabled => (
            "The connection's certificate has a key of the client's that is disabled.",
            "Enable the key, or have the client use its other one.",
        ),
        Cause::CertificateKeyExpired => (
            "The connection's certificate has a key of the client's whose `expires_at` is over.",
            "Add a new key, or say another `expires_at`. The certificate's own end counts for nothing here.",
        ),
        Cause::CertificateMissing => (
            "The client shows who it is by a certificate, or has `requires_certificate`, and the connection shows none.",
            "See that `client_certificate` is set, or that the proxy in front tells the certificate and is trusted.",
        ),
        Cause::CertificateOfAnother => (
            "The connection's certificate does not name the client's `tls_subject`, and its key is none of the client's.",
            "Compare the certificate with the client's registration, to the letter.",
        ),
        Cause::CertificateUntrusted => (
            "The connection's certificate leads to no anchor of `client_ca_files`.",
            "Add the authority that issued it to `client_ca_files`, or use `self_signed_tls_client_auth`.",
        ),
        Cause::ClientDisabled => {
            ("The client is disabled.", "Enable it, or find out who disabled it, and why.")
        }
        Cause::ClientUnknown => (
            "There is no client of this name in this realm, up to the log's head.",
            "Look for the right realm, and for a typing error in the id.",
        ),
        Cause::DpopNonceWanted => (
            "The proof has no nonce of ours, or an old one (RFC 9449 §8).",
            "Nothing: the answer has `DPoP-Nonce`, and the client tries again with it.",
        ),
        Cause::DpopProofInvalid => (
            "The DPoP proof is not of this request, not signed by its key, too old, or there are several.",
            "Compare its `htm` and `htu` with the endpoint's address as discovery has it, and the clocks.",
        ),
        Cause::DpopProofMissing => (
            "The client has `requires_dpop` and the request has no proof.",
            "Have the client send one, or take the demand away.",
        ),
        Cause::DpopProofReplayed => (
            "The proof was used before, on this node or another.",
            "Have the client make a proof for each request, retries included.",
        ),
        Cause::FormMalformed => (
            "The request's `Content-Type` is not that of a form.",
            "Have the client send `application/x-www-form-urlencoded`.",
        ),
        Cause::GrantNotAllowed => (
            "The client's `grant_types` do not have this one, or a public client asks by `client_credentials`.",
            "Add the grant to the client.",
        ),
        Cause::GrantUnsupported => (
            "Nothing is granted by this `grant_type` here.",
            "Discovery says what there is under `grant_types_supported`.",
        ),
        Cause::IdentityDisabled => (
            "The identity that the subject token stands for is disabled.",
            "Enable it, or find out who disabled it, and why.",
        ),
        Cause::IdentityUnknown => (
            "Nobody here is known by what the external signer calls them, and the realm does not make them just in \
             time; or its subject is another's already (`subject_taken` in the log).",
            "Make the identity, or set the realm's `just_in_time`.",
        ),
        Cause::IntrospectionNotAllowed => (
            "The client may not ask about any token: no resource server names it in `introspected_by`, and it has not \
             the scope `introspect`; or it is a public one.",
            "Name it in the resource server's `introspected_by`.",
        ),
        Cause::KeySetUnavailable => (
            "The key that signed is not among those that are kept here, and the set of keys at the `jwks_uri` of the client or \
             the service account cannot be fetched, or was just fetched for other keys that it does not have. Nobody can \
             tell whether it is good. Keys of a set that was fetched within the last hour are taken all the while.",
            "`key_set_unavailable` in the log says which host, and why; \
             `keyward_authority_key_set_fetches_total{realm,outcome}` how often. Have the client's owner mend the address, or \
             upload the public key.",
        ),
        Cause::ParameterMissing => (
            "A parameter that this request needs is not there, or is empty.",
            "Compare the request with [Ask the authority for tokens](../how-to/ask-for-tokens.md).",
        ),
        Cause::ParameterRepeated => (
            "A parameter is there more than once; only `resource` and `audience` may be.",
            "Look at how the client puts its request together.",
        ),
        Cause::RateLimited => (
            "This client at this address, or this address, failed too often. Whether this attempt was right is not \
             looked at.",
            "Find the cause before it, by address. Behind a proxy that is not among `trusted_peers` all clients \
             have one address.",
        ),
        Cause::RefreshTokenExpired => (
            "The refresh token was not used for longer than the realm's `refresh_token_lifetime`.",
            "The client begins anew.",
        ),
        Cause::RefreshTokenOfAnother => (
            "The request does not prove the key or the certificate that the refresh token is bound to.",
            "Have the client use the key that it got the token with.",
        ),
        Cause::RefreshTokenReused => (
            "An earlier refresh token of its family was used: two processes share one, an answer was lost, or it was \
             stolen. The family is ended.",
            "The client begins anew. If nothing of its own explains it, take it for a theft.",
        ),
        Cause::RefreshTokenRevoked => (
            "Its family was ended: by its client, or by the use of an earlier one.",
            "The client begins anew. The realm's events say what ended it.",
        ),
        Cause::RefreshTokenUnknown => (
            "It is no refresh token of this client: another client's, another realm's, or none.",
            "Look whether the client mixes its tokens up.",
        ),
        Cause::ScopeNotAllowed => (
            "A scope that is asked for is not allowed to the client, the account or the identity, or the resource \
             servers do not offer it.",
            "Add the scope to each of them, or have the client ask for less.",
        ),
        Cause::SecretDisabled => {
            ("The secret is right, and disabled.", "Have the client use the one that took its place.")
        }
        Cause::SecretExpired => ("The secret is right, and its `expires_at` is over.", "Make a new secret."),
        Cause::SecretWrong => (
            "None of the client's secrets is this one.",
            "Make a new secret for the client, and take the old one away once the new one is in use.",
        ),
        Cause::ServiceAccountDisabled => {
            ("The service account is disabled.", "Enable it, or find out who disabled it, and why.")
        }
        Cause::ServiceAccountUnknown => (
            "There is no service account of this name in this realm, up to the log's head.",
            "Look for the right realm, and for a typing error in `iss` and `sub`.",
        ),
        Cause::SubjectTokenRefused => (
            "The subject token, or the actor's, is not good: of no declared signer, for another audience, expired, not \
             signed by its signer, or it says by `may_act` that somebody else acts.",
            "With `log.level = \"debug\"` the event `subject_token_refused` has the verifier's \
             [reason](reasons/README.md).",
        ),
        Cause::SubjectTokenTypeUnsupported => (
            "`subject_token_type`, `actor_token_type` or `requested_token_type` is none that is exchanged here, or a JWT \
             is wanted for a resource server whose tokens are opaque.",
            "Send `urn:ietf:params:oauth:token-type:access_token`, `id_token` or `jwt`.",
        ),
        Cause::SubjectTokenUndecided => (
            "The keys of the token's signer cannot be had just now: the token may well be good.",
            "Look at the signer. `jwks_refresh_failed` in the log says what is wrong.",
        ),
        Cause::TokenOfAnother => (
            "A client wants to end a token of another one.",
            "Only who got a token ends it. An operator disables the client, or the account.",
        ),
        Cause::Unavailable => (
            "It cannot be known: the storage cannot be read, nothing can be signed, or too much waits to be hashed.",
            "Look for `storage_unavailable`, `log_unreadable`, `signing_unavailable` and `signing_key_closed` in the \
             log, and at `/readyz`.",
        ),
    }
}
