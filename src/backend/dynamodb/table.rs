//! The table: created if it is missing, checked, and set to remove expired items.

use std::time::Duration;

use aws_sdk_dynamodb::operation::create_table::CreateTableError;
use aws_sdk_dynamodb::operation::create_table::builders::CreateTableFluentBuilder;
use aws_sdk_dynamodb::operation::describe_table::DescribeTableError;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, GlobalSecondaryIndexDescription,
    KeySchemaElement, KeyType, Projection, ProjectionType, ProvisionedThroughput,
    ScalarAttributeType, TableDescription, TableStatus, TimeToLiveSpecification, TimeToLiveStatus,
};
use tokio::time::{Instant, sleep};

use super::super::Error;
use super::super::effect::Effect::Reads;
use super::options::{Throughput, TimeToLive};
use super::requests::{Operation, Refusal, Requests, passing};
use super::writes::incomplete;

/// The longest time that the creation of a table may take.
const CREATION_TIMEOUT: Duration = Duration::from_secs(300);

/// The pause between two looks at a table that is being created.
const PAUSE: Duration = Duration::from_millis(500);

/// The properties of a table that is to be created.
pub(super) struct TableSpec<'m> {
    /// The index, if the table has one.
    pub(super) index: Option<Index<'m>>,
    pub(super) throughput: Option<Throughput>,
    pub(super) time_to_live: TimeToLive,
    /// The name of the attribute that holds the time of removal.
    pub(super) ttl: &'m str,
}

/// An index by one attribute.
pub(super) struct Index<'m> {
    pub(super) name: &'m str,
    pub(super) attribute: &'m str,
    /// The attributes that it holds in addition to that one and the primary key.
    pub(super) projected: &'m [&'m str],
}

/// Creates the table if it is missing, and waits until it can be used.
pub(super) async fn create_if_missing(
    requests: &Requests,
    spec: &TableSpec<'_>,
) -> Result<(), Error> {
    let operation = requests.operation_of(CREATION_TIMEOUT);
    let is_new = match describe(&operation).await? {
        Some(_) => false,
        None => create(&operation, spec).await?,
    };
    loop {
        let table = describe(&operation).await?;
        let is_active = |table: &&TableDescription| table.table_status == Some(TableStatus::Active);
        if let Some(table) = table.as_ref().filter(is_active) {
            check(table, spec.index.as_ref())?;
            break;
        }
        if Instant::now() > operation.give_up {
            return Err(Error::unavailable(format!(
                "DynamoDB did not create the table within {CREATION_TIMEOUT:?}: try again later"
            )));
        }
        sleep(PAUSE).await;
    }
    match spec.time_to_live {
        TimeToLive::Always => enable_time_to_live(&operation, spec.ttl).await,
        TimeToLive::Created if is_new => enable_time_to_live(&operation, spec.ttl).await,
        _ => Ok(()),
    }
}

/// Checks an existing table, and creates nothing.
#[cfg(feature = "aws")]
pub(super) async fn check_existing(
    requests: &Requests,
    index: Option<&Index<'_>>,
) -> Result<(), Error> {
    match describe(&requests.operation()).await? {
        Some(table) => check(&table, index),
        None => Err(Error::usage(
            "the table does not exist: check its name and its region (nothing was created)",
        )),
    }
}

/// Refuses a table with another key, where no request for an item would be understood. Refuses an
/// index by another attribute, since its lists would be incomplete.
fn check(table: &TableDescription, index: Option<&Index<'_>>) -> Result<(), Error> {
    let name = table.table_name().unwrap_or_default();
    check_key(
        &format!("the table {name}"),
        table.key_schema(),
        table,
        "id",
    )?;
    let Some(wanted) = index else {
        return Ok(());
    };
    let mut indexes = table.global_secondary_indexes().iter();
    match indexes.find(|found| found.index_name() == Some(wanted.name)) {
        Some(found) => {
            let what = format!("the index {} of the table {name}", wanted.name);
            check_key(&what, found.key_schema(), table, wanted.attribute)?;
            check_projection(&what, found, wanted)
        }
        None => Ok(()), // only owners need the index
    }
}

/// Checks that the key is that one attribute, a string, and nothing more.
fn check_key(
    what: &str,
    key: &[KeySchemaElement],
    table: &TableDescription,
    wanted: &str,
) -> Result<(), Error> {
    let definitions = table.attribute_definitions();
    let kind_of = |name: &str| {
        let mut of = definitions.iter().filter(|of| of.attribute_name() == name);
        of.next().map_or("?", |of| of.attribute_type().as_str())
    };
    let found: Vec<String> = key
        .iter()
        .map(|part| {
            let (name, role) = (part.attribute_name(), part.key_type().as_str());
            format!("{name} {} {role}", kind_of(name))
        })
        .collect();
    let wanted = format!("{wanted} S HASH");
    match found == [wanted.clone()] {
        true => Ok(()),
        false => Err(Error::usage(format!(
            "{what} has the key ({}); it must have the key ({wanted})",
            found.join(", ")
        ))),
    }
}

fn check_projection(
    what: &str,
    found: &GlobalSecondaryIndexDescription,
    wanted: &Index<'_>,
) -> Result<(), Error> {
    let Some(projection) = found.projection() else {
        return Ok(());
    };
    let has = |name: &&&str| {
        projection
            .non_key_attributes()
            .iter()
            .any(|of| of == **name)
    };
    match wanted.projected.iter().find(|name| !has(name)) {
        Some(name) if projection.projection_type() != Some(&ProjectionType::All) => {
            Err(Error::usage(format!(
                "{what} does not project {name}: create the index again"
            )))
        }
        _ => Ok(()),
    }
}

/// Returns the table, or `None` if there is no such table.
async fn describe(operation: &Operation<'_>) -> Result<Option<TableDescription>, Error> {
    let request = operation
        .client
        .describe_table()
        .table_name(operation.table);
    match operation
        .send(Reads, || request.clone().send(), passing)
        .await
    {
        Ok(answer) => Ok(answer.table),
        Err(Refusal::ByServer(DescribeTableError::ResourceNotFoundException(_))) => Ok(None),
        Err(refusal) => Err(refusal.into_whole_error()),
    }
}

/// Creates the table. Returns `false` if another program has just created it.
async fn create(operation: &Operation<'_>, spec: &TableSpec<'_>) -> Result<bool, Error> {
    let request = request(operation, spec).map_err(incomplete)?;
    // A repeated request finds the table of the first one.
    match operation
        .send(Reads, || request.clone().send(), passing)
        .await
    {
        Ok(_) => Ok(true),
        Err(Refusal::ByServer(CreateTableError::ResourceInUseException(_))) => Ok(false),
        Err(refusal) => Err(refusal.into_whole_error()),
    }
}

fn request(
    operation: &Operation<'_>,
    spec: &TableSpec<'_>,
) -> Result<CreateTableFluentBuilder, aws_sdk_dynamodb::error::BuildError> {
    let throughput = spec.throughput.map(provisioned).transpose()?;
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
    let Some(index) = &spec.index else {
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

/// Sets DynamoDB to remove items after their `ttl`, if it does not do so yet.
async fn enable_time_to_live(operation: &Operation<'_>, ttl: &str) -> Result<(), Error> {
    let request = operation.client.describe_time_to_live();
    let request = request.table_name(operation.table);
    let described = operation
        .send(Reads, || request.clone().send(), passing)
        .await
        .map_err(Refusal::into_whole_error)?;
    let status = described
        .time_to_live_description
        .and_then(|described| described.time_to_live_status);
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
