//! Tokens for every resource server can be signed.

use super::{OperationError, find_in, list_in};
use crate::entity::{Kept, Realm, ResourceServer, SigningKey};
use crate::signing::KeyState;
use crate::storage::{Command, Kind};

/// Whether a change of this kind can keep tokens from being signed.
pub(crate) fn concerns(kind: Kind) -> bool {
    [Realm::KIND, ResourceServer::KIND].contains(&kind)
}

/// Whether the realm signs with what its resource servers want. To be asked at the end of a command that concerns that: a token
/// that nothing signs is a 503 for whoever asks, and the administration's own would leave nobody to mend it.
///
/// # Errors
/// [`OperationError::Invalid`]: then the command can only be dropped.
pub(crate) async fn demand(command: &mut Command, realm: &str) -> Result<(), OperationError> {
    let Some(settings) = find_in::<Realm>(command, realm, realm).await? else {
        return Ok(());
    };
    let algorithms = settings.entity.rotation.algorithms;
    let servers = list_in::<ResourceServer>(command, realm, "").await?;
    let wanted = servers.into_iter().filter(|server| server.entity.enabled).filter_map(|server| {
        let ResourceServer { audience, algorithm, .. } = server.entity;
        algorithm.map(|algorithm| (audience, algorithm))
    });
    let wanted: Vec<_> = wanted.collect();
    if wanted.is_empty() {
        return Ok(());
    }
    let keys = list_in::<SigningKey>(command, realm, "").await?;
    for (audience, algorithm) in wanted {
        let signs = |key: &SigningKey| key.algorithm == algorithm && key.times.state() == KeyState::Active;
        if !algorithms.contains(&algorithm) || !keys.iter().any(|key| signs(&key.entity)) {
            let why = format!(
                "resource server {audience} wants {algorithm}, which the realm does not sign with: add it to the realm's \
                 algorithms, and wait until a key of it is active"
            );
            return Err(OperationError::invalid("algorithm", why));
        }
    }
    Ok(())
}
