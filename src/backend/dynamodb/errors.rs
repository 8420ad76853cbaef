//! DynamoDB's errors as a backend's. The texts contain DynamoDB's code for the error, and never a
//! value: DynamoDB's message may quote a key.

use std::error::Error as StdError;
use std::io::ErrorKind;

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};

use super::super::Error;
use super::super::effect::Effect;

/// Returns whether the reason is temporary: DynamoDB had no capacity, or another request worked on
/// the same item. Nothing was done, and the request may be repeated.
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

/// Returns the error of a request for which DynamoDB had no capacity, however often it was
/// repeated.
pub(super) fn busy(code: &str) -> Error {
    Error::unavailable(format!("DynamoDB has no capacity for the request: {code}"))
}

/// Returns the error of a request that was not answered in time.
pub(super) fn too_late(effect: Effect) -> Error {
    effect.unanswered("DynamoDB did not answer in time")
}

/// Returns the error of a request that DynamoDB refused. Nothing was done.
pub(super) fn refused(error: &impl ProvideErrorMetadata) -> Error {
    Error::unavailable(text_of(error))
}

fn text_of(error: &impl ProvideErrorMetadata) -> String {
    match error.code() {
        Some(code) => format!("DynamoDB returned the error {code}"),
        None => "DynamoDB returned an error without a code".to_owned(),
    }
}

/// Returns DynamoDB's refusal of a request, which was not applied. Returns an error if the request
/// may have been applied, or could not be sent.
pub(super) fn failed<E>(effect: Effect, error: SdkError<E>) -> Result<E, Error>
where
    E: ProvideErrorMetadata + StdError + 'static,
{
    let (may_be_done, failed) = match error {
        SdkError::ServiceError(answer) if answer.raw().status().as_u16() < 500 => {
            return Ok(answer.into_err());
        }
        SdkError::ServiceError(answer) => (true, text_of(answer.err())),
        error => (
            !was_not_sent(&error),
            format!("the request to DynamoDB failed: {}", causes(&error)),
        ),
    };
    Err(match may_be_done {
        true => effect.unanswered(failed),
        false => Error::unavailable(failed),
    })
}

/// Returns whether nothing was sent: there was no valid request, or the server could not be
/// reached.
fn was_not_sent<E: StdError + 'static>(error: &SdkError<E>) -> bool {
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

/// Returns the texts of the error and its causes on one line. They are about connections and
/// credentials, and not about the contents of requests.
fn causes(error: &(dyn StdError + 'static)) -> String {
    let texts: Vec<String> = chain(error).map(ToString::to_string).collect();
    texts.join(": ").replace(['\n', '\r'], " ")
}

/// Returns the error of an item that is not a valid record.
pub(super) fn invalid_record() -> Error {
    Error::corrupt("an item of the table is not a valid record")
}
