//! The table: made where it is missing, and told to remove what has expired.

use std::time::Duration;

use aws_sdk_dynamodb::operation::create_table::CreateTableError;
use aws_sdk_dynamodb::operation::create_table::builders::CreateTableFluentBuilder;
use aws_sdk_dynamodb::operation::describe_table::DescribeTableError;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection,
    ProjectionType, ProvisionedThroughput, ScalarAttributeType, TableStatus,
    TimeToLiveSpecification, TimeToLiveStatus,
};
use tokio::time::{Instant, sleep};

use super::super::Error;
use super::errors::Effect::Reads;
use super::options::{Throughput, TimeToLive};
use super::requests::{Operation, Refusal, Requests, passing};
use super::writes::incomplete;

/// How long a table may take to be made.
const LONGEST: Duration = Duration::from_secs(300);

/// How often it is asked whether it is.
const PAUSE: Duration = Duration::from_millis(500);

/// What a table is like that is to be made.
pub(super) struct Making<'m> {
    /// The index of an attribute, if there is one.
    pub(super) index: Option<Index<'m>>,
    pub(super) throughput: Option<Throughput>,
    pub(super) time_to_live: TimeToLive,
    /// The attribute that says when.
    pub(super) ttl: &'m str,
}

/// An index by one attribute.
pub(super) struct Index<'m> {
    pub(super) name: &'m str,
    pub(super) attribute: &'m str,
    /// What it holds beside that and the primary key.
    pub(super) projected: &'m [&'m str],
}

/// Makes the table if it is missing, and waits until it can be used.
pub(super) async fn make(requests: &Requests, making: &Making<'_>) -> Result<(), Error> {
    let operation = requests.operation_of(LONGEST);
    let is_made = match status(&operation).await? {
        Some(_) => false,
        None => create(&operation, making).await?,
    };
    while status(&operation).await? != Some(TableStatus::Active) {
        if Instant::now() > operation.give_up {
            return Err(Error::unavailable(
                "DynamoDB does not make the table in time",
            ));
        }
        sleep(PAUSE).await;
    }
    match making.time_to_live {
        TimeToLive::Always => enable_time_to_live(&operation, making.ttl).await,
        TimeToLive::Made if is_made => enable_time_to_live(&operation, making.ttl).await,
        _ => Ok(()),
    }
}

/// None, if there is no such table.
async fn status(operation: &Operation<'_>) -> Result<Option<TableStatus>, Error> {
    let request = operation
        .client
        .describe_table()
        .table_name(operation.table);
    match operation
        .send(Reads, || request.clone().send(), passing)
        .await
    {
        Ok(answer) => Ok(answer.table.and_then(|table| table.table_status)),
        Err(Refusal::Said(DescribeTableError::ResourceNotFoundException(_))) => Ok(None),
        Err(refusal) => Err(refusal.into_whole_error()),
    }
}

/// Whether it was made by us, and not by somebody else at the same moment.
async fn create(operation: &Operation<'_>, making: &Making<'_>) -> Result<bool, Error> {
    let request = request(operation, making).map_err(incomplete)?;
    // What is sent twice finds the table of the first.
    match operation
        .send(Reads, || request.clone().send(), passing)
        .await
    {
        Ok(_) => Ok(true),
        Err(Refusal::Said(CreateTableError::ResourceInUseException(_))) => Ok(false),
        Err(refusal) => Err(refusal.into_whole_error()),
    }
}

fn request(
    operation: &Operation<'_>,
    making: &Making<'_>,
) -> Result<CreateTableFluentBuilder, aws_sdk_dynamodb::error::BuildError> {
    let throughput = making.throughput.map(provisioned).transpose()?;
    let request = operation
        .client
        .create_table()
        .table_name(operation.table)
        .key_schema(hash_key("id")?)
        .attribute_definitions(string("id")?)
        .set_provisioned_throughput(throughput.clone())
        .billing_mode(match &throughput {
            Some(_) => BillingMode::Provisioned,
            None => BillingMode::PayPerRequest,
        });
    let Some(index) = &making.index else {
        return Ok(request);
    };
    let projected = index.projected.iter().map(ToString::to_string).collect();
    let projection = Projection::builder()
        .projection_type(ProjectionType::Include)
        .set_non_key_attributes(Some(projected))
        .build();
    let made = GlobalSecondaryIndex::builder()
        .index_name(index.name)
        .key_schema(hash_key(index.attribute)?)
        .projection(projection)
        .set_provisioned_throughput(throughput)
        .build()?;
    Ok(request
        .attribute_definitions(string(index.attribute)?)
        .global_secondary_indexes(made))
}

fn hash_key(name: &str) -> Result<KeySchemaElement, aws_sdk_dynamodb::error::BuildError> {
    KeySchemaElement::builder()
        .attribute_name(name)
        .key_type(KeyType::Hash)
        .build()
}

fn string(name: &str) -> Result<AttributeDefinition, aws_sdk_dynamodb::error::BuildError> {
    AttributeDefinition::builder()
        .attribute_name(name)
        .attribute_type(ScalarAttributeType::S)
        .build()
}

fn provisioned(
    throughput: Throughput,
) -> Result<ProvisionedThroughput, aws_sdk_dynamodb::error::BuildError> {
    ProvisionedThroughput::builder()
        .read_capacity_units(throughput.reads.into())
        .write_capacity_units(throughput.writes.into())
        .build()
}

/// Tells DynamoDB to remove items whose `ttl` has passed, if it does not do so yet.
async fn enable_time_to_live(operation: &Operation<'_>, ttl: &str) -> Result<(), Error> {
    let request = operation.client.describe_time_to_live();
    let request = request.table_name(operation.table);
    let told = operation
        .send(Reads, || request.clone().send(), passing)
        .await
        .map_err(Refusal::into_whole_error)?;
    let status = told
        .time_to_live_description
        .and_then(|told| told.time_to_live_status);
    if matches!(
        status,
        Some(TimeToLiveStatus::Enabled | TimeToLiveStatus::Enabling)
    ) {
        return Ok(());
    }
    let specification = TimeToLiveSpecification::builder()
        .attribute_name(ttl)
        .enabled(true)
        .build()
        .map_err(incomplete)?;
    let request = operation
        .client
        .update_time_to_live()
        .table_name(operation.table)
        .time_to_live_specification(specification);
    operation
        .send(Reads, || request.clone().send(), passing)
        .await
        .map_err(Refusal::into_whole_error)?;
    Ok(())
}
