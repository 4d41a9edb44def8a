//! Why a lab did not start, and why it did not obey.

use std::io;
use std::path::PathBuf;

use crate::authority::CertificateError;
use crate::client::ClientKeyError;
use crate::key::KeyGeneration;
use crate::replay::ReplayError;

/// Why a lab could not start.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// Its authority or a certificate could not be made.
    #[error("a certificate of the lab could not be made")]
    Certificate(#[from] CertificateError),
    /// A client cannot have its keys.
    #[error("issuer {issuer:?} cannot have its clients")]
    Client {
        /// The issuer.
        issuer: String,
        /// Why.
        source: ClientKeyError,
    },
    /// A file of its folder could not be read or written.
    #[error("{} could not be read or written", path.display())]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Two keys of one issuer have the same name.
    #[error("issuer {issuer:?} has two keys named {kid:?}")]
    KeyExists {
        /// The issuer.
        issuer: String,
        /// The name.
        kid: String,
    },
    /// A key could not be made.
    #[error(transparent)]
    KeyGeneration(#[from] KeyGeneration),
    /// A port could not be listened on.
    #[error("127.0.0.1:{port} cannot be listened on")]
    Listen {
        /// Which; 0 is any free one.
        port: u16,
        /// Why.
        source: io::Error,
    },
    /// There is no port of that number.
    #[error("{issuers} issuers need {} consecutive ports: there are not so many from {first_port}", issuers * 4)]
    Ports {
        /// The first one.
        first_port: u16,
        /// How many issuers there are.
        issuers: usize,
    },
    /// A recording could not be read.
    #[error("issuer {issuer:?} cannot be replayed")]
    Replay {
        /// The issuer.
        issuer: String,
        /// Why.
        source: ReplayError,
    },
    /// An issuer in memory is to speak TLS.
    #[error(
        "issuer {issuer:?} is to be reached by https, which a lab in memory does not speak; run it on sockets"
    )]
    TlsInMemory {
        /// The issuer.
        issuer: String,
    },
}

/// Why a command or a token plan was refused. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// An address that no header can carry.
    #[error("{address:?} is no address")]
    BadAddress {
        /// The address.
        address: String,
    },
    /// A claim is no JSON.
    #[error("the claim {claim:?} is no JSON text; a string is written \"\\\"text\\\"\"")]
    ClaimNotJson {
        /// Its name.
        claim: String,
        /// Why.
        source: serde_json::Error,
    },
    /// A client cannot have its keys.
    #[error(transparent)]
    ClientKey(#[from] ClientKeyError),
    /// A JWK to be put beside the good ones is no JSON.
    #[error("what is to stand beside the keys is no JSON")]
    JwkNotJson {
        /// Why.
        source: serde_json::Error,
    },
    /// There is a key of that name.
    #[error("issuer {issuer:?} has a key {kid:?} already")]
    KeyExists {
        /// The name.
        kid: String,
        /// The issuer.
        issuer: String,
    },
    /// A key could not be made.
    #[error(transparent)]
    KeyGeneration(#[from] KeyGeneration),
    /// A port that was closed cannot be opened again.
    #[error("127.0.0.1:{port} cannot be listened on again")]
    Listen {
        /// Which.
        port: u16,
        /// Why.
        source: io::Error,
    },
    /// A flap of none.
    #[error("a flap is every n-th time: n is at least 1")]
    NoFlap,
    /// There is no issuer.
    #[error("the lab has no issuer")]
    NoIssuer,
    /// A rotation in no time.
    #[error("a rotation takes a period of at least 10ms")]
    NoPeriod,
    /// A redirect, or a `jwks_uri`, to the same address by http, where it is reached by http.
    #[error("issuer {issuer:?} is reached by http: there is no redirect from https to http")]
    NoRedirectTarget {
        /// The issuer.
        issuer: String,
    },
    /// The private half of a key is somebody else's.
    #[error(
        "the private key {kid:?} of client {client:?} is not the lab's: it was registered by its public half"
    )]
    NotOurKey {
        /// Its name.
        kid: String,
        /// The client.
        client: String,
    },
    /// A fault of what introspection says, at another endpoint.
    #[error("active_as, says and signed_as are faults of the introspection endpoint alone")]
    OfIntrospection,
    /// No issuer is named, and there are several.
    #[error("which issuer? There are {}", issuers.join(", "))]
    SeveralIssuers {
        /// Their names.
        issuers: Vec<String>,
    },
    /// A token cannot be signed.
    #[error("the token could not be signed")]
    Signing,
    /// No status of a final answer.
    #[error("{code} is no status of an answer: they are from 200 to 599")]
    StatusOutOfRange {
        /// The status.
        code: u16,
    },
    /// A token is to be longer than the lab makes them.
    #[error("a token of {octets} octets is too long: at most {limit}")]
    TokenTooLong {
        /// How long it was to be.
        octets: usize,
        /// How long it may be.
        limit: usize,
    },
    /// There is no such client.
    #[error("issuer {issuer:?} has no client {client:?}; it has {}", clients.join(", "))]
    UnknownClient {
        /// The name.
        client: String,
        /// The issuer.
        issuer: String,
        /// Those that exist.
        clients: Vec<String>,
    },
    /// A client has no such key.
    #[error("client {client:?} has no key {kid:?}; it has {}", keys.join(", "))]
    UnknownClientKey {
        /// The name.
        kid: String,
        /// The client.
        client: String,
        /// Those that exist.
        keys: Vec<String>,
    },
    /// There is no such issuer.
    #[error("there is no issuer {issuer:?}; there is {}", issuers.join(", "))]
    UnknownIssuer {
        /// The name.
        issuer: String,
        /// Those that exist.
        issuers: Vec<String>,
    },
    /// There is no such key.
    #[error("issuer {issuer:?} has no key {kid:?}; it has {}", keys.join(", "))]
    UnknownKey {
        /// The name.
        kid: String,
        /// The issuer.
        issuer: String,
        /// Those that exist.
        keys: Vec<String>,
    },
}
