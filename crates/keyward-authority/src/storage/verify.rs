//! Whether the state is what the log says, to the byte.

use std::fmt;

use sqlx::{Any, Row, Transaction};

use super::store::{Engine, unbounded};
use super::{Store, StoreError};

/// How many differences are told. The first is enough to know that something is wrong.
const MOST: i64 = 100;

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
        let mut transaction = match self.engine {
            Engine::Postgres => {
                self.readers.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?
            }
            Engine::Sqlite => self.readers.begin().await?,
        };
        unbounded(&mut transaction, self.engine).await?;
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
        let missing = entities(&mut transaction, "SELECT kind, realm, id FROM (\
             SELECT e.kind, e.realm, e.id, e.position, e.body FROM event e JOIN \
             (SELECT MAX(position) AS position FROM event GROUP BY kind, realm, id) l ON l.position = e.position \
             WHERE e.body IS NOT NULL \
             EXCEPT SELECT kind, realm, id, position, body FROM state) d ORDER BY 1, 2, 3 LIMIT $1").await?;
        differences.extend(missing.into_iter().map(|entity| Difference::Missing { entity }));
        let unexplained = entities(&mut transaction, "SELECT kind, realm, id FROM (\
             SELECT kind, realm, id, position, body FROM state EXCEPT \
             SELECT e.kind, e.realm, e.id, e.position, e.body FROM event e JOIN \
             (SELECT MAX(position) AS position FROM event GROUP BY kind, realm, id) l ON l.position = e.position \
             WHERE e.body IS NOT NULL) d ORDER BY 1, 2, 3 LIMIT $1").await?;
        differences.extend(unexplained.into_iter().map(|entity| Difference::Unexplained { entity }));
        transaction.rollback().await?;
        Ok(differences)
    }
}

async fn entities(
    transaction: &mut Transaction<'static, Any>,
    query: &'static str,
) -> Result<Vec<String>, StoreError> {
    let rows = sqlx::query(query).bind(MOST).fetch_all(&mut **transaction).await?;
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
