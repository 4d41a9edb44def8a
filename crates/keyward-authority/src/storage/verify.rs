//! Whether the state is what the log says, to the byte.

use std::fmt;

use sqlx::{AnyConnection, AssertSqlSafe, Row};

use super::rebuild::BY_THE_LOG;
use super::{Store, StoreError};

/// How many differences are told. The first is enough to know that something is wrong.
const MOST: i64 = 100;

/// The state, of the columns of [`BY_THE_LOG`].
const STATE: &str = "SELECT kind, realm, id, position, body FROM state";

/// Where the state and the log differ.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Difference {
    /// There are not as many events as positions.
    Gap {
        /// The position of the last event by the head's row.
        head: i64,
        /// The highest position of an event.
        last: i64,
        /// How many events there are.
        events: i64,
    },
    /// An entity is otherwise than its last event says, or not there.
    Missing {
        /// `kind realm id`.
        entity: String,
    },
    /// An entity is there, and the log does not say so.
    Unexplained {
        /// `kind realm id`.
        entity: String,
    },
}

impl Store {
    /// Holds the state against the log, as both are at one moment. Empty where they agree.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn verify(&self) -> Result<Vec<Difference>, StoreError> {
        let mut transaction = self.snapshot().await?;
        let counts = sqlx::query(
            "SELECT (SELECT position FROM log_head WHERE one = 1), \
             (SELECT COALESCE(MAX(position), 0) FROM event), (SELECT COUNT(*) FROM event)",
        )
        .fetch_one(&mut *transaction)
        .await?;
        let (head, last, events) = (counts.try_get(0)?, counts.try_get(1)?, counts.try_get(2)?);
        let mut differences = Vec::new();
        if head != last || last != events {
            differences.push(Difference::Gap { head, last, events });
        }
        let missing = differing(&mut transaction, BY_THE_LOG, STATE).await?;
        differences.extend(missing.into_iter().map(|entity| Difference::Missing { entity }));
        let unexplained = differing(&mut transaction, STATE, BY_THE_LOG).await?;
        differences.extend(unexplained.into_iter().map(|entity| Difference::Unexplained { entity }));
        transaction.rollback().await?;
        Ok(differences)
    }
}

/// The entities that are so in the first and not in the second.
async fn differing(
    transaction: &mut AnyConnection,
    first: &str,
    second: &str,
) -> Result<Vec<String>, StoreError> {
    let query =
        format!("SELECT kind, realm, id FROM ({first} EXCEPT {second}) d ORDER BY kind, realm, id LIMIT $1");
    let rows = sqlx::query(AssertSqlSafe(query)).bind(MOST).fetch_all(transaction).await?;
    let name = |row: &sqlx::any::AnyRow| {
        let (kind, realm, id): (String, String, String) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        Ok(format!("{kind} {realm} {id}"))
    };
    rows.iter().map(name).collect()
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gap { head, last, events } => {
                write!(f, "the head is at {head}, the last event at {last}, and there are {events} events")
            }
            Self::Missing { entity } => write!(f, "{entity}: not as its last event says"),
            Self::Unexplained { entity } => write!(f, "{entity}: no event says so"),
        }
    }
}
