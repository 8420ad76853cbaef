//! The parts of a transaction's response.

use etcd_client::{KeyValue, TxnOpResponse, TxnResponse};

use super::super::Error;
use super::errors::invalid_response;

/// Returns the keys and values that each read of the transaction has found, in the order of the
/// reads.
pub(super) fn found_in(response: &TxnResponse) -> Vec<Vec<KeyValue>> {
    let responses = response.op_responses().into_iter();
    let found = responses.filter_map(|response| match response {
        TxnOpResponse::Get(mut found) => Some(found.take_kvs()),
        _ => None,
    });
    found.collect()
}

/// Returns etcd's revision of the keys that the transaction wrote.
pub(super) fn revision_of(response: &TxnResponse) -> Result<i64, Error> {
    let header = response.header().ok_or_else(invalid_response)?;
    Ok(header.revision())
}
