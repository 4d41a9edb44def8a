//! What X.509 certificates around keys mean to the gateway under drill: the same plan for the binary's configuration and
//! for the library.

use keyward::{IssuerSettings, WrapperPolicy};
use keyward_lab::Lab;
use serde::{Deserialize, Deserializer};

/// `[gateway.wrapper]`.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WrapperPlan {
    /// What it does to a key. Default: the gateway's.
    #[serde(default, deserialize_with = "policy")]
    pub policy: WrapperPolicy,
    /// Whether certificates have to lead to the lab's authority. Default: they are held against their key and their
    /// times only.
    #[serde(default)]
    pub anchored: bool,
}

/// Where the gateway's folder holds the certificate of the lab's authority.
pub(crate) const AUTHORITY_FILE: &str = "authority.pem";

impl WrapperPlan {
    /// As the gateway's configuration has it.
    pub(crate) fn table(self) -> toml::Table {
        let mut table = toml::Table::new();
        table.insert("policy".to_owned(), self.policy.label().into());
        if self.anchored {
            table.insert("anchors_file".to_owned(), AUTHORITY_FILE.into());
        }
        table
    }

    /// The same for the library.
    pub(crate) fn set_up(self, settings: &mut IssuerSettings, lab: &Lab) {
        settings.policy.wrapper = self.policy;
        if self.anchored {
            settings.wrapper_anchors = lab.authority_pem().as_bytes().to_vec();
        }
    }
}

/// A policy by its name in the configuration.
fn policy<'de, D: Deserializer<'de>>(deserializer: D) -> Result<WrapperPolicy, D::Error> {
    let name = String::deserialize(deserializer)?;
    let found = WrapperPolicy::ALL.into_iter().find(|policy| policy.label() == name);
    found.ok_or_else(|| {
        let names = WrapperPolicy::ALL.map(WrapperPolicy::label).join(", ");
        serde::de::Error::custom(format!("there is no policy {name:?}; there are {names}"))
    })
}
