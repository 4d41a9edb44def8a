//! What clients and resource servers ask, and what each answer says.

use std::net::Ipv4Addr;
use std::sync::atomic::Ordering;

use axum::body::to_bytes;
use axum::response::Response;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue};
use keyward_authority::authority::Authority;
use keyward_authority::cause::Cause;
use keyward_authority::entity::{
    Client, Kept as _, Key, RefreshFamily, RevokedToken, ServiceAccount, SigningKey,
};
use keyward_authority::http::{Form, FormRequest, KnownName, Peer, Refusal, introspect, revoke, token};
use keyward_jose::{DecodeBuffer, Jws, LocalSigner, Signer as _, sign_compact};
use serde_json::{Value, json};

use super::SECOND;
use super::chance::Chance;
use super::commands::key_id;
use super::fact::{Fact, name};
use super::nodes::{Node, ORIGIN};
use super::timeline::Seen;
use super::world::{ACCOUNTS, API, CHECKER, CLIENTS, Issued, KEYS, REALM, World};

const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

const CLIENT_ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Asks for a token by an assertion of an account, some of the time as a client that gets a refresh token with it.
pub(super) async fn ask_for_token(world: &World, node: &Node, chance: &Chance) {
    let account = ACCOUNTS[chance.below(ACCOUNTS.len())];
    let kid = format!("{account}-{}", chance.below(KEYS));
    let Some(key) = world.any_key(&kid, chance) else {
        return;
    };
    let client = (chance.below(2) == 0).then(|| CLIENTS[chance.below(CLIENTS.len())]);
    let assertion = assertion(world, &key, account).await;
    let mut form = vec![("grant_type", JWT_BEARER), ("assertion", &assertion), ("resource", API)];
    form.extend(client.map(|client| ("client_id", client)));
    let begun = world.nodes.now();
    let answer = ask(world, node, chance, Endpoint::Token, &form).await;
    let ended = world.nodes.now();
    let x = serde_json::to_value(key.public_jwk()).unwrap()["x"].clone();
    let (key, account) = (name::<Key>(&key_id(account, &kid)), name::<ServiceAccount>(account));
    let client = client.map(name::<Client>);
    let seen = |what: &str, fact, age| world.history.see(Seen::remembered(what, begun, ended, fact, age));
    let cause = match answer {
        None => return,
        Some(Ok(body)) => {
            let issued = issued(&body, begun, account, client);
            let what = "token issued";
            seen(what, Fact::Enabled(issued.account.clone()), SECOND);
            seen(what, Fact::Key(key, x, true), SECOND);
            seen(what, Fact::Signs(issued.signing_key.clone()), SECOND);
            if let Some(client) = &issued.client {
                seen(what, Fact::Enabled(client.clone()), SECOND);
            }
            if let Some(family) = &issued.family {
                world.history.left.lock().unwrap().insert((family.clone(), false), (begun, ended));
            }
            world.history.count(what);
            return world.issued(issued, chance);
        }
        Some(Err(cause)) => cause,
    };
    let what = cause.label();
    world.history.count(what);
    match (cause, client) {
        (Cause::Unavailable, _) => {}
        // That there is none is so now; how something is may be remembered.
        (Cause::AssertionKeyUnknown, _) => seen(what, Fact::Absent(key), 0),
        (Cause::AssertionKeyDisabled, _) => seen(what, Fact::Key(key, x, false), SECOND),
        (Cause::AssertionSignatureWrong, _) => seen(what, Fact::AnotherKey(key, x), SECOND),
        (Cause::ServiceAccountUnknown, _) => seen(what, Fact::Absent(account), 0),
        (Cause::ServiceAccountDisabled, _) => {
            seen(what, Fact::Disabled(account), SECOND);
            seen(what, Fact::Key(key, x, true), SECOND);
        }
        (Cause::ClientUnknown, Some(client)) => seen(what, Fact::Absent(client), 0),
        (Cause::ClientDisabled, Some(client)) => seen(what, Fact::Disabled(client), SECOND),
        (other, client) => panic!("{other:?} of {account:?} as {client:?}"),
    }
}

/// Asks about a token that was issued at some node.
pub(super) async fn ask_about_token(world: &World, node: &Node, chance: &Chance, token: &Issued) {
    let assertion = assertion(world, &world.checker, CHECKER).await;
    let form = [
        ("client_assertion_type", CLIENT_ASSERTION),
        ("client_assertion", assertion.as_str()),
        ("token", token.access.as_str()),
    ];
    let begun = world.nodes.now();
    let answer = ask(world, node, chance, Endpoint::Introspection, &form).await;
    let ended = world.nodes.now();
    let owners = std::iter::once(&token.account).chain(&token.client);
    match answer {
        None | Some(Err(Cause::Unavailable)) => {}
        Some(Err(other)) => panic!("{other:?} of {CHECKER}"),
        Some(Ok(body)) if body["active"] == true => {
            world.history.count("active");
            let mut facts: Vec<_> = owners.map(|owner| Fact::Enabled(owner.clone())).collect();
            facts.push(Fact::Published(token.signing_key.clone()));
            facts.push(Fact::Absent(token.revoked.clone()));
            facts.extend(token.family.clone().map(Fact::Stands));
            for fact in facts {
                world.history.see(Seen::remembered("active", begun, ended, fact, SECOND));
            }
        }
        Some(Ok(body)) => {
            assert_eq!(body, json!({ "active": false }));
            world.history.count("inactive");
            let mut ways = vec![
                (Fact::Withdrawn(token.signing_key.clone()), SECOND),
                (Fact::Present(token.revoked.clone()), SECOND),
            ];
            for owner in owners {
                // Where it was made again since, this is a token of the one before.
                ways.push((Fact::Absent(owner.clone()), begun.saturating_sub(token.since) + SECOND));
                ways.push((Fact::Disabled(owner.clone()), SECOND));
            }
            if let Some(family) = &token.family {
                ways.push((Fact::Absent(family.clone()), 0));
                ways.push((Fact::Revoked(family.clone()), SECOND));
            }
            world.history.see(Seen { what: "inactive".to_owned(), begun, ended, ways });
        }
    }
}

/// Ends an access token, or a refresh token with all that goes with it, once.
pub(super) async fn end_token(world: &World, node: &Node, chance: &Chance) {
    let Some(token) = world.any_token(chance) else {
        return;
    };
    let (Some(client), Some(family)) = (&token.client, &token.family) else {
        return;
    };
    let is_refresh = chance.below(2) == 0;
    let (tried, shown, ends) = match &token.refresh {
        Some(refresh) if is_refresh => (&token.refresh_tried, refresh, family),
        _ => (&token.access_tried, &token.access, &token.revoked),
    };
    if tried.swap(true, Ordering::SeqCst) {
        return;
    }
    let is_family = ends == family;
    let form = [("client_id", client.1.as_str()), ("token", shown.as_str())];
    let begun = world.nodes.now();
    let answer = ask(world, node, chance, Endpoint::Revocation, &form).await;
    let ended = world.nodes.now();
    let until = if matches!(answer, Some(Ok(_))) { ended } else { u64::MAX };
    world.history.left.lock().unwrap().insert((ends.clone(), true), (begun, until));
    let seen = |what: &str, ways| world.history.see(Seen { what: what.to_owned(), begun, ended, ways });
    match answer {
        None | Some(Err(Cause::Unavailable)) => {}
        Some(Ok(_)) => {
            world.history.count("revoked");
            // It is so from now on, or there is nothing left that could be ended.
            seen(
                "revoked",
                match is_family {
                    true => vec![(Fact::Revoked(ends.clone()), 0), (Fact::Absent(ends.clone()), 0)],
                    false => vec![
                        (Fact::Present(ends.clone()), 0),
                        (Fact::Withdrawn(token.signing_key.clone()), SECOND),
                    ],
                },
            );
        }
        Some(Err(Cause::ClientUnknown)) => seen("client_unknown", vec![(Fact::Absent(client.clone()), 0)]),
        Some(Err(Cause::ClientDisabled)) => {
            seen("client_disabled", vec![(Fact::Disabled(client.clone()), SECOND)]);
        }
        Some(Err(other)) => panic!("{other:?} of {client:?}"),
    }
}

#[derive(Clone, Copy, Debug)]
enum Endpoint {
    Introspection,
    Revocation,
    Token,
}

/// What a node answers; none where it was killed.
async fn ask(
    world: &World,
    node: &Node,
    chance: &Chance,
    endpoint: Endpoint,
    parameters: &[(&str, &str)],
) -> Option<Result<Value, Cause>> {
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
    // Nobody is held up because others fail.
    let address = Ipv4Addr::from_bits(u32::try_from(chance.next() >> 32).unwrap());
    let (authority, arrived) = (node.authority.clone(), world.nodes.time());
    let answer = node.run(async move {
        let realm = authority.realm(REALM).await?.unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        let form = Form::parse(&headers, &Bytes::from(body)).unwrap();
        let (issuer, peer) = (authority.issuer(REALM), Peer::plain(address.into()));
        let request = FormRequest {
            realm,
            name: "token",
            issuer,
            form,
            headers,
            peer,
            arrived,
            known: KnownName::default(),
        };
        answered(&authority, endpoint, &request).await
    });
    answer.await
}

async fn answered(authority: &Authority, endpoint: Endpoint, request: &FormRequest) -> Result<Value, Cause> {
    let answer: Result<Response, Refusal> = match endpoint {
        Endpoint::Introspection => introspect(authority, request).await,
        Endpoint::Revocation => revoke(authority, request).await,
        Endpoint::Token => token(authority, request).await,
    };
    let body = answer.map_err(|refusal| refusal.cause)?.into_body();
    Ok(serde_json::from_slice(&to_bytes(body, 100_000).await.unwrap()).unwrap_or_default())
}

async fn assertion(world: &World, key: &LocalSigner, subject: &str) -> String {
    let (now, jti) = (world.nodes.time().wall.0, world.history.next().to_string());
    let audience = format!("{ORIGIN}/realms/{REALM}");
    let claims = json!({
        "iss": subject, "sub": subject, "aud": audience, "jti": jti, "iat": now, "exp": now + 60,
    });
    sign_compact(key, None, claims.to_string().as_bytes()).await.unwrap()
}

fn issued(body: &Value, since: u64, account: super::fact::Name, client: Option<super::fact::Name>) -> Issued {
    let text = |member: &str| body[member].as_str().map(str::to_owned);
    let access = text("access_token").unwrap();
    let mut buffer = DecodeBuffer::new();
    let jws = Jws::parse(access.as_bytes(), Jws::DEFAULT_SIZE_LIMIT, &mut buffer).unwrap();
    let said: Value = serde_json::from_slice(jws.dangerous_unverified_payload()).unwrap();
    let signing_key = name::<SigningKey>(jws.header().kid().unwrap());
    let jti = said["jti"].as_str().unwrap().to_owned();
    let revoked = name::<RevokedToken>(&RevokedToken { jti, expires_at: 0 }.id());
    let family = client.as_ref().zip(said["grant"].as_str());
    let family = family.map(|(client, grant)| name::<RefreshFamily>(&RefreshFamily::id_of(&client.1, grant)));
    let (refresh, access_tried, refresh_tried) = (text("refresh_token"), false.into(), false.into());
    Issued {
        access,
        since,
        refresh,
        account,
        client,
        family,
        revoked,
        signing_key,
        access_tried,
        refresh_tried,
    }
}
