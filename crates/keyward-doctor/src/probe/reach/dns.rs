//! Names, and the addresses that they resolve to.

use std::fmt::Debug;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;

/// Resolves names.
pub trait Resolver: Send + Sync + Debug {
    /// Every address of `name`, of each family.
    fn resolve<'a>(&'a self, name: &'a str) -> Resolving<'a>;
}

/// What [`Resolver::resolve`] comes back with.
pub type Resolving<'a> = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send + 'a>>;

/// The system's.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemResolver;

impl Resolver for SystemResolver {
    fn resolve<'a>(&'a self, name: &'a str) -> Resolving<'a> {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name, 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}
