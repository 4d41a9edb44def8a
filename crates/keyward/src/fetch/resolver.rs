//! Resolves names, and passes on no address that a provider cannot have.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::address::{self, AddressClass};

/// The system's resolver.
pub(super) struct SystemResolver;

impl Resolve for SystemResolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            // The port is the address', which says it later.
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            Ok(Box::new(found.collect::<Vec<_>>().into_iter()) as Addrs)
        })
    }
}

/// Another one, less the addresses that are refused.
pub(super) struct GuardedResolver(pub(super) Arc<dyn Resolve>);

/// A name resolves to nothing but addresses that no provider has.
#[derive(Debug, thiserror::Error)]
#[error("it resolves to {address}, which is {class}")]
pub(super) struct AddressRefused {
    /// One of them.
    pub(super) address: IpAddr,
    pub(super) class: AddressClass,
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let host = name.as_str().to_owned();
        let resolving = self.0.resolve(name);
        Box::pin(async move {
            let mut refused = None;
            let found = resolving.await?.filter(|found| {
                let may = address::may_resolve_to(&host, found.ip());
                if let Some(class) = AddressClass::of(found.ip()).filter(|_| !may) {
                    refused.get_or_insert(AddressRefused { address: found.ip(), class });
                }
                may
            });
            let found: Vec<_> = found.collect();
            match refused {
                Some(refused) if found.is_empty() => Err(refused.into()),
                None if found.is_empty() => Err(io::Error::other("it resolves to no address").into()),
                _ => Ok(Box::new(found.into_iter()) as Addrs),
            }
        })
    }
}
