//! Where the nodes of a drill keep everything.

use sqlx::AnyPool;

use crate::error::RunError;

/// A database of a drill's own.
#[derive(Debug)]
pub(super) struct Database {
    /// As `[storage] address` has it.
    pub(super) address: String,
    /// Two share a server, and one has a file.
    pub(super) nodes: usize,
    server: Option<(String, String)>,
}

impl Database {
    /// An empty one, on the server where there is one.
    pub(super) async fn make(postgres: Option<&str>, drill: &str) -> Result<Self, RunError> {
        let Some(server) = postgres else {
            return Ok(Self { address: "sqlite:authority.db".to_owned(), nodes: 1, server: None });
        };
        let mut url =
            url::Url::parse(server).map_err(|error| failure("read the address of PostgreSQL", &error))?;
        // Of this run alone: others may be under way on the same server.
        let name = format!("keyward_{}_{:x}", drill.replace('-', "_"), keyward::entropy::seed());
        execute(server, &format!("CREATE DATABASE {name}")).await?;
        url.set_path(&name);
        Ok(Self { address: url.to_string(), nodes: 2, server: Some((server.to_owned(), name)) })
    }

    /// It is not needed any more.
    pub(super) async fn drop(self) -> Result<(), RunError> {
        match self.server {
            Some((server, name)) => {
                execute(&server, &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await
            }
            None => Ok(()),
        }
    }
}

async fn execute(server: &str, statement: &str) -> Result<(), RunError> {
    sqlx::any::install_default_drivers();
    let pool = AnyPool::connect(server).await.map_err(|error| failure("reach PostgreSQL", &error))?;
    // The name is one of ours, with nothing of anybody else's in it.
    let statement = sqlx::AssertSqlSafe(statement.to_owned());
    let done = sqlx::raw_sql(statement).execute(&pool).await;
    pool.close().await;
    done.map(drop).map_err(|error| failure("make or drop a database", &error))
}

fn failure(what: &str, error: &dyn std::error::Error) -> RunError {
    RunError::Gateway { what: format!("cannot {what}: {error}"), log: None }
}
