//! Writes with a condition: of one item alone, or together with a check or a write of another item.

use std::collections::HashMap;

use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{
    AttributeValue, CancellationReason, ConditionCheck, Delete, ReturnValue,
    ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update,
};

use super::super::Error;
use super::super::effect::Effect::Writes;
use super::errors::is_passing;
use super::items::{Item, key_of, number};
use super::requests::{Operation, Refusal, names_in, passing};

/// The values that `:name` stands for in expressions.
pub(super) type Values = HashMap<String, AttributeValue>;

/// The attributes that an update sets, and those that it removes.
#[derive(Default)]
pub(super) struct Changes {
    sets: Vec<String>,
    removes: Vec<String>,
    values: Values,
}

impl Changes {
    /// Sets the attribute, or removes it if there is no value.
    pub(super) fn set(mut self, name: &str, value: Option<AttributeValue>) -> Self {
        match value {
            Some(value) => {
                self.sets.push(format!("#{name} = :{name}"));
                self.values.insert(format!(":{name}"), value);
            }
            None => self.removes.push(format!("#{name}")),
        }
        self
    }

    /// Sets the attribute if the item lacks it.
    pub(super) fn set_if_absent(mut self, name: &str, value: AttributeValue) -> Self {
        self.sets
            .push(format!("#{name} = if_not_exists(#{name}, :{name})"));
        self.values.insert(format!(":{name}"), value);
        self
    }

    /// Adds one to a number that exists.
    pub(super) fn increment(mut self, name: &str) -> Self {
        self.sets.push(format!("#{name} = #{name} + :one"));
        self.values.insert(":one".to_owned(), number(1));
        self
    }

    /// Appends one value to a list that exists.
    pub(super) fn append(mut self, name: &str, value: AttributeValue) -> Self {
        let list = AttributeValue::L(vec![value]);
        self.sets
            .push(format!("#{name} = list_append(#{name}, :{name})"));
        self.values.insert(format!(":{name}"), list);
        self
    }

    fn expression(&self) -> String {
        let part = |word: &str, names: &[String]| match names {
            [] => String::new(),
            names => format!("{word} {} ", names.join(", ")),
        };
        part("SET", &self.sets) + &part("REMOVE", &self.removes)
    }

    /// Returns the write that applies the changes to that item if the condition holds.
    pub(super) fn to<'v>(
        self,
        id: String,
        condition: &str,
        values: impl IntoIterator<Item = (&'v str, AttributeValue)>,
    ) -> Write {
        let update = Some(self.expression());
        let write = Write {
            id,
            update,
            condition: condition.to_owned(),
            values: self.values,
        };
        write.with(values)
    }
}

/// Returns the write that removes an item if the condition holds.
pub(super) fn removal<'v>(
    id: String,
    condition: &str,
    values: impl IntoIterator<Item = (&'v str, AttributeValue)>,
) -> Write {
    let write = Write {
        id,
        update: None,
        condition: condition.to_owned(),
        values: Values::new(),
    };
    write.with(values)
}

/// A write to the item of an ID, applied if its condition holds.
#[derive(Clone)]
pub(super) struct Write {
    pub(super) id: String,
    /// The update expression. If there is none, the item is removed.
    pub(super) update: Option<String>,
    pub(super) condition: String,
    pub(super) values: Values,
}

/// A condition that another item must meet.
#[derive(Clone)]
pub(super) struct Check {
    pub(super) id: String,
    pub(super) condition: String,
    pub(super) values: Values,
}

/// The check or the write of another item in the same transaction.
pub(super) enum OtherItem {
    Check(Check),
    Write(Write),
}

/// The result of a write.
pub(super) enum WriteOutcome {
    Done,
    /// The write's condition did not hold of this item. `None` if there was no item.
    Conflict(Option<Item>),
    /// The condition of the other item did not hold.
    OtherConflict,
}

impl WriteOutcome {
    fn of<T>(answer: Result<T, Option<Item>>) -> Self {
        match answer {
            Ok(_) => WriteOutcome::Done,
            Err(found) => WriteOutcome::Conflict(found),
        }
    }
}

const RETURN_OLD: ReturnValuesOnConditionCheckFailure = ReturnValuesOnConditionCheckFailure::AllOld;

/// Sends a write of one item. The methods of the SDK's two requests have only their names in
/// common, so this is a macro. The inner error is the item that did not meet the condition.
macro_rules! send_if {
    ($operation:ident, $request:expr, $write:ident, $failed:path) => {{
        let request = $request
            .table_name($operation.table)
            .set_key(Some(key_of(&$write.id)))
            .set_expression_attribute_names(Some($write.names()))
            .condition_expression($write.condition)
            .set_expression_attribute_values(Some($write.values))
            .return_values_on_condition_check_failure(RETURN_OLD);
        match $operation
            .send(Writes, || request.clone().send(), passing)
            .await
        {
            Ok(answer) => Ok(Ok(answer)),
            Err(Refusal::ByServer($failed(failed))) => Ok(Err(failed.item)),
            Err(refusal) => Err(refusal.into_error()),
        }
    }};
}

impl Operation<'_> {
    /// Sends the write, in one request.
    pub(super) async fn write(
        &self,
        write: Write,
        other: Option<OtherItem>,
    ) -> Result<WriteOutcome, Error> {
        match (other, &write.update) {
            (Some(other), _) => self.transact(write, other).await,
            (None, Some(_)) => {
                let updated = self.update(write, ReturnValue::None).await?;
                Ok(WriteOutcome::of(updated))
            }
            (None, None) => self.delete(write).await.map(WriteOutcome::of),
        }
    }

    /// Sends the update, in one request. Returns the attributes that `returned` asks for or, if the
    /// condition did not hold, the item that did not meet it.
    pub(super) async fn update(
        &self,
        write: Write,
        returned: ReturnValue,
    ) -> Result<Result<Item, Option<Item>>, Error> {
        use UpdateItemError::ConditionalCheckFailedException as NotUpdated;

        let request = self.client.update_item();
        let request = request
            .set_update_expression(write.update.clone())
            .return_values(returned);
        let updated = send_if!(self, request, write, NotUpdated)?;
        Ok(updated.map(|answer| answer.attributes.unwrap_or_default()))
    }

    async fn delete(&self, write: Write) -> Result<Result<(), Option<Item>>, Error> {
        use DeleteItemError::ConditionalCheckFailedException as NotDeleted;

        let deleted = send_if!(self, self.client.delete_item(), write, NotDeleted)?;
        Ok(deleted.map(drop))
    }

    async fn transact(&self, write: Write, other: OtherItem) -> Result<WriteOutcome, Error> {
        let is_checked = matches!(other, OtherItem::Check(_));
        let other = match other {
            OtherItem::Check(check) => check.in_transaction(self.table)?,
            OtherItem::Write(write) => write.in_transaction(self.table)?,
        };
        let request = self
            .client
            .transact_write_items()
            .transact_items(write.in_transaction(self.table)?)
            .transact_items(other);
        let sent = self.send(Writes, || request.clone().send(), passing_in_all);
        match sent.await {
            Ok(_) => Ok(WriteOutcome::Done),
            Err(Refusal::ByServer(error)) => match reasons(&error) {
                // If the owner's check fails, the record is gone, whatever its own item holds.
                [_, other] if is_checked && failed(other) => Ok(WriteOutcome::OtherConflict),
                [own, _] if failed(own) => Ok(WriteOutcome::Conflict(own.item.clone())),
                [_, other] if failed(other) => Ok(WriteOutcome::OtherConflict),
                _ => Err(Refusal::ByServer(error).into_error()),
            },
            Err(refusal) => Err(refusal.into_error()),
        }
    }
}

/// Returns whether the condition of this part did not hold.
fn failed(reason: &CancellationReason) -> bool {
    reason.code() == Some("ConditionalCheckFailed")
}

/// Returns the reason for each part of a cancelled transaction.
fn reasons(error: &TransactWriteItemsError) -> &[CancellationReason] {
    match error {
        TransactWriteItemsError::TransactionCanceledException(cancelled) => {
            cancelled.cancellation_reasons()
        }
        _ => &[],
    }
}

/// Returns DynamoDB's code if it is a reason to repeat the request, and there is no other reason.
fn passing_in_all(error: &TransactWriteItemsError) -> Option<String> {
    let reasons = reasons(error);
    if reasons.is_empty() {
        return passing(error);
    }
    let codes = reasons.iter().filter_map(CancellationReason::code);
    let mut codes = codes.filter(|code| *code != "None");
    let first = codes.next()?.to_owned();
    (is_passing(&first) && codes.all(is_passing)).then_some(first)
}

impl Write {
    fn with<'v>(mut self, values: impl IntoIterator<Item = (&'v str, AttributeValue)>) -> Self {
        let values = values.into_iter();
        self.values
            .extend(values.map(|(name, value)| (name.to_owned(), value)));
        self
    }

    /// Returns the same write, applied only if the item has that revision.
    pub(super) fn only_if_revision(self, revision: AttributeValue) -> Self {
        let mut values = self.values;
        values.remove(":now"); // DynamoDB refuses a value that no expression uses
        let condition = "#revision = :there".to_owned();
        let write = Write {
            condition,
            values,
            ..self
        };
        write.with([(":there", revision)])
    }

    fn names(&self) -> HashMap<String, String> {
        names_in(&[self.update.as_deref().unwrap_or_default(), &self.condition])
    }

    fn in_transaction(self, table: &str) -> Result<TransactWriteItem, Error> {
        let item = TransactWriteItem::builder();
        let names = Some(self.names());
        let item = match self.update {
            Some(update) => item.update(
                Update::builder()
                    .table_name(table)
                    .set_key(Some(key_of(&self.id)))
                    .update_expression(update)
                    .condition_expression(self.condition)
                    .set_expression_attribute_names(names)
                    .set_expression_attribute_values(Some(self.values))
                    .return_values_on_condition_check_failure(RETURN_OLD)
                    .build()
                    .map_err(incomplete)?,
            ),
            None => item.delete(
                Delete::builder()
                    .table_name(table)
                    .set_key(Some(key_of(&self.id)))
                    .condition_expression(self.condition)
                    .set_expression_attribute_names(names)
                    .set_expression_attribute_values(Some(self.values))
                    .return_values_on_condition_check_failure(RETURN_OLD)
                    .build()
                    .map_err(incomplete)?,
            ),
        };
        Ok(item.build())
    }
}

impl Check {
    fn in_transaction(self, table: &str) -> Result<TransactWriteItem, Error> {
        let check = ConditionCheck::builder()
            .table_name(table)
            .set_key(Some(key_of(&self.id)))
            .set_expression_attribute_names(Some(names_in(&[&self.condition])))
            .condition_expression(self.condition)
            .set_expression_attribute_values(Some(self.values))
            .build()
            .map_err(incomplete)?;
        Ok(TransactWriteItem::builder().condition_check(check).build())
    }
}

/// Returns the error of an incomplete request. This does not happen: all parts are set.
pub(super) fn incomplete(error: aws_sdk_dynamodb::error::BuildError) -> Error {
    Error::usage("a request to DynamoDB is incomplete").with_source(error)
}
