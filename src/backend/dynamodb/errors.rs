//! What DynamoDB could not do, as a backend's error. Its texts name what DynamoDB calls the
//! error, and never a value: what DynamoDB says of an error may quote a key.

use std::error::Error as StdError;
use std::io::ErrorKind;

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};

use super::super::Error;

/// Whether a request changes anything: what was sent and not answered may then be done.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    Reads,
    Writes,
}

/// Whether DynamoDB had no capacity for it, or something else went on with the same item:
/// nothing was done, and it may be tried again.
pub(super) fn is_passing(code: &str) -> bool {
    matches!(
        code,
        "ProvisionedThroughputExceededException"
            | "ProvisionedThroughputExceeded"
            | "ThrottlingException"
            | "ThrottlingError"
            | "RequestLimitExceeded"
            | "TransactionConflictException"
            | "TransactionConflict"
    )
}

/// DynamoDB had no capacity, however often it was asked.
pub(super) fn busy(code: &str) -> Error {
    Error::unavailable(format!("DynamoDB has no capacity for it: {code}"))
}

/// Nobody answered in time.
pub(super) fn too_late(effect: Effect) -> Error {
    const MESSAGE: &str = "DynamoDB does not answer in time";
    match effect {
        Effect::Writes => Error::outcome_unknown(MESSAGE),
        Effect::Reads => Error::unavailable(MESSAGE),
    }
}

/// DynamoDB refused it: nothing was done.
pub(super) fn refused(error: &impl ProvideErrorMetadata) -> Error {
    Error::unavailable(said(error))
}

fn said(error: &impl ProvideErrorMetadata) -> String {
    let code = error.code().unwrap_or("that something is wrong");
    format!("DynamoDB says {code}")
}

/// What DynamoDB said of a request that it did not do; an error, if it may have done it, or
/// was not asked.
pub(super) fn failed<E>(effect: Effect, error: SdkError<E>) -> Result<E, Error>
where
    E: ProvideErrorMetadata + StdError + 'static,
{
    let (may_be_done, failed) = match error {
        SdkError::ServiceError(answer) if answer.raw().status().as_u16() < 500 => {
            return Ok(answer.into_err());
        }
        SdkError::ServiceError(answer) => (true, said(answer.err())),
        error => (
            !never_left(&error),
            format!("DynamoDB cannot be asked: {}", causes(&error)),
        ),
    };
    Err(match (effect, may_be_done) {
        (Effect::Writes, true) => Error::outcome_unknown(failed),
        _ => Error::unavailable(failed),
    })
}

/// Whether nothing was sent: there was nothing to send, or nobody to send it to.
fn never_left<E: StdError + 'static>(error: &SdkError<E>) -> bool {
    match error {
        SdkError::ConstructionFailure(_) => true,
        SdkError::DispatchFailure(failure) if failure.is_user() => true,
        error => chain(error)
            .filter_map(|cause| cause.downcast_ref::<std::io::Error>())
            .any(|cause| {
                matches!(
                    cause.kind(),
                    ErrorKind::ConnectionRefused
                        | ErrorKind::HostUnreachable
                        | ErrorKind::NetworkUnreachable
                )
            }),
    }
}

fn chain<'e>(
    first: &'e (dyn StdError + 'static),
) -> impl Iterator<Item = &'e (dyn StdError + 'static)> {
    let mut next = Some(first);
    std::iter::from_fn(move || {
        let error = next?;
        next = error.source();
        Some(error)
    })
}

/// The texts of what caused it, which is of connections and credentials and not of requests,
/// on one line.
fn causes(error: &(dyn StdError + 'static)) -> String {
    let texts: Vec<String> = chain(error).map(ToString::to_string).collect();
    texts.join(": ").replace(['\n', '\r'], " ")
}

/// An item that is none of ours.
pub(super) fn no_record() -> Error {
    Error::corrupt("an item of the table is no record")
}
