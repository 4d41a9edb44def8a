//! Access tokens that only introspection can read.

use sqlx::Row;

use super::{Store, StoreError};

impl Store {
    /// Keeps what an opaque token says, under its hash, until `expires_at`, in seconds since 1970. It is in no event: a token
    /// is no change.
    ///
    /// # Errors
    /// [`StoreError::Database`]: then the token must not be handed out.
    pub async fn keep_token(
        &self,
        realm: &str,
        hash: &str,
        expires_at: i64,
        claims: &str,
    ) -> Result<(), StoreError> {
        let kept = sqlx::query("INSERT INTO token (realm, hash, expires_at, claims) VALUES ($1, $2, $3, $4)")
            .bind(realm)
            .bind(hash)
            .bind(expires_at)
            .bind(claims)
            .execute(self.beside_commands());
        self.watched.within(kept).await.map(drop)
    }

    /// What the opaque token of this hash says; none where there is none such, or it is revoked or long over. It is read from
    /// the database, past every cache.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn token(&self, realm: &str, hash: &str) -> Result<Option<String>, StoreError> {
        let row = sqlx::query("SELECT claims FROM token WHERE realm = $1 AND hash = $2")
            .bind(realm)
            .bind(hash)
            .fetch_optional(&self.readers);
        self.watched.within(row).await?.map(|row| row.try_get(0)).transpose().map_err(StoreError::from)
    }

    /// Revokes the opaque token of this hash, on every node at once.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn revoke_token(&self, realm: &str, hash: &str) -> Result<(), StoreError> {
        let revoked = sqlx::query("DELETE FROM token WHERE realm = $1 AND hash = $2")
            .bind(realm)
            .bind(hash)
            .execute(self.beside_commands());
        self.watched.within(revoked).await.map(drop)
    }

    /// Forgets the opaque tokens that are over at `now`, in seconds since 1970, and says how many those were.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn forget_tokens(&self, now: i64) -> Result<u64, StoreError> {
        self.forget(
            "DELETE FROM token WHERE (realm, hash) IN \
             (SELECT realm, hash FROM token WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)",
            now,
        )
        .await
    }
}
