//! Names, and the addresses that they resolve to.

use std::fmt::Debug;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;

use url::{Host, Url};

use super::timer::{Over, Timer};
use crate::facts::Lookup;
use crate::probe::context::Context;

/// Resolves names.
pub trait Resolver: Send + Sync + Debug {
    /// Every address of `name`, of each family.
    fn resolve<'a>(&'a self, name: &'a str) -> Resolving<'a>;
}

/// What [`Resolver::resolve`] comes back with.
pub type Resolving<'a> = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send + 'a>>;

/// The system's. A lookup that hangs goes on in a thread of the runtime after nobody waits for it any more.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemResolver;

impl Resolver for SystemResolver {
    fn resolve<'a>(&'a self, name: &'a str) -> Resolving<'a> {
        Box::pin(async move {
            // The port is the address', which says it later.
            let found = tokio::net::lookup_host((name, 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}

/// More addresses than this of one name are not even told.
const TOLD: usize = 64;

/// What the host of `url` resolves to. A name is looked up once in a look.
pub(super) async fn lookup(context: &Context, url: &Url) -> Lookup {
    match url.host() {
        None => Lookup::NotTried,
        Some(Host::Ipv4(address)) => Lookup::Literal(address.into()),
        Some(Host::Ipv6(address)) => Lookup::Literal(address.into()),
        Some(Host::Domain(name)) => {
            let known = context.lookup_of(name);
            known.get_or_init(|| resolve(context, name)).await.clone()
        }
    }
}

async fn resolve(context: &Context, name: &str) -> Lookup {
    let timer = Timer::new(context, context.limits().lookup);
    match timer.within(context.resolver().resolve(name)).await {
        Ok(Ok(found)) if found.is_empty() => Lookup::Failed("it resolves to no address".to_owned()),
        Ok(Ok(found)) => Lookup::Found(distinct(found)),
        Ok(Err(error)) => Lookup::Failed(error.to_string()),
        Err(Over::Own) => Lookup::TimedOut,
        Err(Over::Look) => Lookup::NotTried,
    }
}

fn distinct(found: Vec<IpAddr>) -> Vec<IpAddr> {
    let mut distinct = Vec::new();
    for address in found {
        if !distinct.contains(&address) && distinct.len() < TOLD {
            distinct.push(address);
        }
    }
    distinct
}

/// No more than `limit` of the addresses, in their order, and of each family as many as there is room for.
pub(super) fn chosen(found: &[IpAddr], limit: usize) -> Vec<IpAddr> {
    let of_family = |v4: bool| found.iter().filter(|address| address.is_ipv4() == v4).count();
    let fourth = of_family(true).min(limit.saturating_sub(of_family(false).min(limit / 2)));
    let mut left = [limit.saturating_sub(fourth), fourth];
    let mut chosen = Vec::new();
    for address in found {
        if let Some(left) = left.get_mut(usize::from(address.is_ipv4())).filter(|left| **left > 0) {
            *left -= 1;
            chosen.push(*address);
        }
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_addresses_are_cut_so_that_each_family_is_seen() {
        let v4 = |last| IpAddr::from([10, 0, 0, last]);
        let v6 = |last| IpAddr::from([0xfd00, 0, 0, 0, 0, 0, 0, last]);
        let found: Vec<_> = (0..10).map(v4).chain((0..3).map(v6)).collect();
        let told = chosen(&found, 8);
        assert_eq!(told, [v4(0), v4(1), v4(2), v4(3), v4(4), v6(0), v6(1), v6(2)]);
        assert_eq!(chosen(&found[..4], 8), found[..4]);
        assert_eq!(chosen(&found[10..], 2), [v6(0), v6(1)]);
        let found: Vec<_> = (0..10).map(v6).chain((0..10).map(v4)).collect();
        assert_eq!(chosen(&found, 4), [v6(0), v6(1), v4(0), v4(1)]);
    }
}
