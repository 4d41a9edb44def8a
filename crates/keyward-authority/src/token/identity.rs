//! Who an external signer's token is of.

use std::sync::Arc;

use keyward::Now;

use super::kept;
use super::secret_text::random_name;
use crate::authority::Authority;
use crate::cause::Cause;
use crate::entity::{ExternalSigner, Identity, Kept as _, Realm, Subject};
use crate::operations::Managed as _;
use crate::storage::Command;

/// The identity that `signer` calls `external_id`. Where nobody knows it and the realm wants that, it is made; of two nodes that
/// do so at once, one does.
///
/// # Errors
/// [`Cause::IdentityDisabled`], [`Cause::IdentityUnknown`], [`Cause::Unavailable`].
pub(super) async fn identity(
    authority: &Authority,
    realm: &Realm,
    signer: &ExternalSigner,
    external_id: &str,
    now: Now,
) -> Result<Arc<Identity>, Cause> {
    let view = authority.view();
    let id = Identity::id_of(&signer.name, external_id);
    let known = view.find::<Identity>(&realm.name, &id).await?;
    // A name that only looks the same, with the slash elsewhere.
    let is_meant =
        |identity: &Identity| identity.signer == signer.name && identity.external_id == external_id;
    match known {
        Some(identity) if !is_meant(&identity) => return Err(Cause::IdentityUnknown),
        Some(identity) if !identity.enabled => return Err(Cause::IdentityDisabled),
        Some(identity) if is_found(authority, &realm.name, &identity).await? => return Ok(identity),
        None if !realm.just_in_time => return Err(Cause::IdentityUnknown),
        Some(_) | None => {}
    }
    let actor = format!("external_signer/{}", signer.name);
    let mut command = kept::command(authority, &actor, now).await?;
    let identity = match kept::read::<Identity>(&mut command, &realm.name, &id).await? {
        Some(identity) => identity,
        None if !realm.just_in_time => return Err(Cause::IdentityUnknown),
        None => {
            demand_room(&mut command, &realm.name, &signer.name).await?;
            let identity = new(signer, external_id);
            kept::put(&mut command, &realm.name, "identity.made_just_in_time", &identity).await?;
            identity
        }
    };
    let subject = subject(&identity);
    match kept::read::<Subject>(&mut command, &realm.name, &subject.subject).await? {
        Some(taken) if taken != subject => {
            let (realm, signer) = (realm.name.as_str(), signer.name.as_str());
            tracing::warn!(event = "subject_taken", realm, signer, "two identities have the same subject");
            return Err(Cause::IdentityUnknown);
        }
        Some(_) => {}
        None => kept::put(&mut command, &realm.name, "subject.made", &subject).await?,
    }
    command.commit().await?;
    if !is_meant(&identity) {
        return Err(Cause::IdentityUnknown);
    }
    if identity.enabled { Ok(Arc::new(identity)) } else { Err(Cause::IdentityDisabled) }
}

/// Whether there may be one more. Who has an account at the signer makes no end of names there, perhaps.
async fn demand_room(command: &mut Command, realm: &str, signer: &str) -> Result<(), Cause> {
    let count = command.count(Identity::KIND, realm, &format!("{signer}/")).await?;
    if count < Identity::LIMIT {
        return Ok(());
    }
    tracing::debug!(
        event = "identities_full",
        realm,
        signer,
        limit = Identity::LIMIT,
        "nobody new is let in"
    );
    Err(Cause::IdentityUnknown)
}

/// Whether its tokens lead back to it.
async fn is_found(authority: &Authority, realm: &str, identity: &Identity) -> Result<bool, Cause> {
    let found = authority.view().find::<Subject>(realm, &identity.subject).await?;
    Ok(found.is_some_and(|found| *found == subject(identity)))
}

fn new(signer: &ExternalSigner, external_id: &str) -> Identity {
    Identity {
        signer: signer.name.clone(),
        external_id: external_id.to_owned(),
        subject: random_name(),
        enabled: true,
        just_in_time: true,
        audiences: signer.audiences.clone(),
        scopes: signer.scopes.clone(),
    }
}

fn subject(identity: &Identity) -> Subject {
    let Identity { subject, signer, external_id, .. } = identity.clone();
    Subject { subject, signer, external_id }
}
