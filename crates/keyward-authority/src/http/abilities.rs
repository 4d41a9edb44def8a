//! What the endpoints of a realm can do, as far as clients are told.

use keyward_jose::{Algorithm, AlgorithmSet};

use crate::entity::{ClientAuthMethod, GrantType};

/// What the endpoints of a realm can do: nothing that is not here is advertised, and nothing is here that does not work.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Abilities {
    /// `POST /realms/REALM/token`; none where there is no such endpoint, as with the others.
    pub token: Option<TokenAbilities>,
    /// `POST /realms/REALM/introspect`.
    pub introspection: Option<IntrospectionAbilities>,
    /// `POST /realms/REALM/revoke`.
    pub revocation: Option<ClientAbilities>,
}

/// How clients may authenticate themselves (RFC 8414 §2).
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ClientAbilities {
    /// By which methods.
    pub methods: Vec<ClientAuthMethod>,
    /// What their assertions may be signed with.
    pub assertion_algorithms: Vec<Algorithm>,
}

/// What the token endpoint can do.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct TokenAbilities {
    /// What may be asked by.
    pub grant_types: Vec<GrantType>,
    /// How clients authenticate themselves.
    pub clients: ClientAbilities,
    /// What DPoP proofs may be signed with (RFC 9449 §5.1); empty where no token is bound by them.
    pub dpop_algorithms: Vec<Algorithm>,
    /// Whether tokens are bound to certificates (RFC 8705 §3.3).
    pub certificate_bound: bool,
}

/// What the introspection endpoint can do.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct IntrospectionAbilities {
    /// How those who ask authenticate themselves.
    pub clients: ClientAbilities,
    /// Whether answers are signed where that is asked for (RFC 9701).
    pub signed: bool,
}

impl Abilities {
    /// What this version does. `tls` says whether certificates of clients come as far as here: by our own listener or through
    /// a trusted proxy; `proofs`, what DPoP proofs may be signed with.
    pub fn served(tls: ClientCertificates, proofs: AlgorithmSet) -> Self {
        let asymmetric: Vec<_> = AlgorithmSet::asymmetric().iter().collect();
        let certificates = tls == ClientCertificates::Seen;
        let mut methods = vec![
            ClientAuthMethod::ClientSecretBasic,
            ClientAuthMethod::ClientSecretPost,
            ClientAuthMethod::PrivateKeyJwt,
        ];
        if certificates {
            methods.extend([ClientAuthMethod::SelfSignedTlsClientAuth, ClientAuthMethod::TlsClientAuth]);
        }
        let confidential = ClientAbilities { methods, assertion_algorithms: asymmetric };
        let mut all = confidential.clone();
        all.methods.push(ClientAuthMethod::None);
        Self {
            token: Some(TokenAbilities {
                grant_types: vec![
                    GrantType::ClientCredentials,
                    GrantType::JwtBearer,
                    GrantType::RefreshToken,
                    GrantType::TokenExchange,
                ],
                clients: all.clone(),
                dpop_algorithms: proofs.iter().collect(),
                certificate_bound: certificates,
            }),
            introspection: Some(IntrospectionAbilities { clients: confidential, signed: true }),
            revocation: Some(all),
        }
    }
}

/// Whether certificates of clients come as far as here.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ClientCertificates {
    /// They do.
    Seen,
    /// Nobody asks for them.
    Unseen,
}
