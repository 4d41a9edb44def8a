//! A lab as the control API shows it.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::addresses::IssuerAddresses;
use crate::client::ClientDescription;
use crate::fault::{Endpoint, Fault};
use crate::key::KeyState;
use crate::lab::Lab;
use crate::port::Counts;

/// An issuer as it is now.
#[derive(Clone, Debug, Serialize)]
pub struct IssuerDescription {
    /// Where it is.
    #[serde(flatten)]
    pub addresses: IssuerAddresses,
    /// Its keys.
    pub keys: Vec<KeyState>,
    /// Its clients.
    pub clients: BTreeMap<String, ClientDescription>,
    /// What is wrong with its endpoints; those that are well are not there.
    pub faults: BTreeMap<Endpoint, Fault>,
    /// Who came.
    pub counts: BTreeMap<Endpoint, Counts>,
}

impl Lab {
    /// The issuers as they are now, by name.
    pub fn describe(&self) -> BTreeMap<String, IssuerDescription> {
        let describe = |name: &str| {
            let description = IssuerDescription {
                addresses: self.issuer(name)?,
                keys: self.keys(name),
                clients: self.clients(name),
                faults: self.faults(name),
                counts: self.counts(name),
            };
            Some((name.to_owned(), description))
        };
        self.issuers().filter_map(describe).collect()
    }
}
