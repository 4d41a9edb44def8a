//! Whatever a realm is and is to be: a plan leads there, is empty then, and what is exported is the file.

use keyward_authority::apply::{KeyEntry, RealmFile, Step, apply, current, export, plan};
use keyward_authority::entity::{
    Client, ClientAuthMethod, ClientKind, GrantType, Realm, ResourceServer, SignerKeys, TlsSubject,
    TokenFormat,
};
use keyward_jose::{Algorithm, LocalSigner, Signer};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use tokio::runtime::Runtime;

use crate::bench::Bench;
use crate::operations::node::{Node, account, actor, client, server, signer};

fn words() -> impl Strategy<Value = Vec<String>> {
    subsequence(vec!["a", "b:c", "d'e", "\u{7e}"], 0..4)
        .prop_map(|words| words.into_iter().map(str::to_owned).collect())
}

fn clients() -> impl Strategy<Value = Vec<Client>> {
    let tls = prop_oneof![
        Just(TlsSubject::Dns("a.example".to_owned())),
        Just(TlsSubject::SubjectDn("CN=\"a\",O=b\\,c".to_owned())),
        Just(TlsSubject::Ip("::1".parse().unwrap())),
    ];
    let one = (any::<bool>(), "[ -~é]{0,12}", words(), prop::option::of(tls), any::<bool>()).boxed();
    subsequence(vec!["a", "b", "c"], 0..3).prop_flat_map(move |ids| {
        let each = prop::collection::vec(one.clone(), ids.len());
        (Just(ids), each).prop_map(|(ids, each)| {
            let make = |(id, (enabled, description, scopes, tls, public)): (&str, _)| {
                let tls: Option<TlsSubject> = tls;
                let mut client = Client { enabled, description, scopes, ..client(id) };
                match tls {
                    Some(_) => client.auth_methods.push(ClientAuthMethod::TlsClientAuth),
                    None if public => {
                        (client.kind, client.auth_methods) =
                            (ClientKind::Public, vec![ClientAuthMethod::None]);
                        client.grant_types = vec![GrantType::RefreshToken];
                    }
                    None => {}
                }
                client.tls_subject = tls;
                client
            };
            ids.into_iter().zip(each).map(make).collect()
        })
    })
}

fn servers() -> impl Strategy<Value = Vec<ResourceServer>> {
    let one = (any::<bool>(), words(), any::<bool>(), prop::option::of(1_u64..86_400), any::<bool>()).boxed();
    subsequence(vec!["plain", "https://a.example/v1", "urn:b:c"], 0..3).prop_flat_map(move |names| {
        let each = prop::collection::vec(one.clone(), names.len());
        (Just(names), each).prop_map(|(names, each)| {
            let make = |(name, (enabled, scopes, opaque, access_token_lifetime, es256)): (&str, _)| {
                let token_format = if opaque { TokenFormat::Opaque } else { TokenFormat::Jwt };
                let algorithm = Some("ES256".to_owned()).filter(|_| es256);
                ResourceServer {
                    enabled,
                    scopes,
                    token_format,
                    access_token_lifetime,
                    algorithm,
                    ..server(name)
                }
            };
            names.into_iter().zip(each).map(make).collect()
        })
    })
}

/// A few keys that tests share: making one takes its time.
fn keys() -> Vec<KeyEntry> {
    let algorithms = [Algorithm::Es256, Algorithm::EdDsa, Algorithm::Es256];
    let make = |(number, algorithm)| {
        let kid = format!("k{number}");
        let signer = LocalSigner::generate(algorithm, Some(&kid)).unwrap();
        let jwk = serde_json::to_value(signer.public_jwk()).unwrap();
        let jwk = jwk.as_object().unwrap().iter();
        let jwk = jwk.map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned())).collect();
        KeyEntry { owner: String::new(), kid, enabled: true, expires_at: None, jwk }
    };
    (0..).zip(algorithms).map(make).collect()
}

fn files(keys: Vec<KeyEntry>) -> impl Strategy<Value = RealmFile> {
    let realm = (any::<bool>(), 1_u64..1000, any::<bool>()).prop_map(|(enabled, lifetime, just_in_time)| {
        Realm { enabled, access_token_lifetime: lifetime, just_in_time, ..Realm::new("random") }
    });
    let signers = (any::<bool>(), any::<bool>()).prop_map(|(is_there, by_discovery)| {
        let keys = if by_discovery {
            SignerKeys::Discovery
        } else {
            SignerKeys::JwksUri("https://a.example/j".into())
        };
        if is_there {
            vec![keyward_authority::entity::ExternalSigner { keys, ..signer("idp") }]
        } else {
            vec![]
        }
    });
    let accounts = subsequence(vec!["x", "y", "z"], 0..3);
    let of_keys = prop::collection::vec(
        (any::<prop::sample::Index>(), select(keys), any::<bool>(), any::<bool>()),
        0..5,
    );
    (realm, servers(), signers, accounts, clients(), of_keys).prop_map(
        |(realm, resource_servers, external_signers, accounts, clients, of_keys)| {
            let service_accounts: Vec<_> = accounts.into_iter().map(account).collect();
            let owners: Vec<_> = clients
                .iter()
                .map(|client| format!("client/{}", client.id))
                .chain(service_accounts.iter().map(|account| format!("service_account/{}", account.id)))
                .collect();
            let mut keys = Vec::<KeyEntry>::new();
            for (index, key, enabled, ends) in of_keys {
                let expires_at = Some(1_900_000_000).filter(|_| ends);
                if owners.is_empty() {
                    continue;
                }
                let key = KeyEntry { owner: index.get(&owners).clone(), enabled, expires_at, ..key };
                if !keys.iter().any(|other| (&other.owner, &other.kid) == (&key.owner, &key.kid)) {
                    keys.push(key);
                }
            }
            RealmFile { realm, resource_servers, external_signers, service_accounts, clients, keys }
        },
    )
}

async fn planned(node: &Node, file: &RealmFile) -> Vec<Step> {
    plan(current(&node.authority, "random").await.unwrap().as_ref(), file)
}

#[test]
fn a_plan_leads_to_the_file_from_wherever_and_is_empty_then() {
    let runtime = Runtime::new().unwrap();
    let bench = Bench::sqlite();
    let node = runtime.block_on(Node::of(&bench));
    let config = ProptestConfig { cases: 60, ..ProptestConfig::default() };
    // From one to the next: each is applied to what the one before left.
    proptest!(config, |(file in files(keys()))| {
        runtime.block_on(async {
            let steps = planned(&node, &file).await;
            apply(&node.authority, &actor(), &file, &steps).await.unwrap();
            assert_eq!(planned(&node, &file).await, []);
            let text = export(&node.authority, "random").await.unwrap();
            assert_eq!(text, file.write().unwrap());
            let again = RealmFile::parse(&text).unwrap();
            assert_eq!(planned(&node, &again).await, []);
            assert_eq!(again.write().unwrap(), text);
        });
    });
    assert_eq!(runtime.block_on(node.store().verify()).unwrap(), []);
}
