//! SQL Server: the laws, on the server that `BACKEND_URL_MSSQL` names. It has no Debian package, so
//! these tests start none.

use std::sync::Arc;

use silverback::backend::{Generation, GoMssql, GoTable, connect};

use super::candidates::{Candidate, Made};
use super::encoded::Encoded;

/// Returns the URL of an empty database. The tests leave their tables in it.
fn url() -> Result<String, String> {
    let missing =
        "no SQL Server can be started here: set BACKEND_URL_MSSQL to the URL of a database";
    std::env::var("BACKEND_URL_MSSQL").map_err(|_| missing.to_owned())
}

pub(super) fn candidates() -> Vec<Candidate> {
    vec![
        Candidate::new("mssql", "mssql", || Box::pin(native())),
        Candidate::new("mssql_scs_mssqlstore", "mssql", || {
            Box::pin(hashed(GoTable::scs_mssqlstore()))
        }),
        Candidate::new("mssql_scs_gormstore", "mssql", || {
            Box::pin(hashed(GoTable::scs_gormstore()))
        }),
    ]
}

async fn native() -> Made {
    Ok(connect(&url()?).await.expect("a backend in that database"))
}

async fn hashed(table: GoTable) -> Made {
    let url = url()?;
    let random = Generation::random().expect("randomness");
    let number = u64::from_be_bytes(*random.as_bytes().first_chunk().expect("16 bytes"));
    let connected = GoMssql::connect(&url, table.named(format!("table {number:x}"))).await;
    let backend = connected.expect("a table of its own");
    Ok(Encoded::of(Arc::new(backend)))
}
