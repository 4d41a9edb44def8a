//! What has to hold of a client.

use super::managed::{Actions, Belonging, Managed, actions};
use super::{OperationError, check, find_in};
use crate::entity::{
    Client, ClientAuthMethod, ClientKind, FormerHolder, GrantType, Kept, Key, RefreshFamily, Secret,
    ServiceAccount, SubjectType, TlsSubject, entity,
};
use crate::storage::{Action, Command};

impl Managed for Client {
    const LIMIT: i64 = 10_000;

    type Prepared = ();

    fn actions(&self) -> &'static Actions {
        actions!("client")
    }

    fn is_enabled(&self) -> bool {
        self.enabled
    }

    fn holder(&self) -> Option<String> {
        Some(FormerHolder::name_of(SubjectType::Client, &self.id))
    }

    fn check(&self) -> Result<(), OperationError> {
        check::name("id", &self.id)?;
        check::text("description", &self.description)?;
        check::audiences("audiences", &self.audiences)?;
        check::scopes("scopes", &self.scopes)?;
        check_authentication(self)?;
        check_keys(self)?;
        check_grants(self)
    }

    /// `sub` and `client_id` of a token say who it is: no account may be called so.
    async fn check_new(&self, command: &mut Command, realm: &str) -> Result<(), OperationError> {
        match find_in::<ServiceAccount>(command, realm, &self.id).await? {
            Some(_) => Err(OperationError::Exists { entity: entity::<ServiceAccount>(realm, &self.id) }),
            None => Ok(()),
        }
    }

    fn belongings(&self) -> Vec<Belonging> {
        let belonging = |kind, prefix, deleted| Belonging { kind, prefix, deleted: Action(deleted) };
        vec![
            belonging(Key::KIND, format!("client/{}/", self.id), "client_key.deleted"),
            belonging(Secret::KIND, format!("{}/", self.id), "client_secret.deleted"),
            // A client that is made again under this name must not find them.
            belonging(RefreshFamily::KIND, format!("{}/", self.id), "refresh_family.deleted"),
        ]
    }
}

fn check_authentication(client: &Client) -> Result<(), OperationError> {
    let methods = &client.auth_methods;
    let unlike: std::collections::BTreeSet<_> = methods.iter().collect();
    if unlike.len() != methods.len() {
        return Err(OperationError::invalid("auth_methods", "must name each once"));
    }
    match client.kind {
        ClientKind::Public if *methods != [ClientAuthMethod::None] => {
            return Err(OperationError::invalid(
                "auth_methods",
                "must be [\"none\"]: a public client keeps no secret",
            ));
        }
        ClientKind::Confidential if methods.is_empty() || methods.contains(&ClientAuthMethod::None) => {
            let why = "must name at least one way, and not none: a confidential client authenticates itself";
            return Err(OperationError::invalid("auth_methods", why));
        }
        ClientKind::Confidential | ClientKind::Public => {}
    }
    match (&client.tls_subject, methods.contains(&ClientAuthMethod::TlsClientAuth)) {
        (None, false) => Ok(()),
        (None, true) => {
            Err(OperationError::invalid("tls_subject", "must say whose certificate tls_client_auth takes"))
        }
        (Some(_), false) => Err(OperationError::invalid(
            "tls_subject",
            "is only for tls_client_auth, which is not among auth_methods",
        )),
        (Some(subject), true) => match subject {
            TlsSubject::Ip(_) => Ok(()),
            TlsSubject::Dns(name)
            | TlsSubject::Email(name)
            | TlsSubject::SubjectDn(name)
            | TlsSubject::Uri(name) => check::foreign_name("tls_subject", name),
        },
    }
}

/// An address that nobody would ask is a mistake.
fn check_keys(client: &Client) -> Result<(), OperationError> {
    let by_keys = [ClientAuthMethod::PrivateKeyJwt, ClientAuthMethod::SelfSignedTlsClientAuth];
    if client.jwks_uri.is_some() && !by_keys.iter().any(|method| client.auth_methods.contains(method)) {
        let why =
            "is only for private_key_jwt and self_signed_tls_client_auth, which are not among auth_methods";
        return Err(OperationError::invalid("jwks_uri", why));
    }
    check::jwks_uri(client.jwks_uri.as_deref())
}

fn check_grants(client: &Client) -> Result<(), OperationError> {
    let grants = &client.grant_types;
    let unlike: std::collections::BTreeSet<_> = grants.iter().collect();
    if grants.is_empty() || unlike.len() != grants.len() {
        return Err(OperationError::invalid("grant_types", "must name at least one, and each once"));
    }
    // RFC 6749 §4.4: only confidential clients.
    if client.kind == ClientKind::Public && grants.contains(&GrantType::ClientCredentials) {
        return Err(OperationError::invalid("grant_types", "client_credentials is not for public clients"));
    }
    Ok(())
}
