//! Forgets tokens that are over.

use std::time::Duration;

use keyward::Now;
use tokio::task::JoinHandle;

use super::kept;
use crate::authority::Authority;
use crate::cause::Cause;
use crate::entity::{FormerHolder, Kept, Realm, RefreshFamily, RevokedToken};
use crate::operations::{ACCESS_TOKEN_LIMIT, REFRESH_TOKEN_LIMIT};
use crate::storage::{Action, Change};

/// How long refresh tokens that are over are kept, in seconds: that an earlier one is used is still known for what it is, and
/// access tokens that go with them are still found good.
const FAMILY_KEPT: i64 = 7 * 86_400;

/// For how much longer what is over is known, in seconds: by the clock of another node it may not be over yet, and what was used
/// or revoked would be good again there.
const CLOCKS_APART: i64 = 120;

/// How many entities are looked at, and forgotten, at once: others who change something wait that long.
const BATCH: u32 = 200;

/// Forgets what is over, again and again. It ends with the task.
pub fn every(authority: Authority, period: Duration) -> JoinHandle<()> {
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(period).await;
            // Why not is logged where it failed; what was left is forgotten the next time.
            let _ = prune(&authority, authority.clock().now()).await;
        }
    })
}

/// Forgets what is over: access tokens that were revoked, opaque ones, refresh tokens, what was used once, and who had a name
/// that no token can be of any more.
///
/// # Errors
/// [`Cause::Unavailable`].
pub async fn prune(authority: &Authority, now: Now) -> Result<(), Cause> {
    let store = authority.view().store();
    let over = now.wall.0.saturating_sub(CLOCKS_APART);
    store.forget_tokens(over).await?;
    store.forget_used(over.saturating_mul(1000)).await?;
    let mut after = String::new();
    loop {
        let realms = store.of_every_realm(Realm::KIND, &after, BATCH).await?;
        for realm in &realms {
            forget::<RevokedToken>(authority, &realm.id, now, |token| {
                token.expires_at.saturating_add(CLOCKS_APART)
            })
            .await?;
            forget::<RefreshFamily>(authority, &realm.id, now, |family| {
                family.expires_at.saturating_add(FAMILY_KEPT)
            })
            .await?;
            forget::<FormerHolder>(authority, &realm.id, now, outlived).await?;
        }
        match realms.last() {
            Some(last) if realms.len() == BATCH as usize => after.clone_from(&last.id),
            _ => return Ok(()),
        }
    }
}

/// When the last token of somebody is over who had a name before. A realm's refresh tokens went with it; those in somebody's name
/// are other clients' perhaps, which could not use them since.
fn outlived(former: &FormerHolder) -> i64 {
    let longest = if former.name == FormerHolder::REALM { ACCESS_TOKEN_LIMIT } else { REFRESH_TOKEN_LIMIT };
    former.until.saturating_add_unsigned(longest).saturating_add(CLOCKS_APART)
}

/// Those of a kind that are over, by when each is.
async fn forget<K: Kept>(
    authority: &Authority,
    realm: &str,
    now: Now,
    over_at: impl Fn(&K) -> i64,
) -> Result<(), Cause> {
    let store = authority.view().store();
    let is_over = |kept: &K| over_at(kept) <= now.wall.0;
    let mut after = String::new();
    loop {
        let page = store.list(K::KIND, realm, "", &after, BATCH).await?;
        let over: Vec<_> = page
            .iter()
            .filter(|(_, body)| store.parse(&K::KIND.0, body).is_ok_and(|k| is_over(&k)))
            .collect();
        if !over.is_empty() {
            let mut command = kept::command(authority, "authority", now).await?;
            for (id, _) in over {
                // It may have been used since.
                if kept::read::<K>(&mut command, realm, id).await?.is_some_and(|kept| is_over(&kept)) {
                    let (action, entity) = (Action("token.forgotten"), crate::entity::entity::<K>(realm, id));
                    command.append(&Change { action, entity, body: None }).await?;
                }
            }
            command.commit().await?;
        }
        match page.last() {
            Some((last, _)) if page.len() == BATCH as usize => after.clone_from(last),
            _ => return Ok(()),
        }
    }
}
